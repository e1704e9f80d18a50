import type { Act } from './sandbox-acts.ts'
import { type Charge, type Dispute, newBalanceTransaction, newDispute, newRefund } from './sandbox-money-objects.ts'
import { invalid } from './sandbox-refusals.ts'
import { day } from './sandbox-values.ts'

interface Opening {
  reason: string
  amount?: number | undefined
  /** Until an answer is due. */
  days?: number | undefined
}

/** The bank takes the money back until it is decided. */
export function openDispute(act: Act, charge: Charge, { reason, amount = charge.amount, days = 14 }: Opening): Dispute {
  const now = act.now(charge.customer)
  const dispute = newDispute(now, { charge, amount, reason, dueBy: now + days * day })
  act.save({ ...charge, disputed: true }, 'charge.updated')
  return act.save(dispute, 'charge.dispute.created', 'charge.dispute.funds_withdrawn')
}

/** What was not answered in time is lost, as is what is given up. */
export function closeDispute(act: Act, dispute: Dispute, outcome: 'won' | 'lost'): Dispute {
  if (!isOpen(dispute)) throw invalid('This dispute is already closed.', { code: 'dispute_closed' })
  if (outcome === 'lost') return act.save({ ...dispute, status: 'lost' }, 'charge.dispute.closed')
  const customer = act.store.get('charge', dispute.charge)?.customer ?? null
  const returned = newBalanceTransaction(act.now(customer), dispute.id, dispute.currency, dispute.amount, 0)
  const won: Dispute = { ...dispute, status: 'won', balance_transactions: [...dispute.balance_transactions, returned] }
  return act.save(won, 'charge.dispute.closed', 'charge.dispute.funds_reinstated')
}

/** Evidence can be kept as a draft; the bank takes it once. */
export function answerDispute(act: Act, dispute: Dispute, evidence: Record<string, string>, submit: boolean): Dispute {
  if (dispute.status !== 'needs_response') {
    throw invalid('You can only submit evidence for a dispute that needs a response.', {
      code: 'dispute_not_updatable',
    })
  }
  const details = dispute.evidence_details
  const answered: Dispute = {
    ...dispute,
    evidence: { ...dispute.evidence, ...evidence },
    evidence_details: {
      ...details,
      has_evidence: details.has_evidence || Object.keys(evidence).length > 0,
      submission_count: details.submission_count + (submit ? 1 : 0),
    },
    status: submit ? 'under_review' : dispute.status,
  }
  return act.save(answered, 'charge.dispute.updated')
}

function isOpen({ status }: Dispute): boolean {
  return status === 'needs_response' || status === 'under_review'
}

interface Refunding {
  amount?: number | undefined
  reason?: 'duplicate' | 'fraudulent' | 'requested_by_customer' | undefined
  metadata?: Record<string, string> | undefined
}

export function refund(act: Act, charge: Charge, { amount, reason, metadata = {} }: Refunding) {
  const left = charge.amount_captured - charge.amount_refunded
  const code = 'charge_already_refunded'
  if (left === 0 && charge.status === 'succeeded')
    throw invalid(`Charge ${charge.id} has already been refunded.`, { code })
  if (charge.disputed) {
    throw invalid(`Charge ${charge.id} has been charged back; cannot issue a refund.`, { code: 'charge_disputed' })
  }
  const asked = amount ?? left
  if (asked > left || asked <= 0) {
    throw invalid(`Refund amount (${asked}) is greater than unrefunded amount on charge (${left})`, { param: 'amount' })
  }
  const made = newRefund(act.now(charge.customer), { charge, amount: asked, reason: reason ?? null, metadata })
  act.save(made, 'refund.created')
  const refunded = charge.amount_refunded + asked
  act.save({ ...charge, amount_refunded: refunded, refunded: refunded === charge.amount }, 'charge.refunded')
  return made
}
