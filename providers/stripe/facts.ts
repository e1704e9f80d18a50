import type { Stripe } from 'stripe'
import {
  type BillingAccount,
  type Dispute,
  type OpenInvoice,
  type Payment,
  type PlanOfPrice,
  type Refund,
  type SubscriptionFacts,
  stripeStatuses,
} from '../../activities/ports.ts'
import { type Account, type Charged, type Disputed, type Invoiced, intentsOf, type Subscribed } from './account.ts'
import { payingOf } from './cards.ts'
import { unexpectedAnswer } from './errors.ts'
import { createLineReader, rhythmOf } from './paid-lines.ts'
import { shownOf } from './shown.ts'
import { idOrNull, money, ms, msOrNull } from './values.ts'

/** Stripe's objects as what decides. A price that is not among the plans stands for a plan of its own id, which nobody has. */
export function billingOf(account: Account, plans: PlanOfPrice, now: number): BillingAccount {
  const paying = payingOf(account.customer, account.subscriptions)
  const payments = paymentsOf(account, plans)
  const paid = new Set(account.paidInvoices.map(({ invoice }) => invoice.id))
  // The lists are read one beside the other: what was paid in between is paid.
  const open = [...account.openInvoices.filter(({ invoice }) => !paid.has(invoice.id)), ...account.drafts]
  const paymentOf = paymentByCharge(account)
  const disputes = account.disputes.map((dispute) => disputeOf(dispute, paymentOf))
  return {
    facts: {
      subscriptions: account.subscriptions.map((one) => subscriptionOf(one, plans)),
      openInvoices: open.map((one) => openInvoiceOf(one, account, now)),
      payments,
      refunds: account.charges.flatMap((one) => refundsOf(one, paymentOf)),
      disputes,
      card: paying?.card ?? null,
    },
    shown: shownOf(account, open, disputes, paying),
    paymentIds: paymentIds(account),
    email: account.customer.email,
  }
}

function subscriptionOf({ subscription, items }: Subscribed, plans: PlanOfPrice): SubscriptionFacts {
  const { id, cancel_at: cancelAt, cancel_at_period_end: endsWithPeriod, pause_collection: pause } = subscription
  const status = stripeStatuses.find((one) => one === subscription.status)
  if (status === undefined) throw unexpectedAnswer()
  const ends = items.map((item) => item.current_period_end)
  const metered = items.filter(({ price }) => price.recurring?.usage_type === 'metered')
  // What is paid by use alone is what it is for.
  const paidAhead = metered.length < items.length ? items.filter((item) => !metered.includes(item)) : items
  return {
    id,
    status,
    startedAt: ms(subscription.created),
    items: paidAhead.map(({ price, current_period_start: start, current_period_end: end }) => ({
      planKey: plans.get(price.id)?.planKey ?? price.id,
      every: rhythmOf(price),
      period: { startsAt: ms(start), endsAt: ms(end) },
    })),
    ...(metered.length > 0 && { meteredPriceIds: metered.map(({ price }) => price.id).toSorted() }),
    trialEndsAt: msOrNull(subscription.trial_end),
    cancelsAt: msOrNull(cancelAt ?? (endsWithPeriod && ends.length > 0 ? Math.max(...ends) : null)),
    endedAt: msOrNull(subscription.ended_at),
    ownCardId: idOrNull(subscription.default_payment_method) ?? idOrNull(subscription.default_source),
    collectionPaused: pause && { resumesAt: msOrNull(pause.resumes_at) },
  }
}

/** An invoice tells neither when its payment first failed nor of what: its charges do. */
function openInvoiceOf({ invoice, paidBy }: Invoiced, account: Account, now: number): OpenInvoice {
  const subscriptionId = idOrNull(invoice.parent?.subscription_details?.subscription)
  const tried = account.charges
    .map(({ charge }) => charge)
    .filter((charge) => intentsOf(charge).some((id) => paidBy.includes(id)))
    .toSorted((one, other) => one.created - other.created)
  const last = tried.at(-1)
  // With nothing to pay by, there is not even a charge; the first attempt comes with the number.
  const triedAt = invoice.attempted ? (last?.created ?? invoice.status_transitions.finalized_at) : null
  return {
    id: invoice.id,
    subscriptionId,
    amountDue: invoice.amount_remaining,
    currency: invoice.currency.toUpperCase(),
    overdueSince: msOrNull(overdueSince()),
    lastAttemptAt: msOrNull(triedAt),
    lastAttemptCardId: last?.payment_method ?? null,
    nextAttemptAt: msOrNull(invoice.next_payment_attempt),
    declineCode: last?.outcome?.reason ?? last?.failure_code ?? null,
    ...(invoice.status === 'draft' && { isDraft: true }),
  }

  function overdueSince(): number | null {
    const { collection_method: how, due_date: due, attempted, status_transitions: moments } = invoice
    if (how === 'send_invoice') return due !== null && ms(due) <= now ? due : null
    const failed = tried.find(({ status }) => status === 'failed')
    if (failed) return failed.created
    // Tried without a charge: for want of a card, of which the status tells, or the bank waits for the person.
    return attempted && isLate(account, subscriptionId) ? moments.finalized_at : null
  }
}

function isLate({ subscriptions }: Account, id: string | null): boolean {
  const status = subscriptions.find(({ subscription }) => subscription.id === id)?.subscription.status
  return status === 'past_due' || status === 'unpaid'
}

/** An invoice's under its id, a checkout's under its intent's. */
function paymentsOf(account: Account, plans: PlanOfPrice): Payment[] {
  const lines = createLineReader(account, plans)
  const ofInvoices = account.paidInvoices.map(
    (one): Payment => ({
      id: one.invoice.id,
      paidAt: ms(one.invoice.status_transitions.paid_at ?? one.invoice.created),
      amount: one.invoice.amount_paid,
      currency: one.invoice.currency.toUpperCase(),
      lines: lines.ofInvoice(one),
    }),
  )
  const ofCheckouts = account.checkouts.flatMap(({ session, lines: bought }): Payment[] => {
    const intent = idOrNull(session.payment_intent)
    if (intent === null) return []
    const paid = account.charges.find(({ charge }) => charge.paid && intentsOf(charge).includes(intent))
    const paidAt = ms(paid?.charge.created ?? session.created)
    const { amount, currency } = money(session.amount_total ?? 0, session.currency ?? '')
    return [{ id: intent, paidAt, amount, currency, lines: lines.ofCheckout(bought) }]
  })
  return [...ofInvoices, ...ofCheckouts]
}

type PaymentOf = (charge: Stripe.Charge) => string

/** The id of a charge's payment; the intent's, where nothing is known of what it was for. */
function paymentByCharge({ paidInvoices, openInvoices }: Account): PaymentOf {
  const invoices = new Map(
    [...openInvoices, ...paidInvoices].flatMap(({ invoice, paidBy }) => paidBy.map((id) => [id, invoice.id])),
  )
  return (charge) => {
    const ids = intentsOf(charge)
    return ids.map((id) => invoices.get(id)).find((id) => id !== undefined) ?? ids[0] ?? charge.id
  }
}

const refundStatuses: Record<string, Refund['status']> = {
  pending: 'pending',
  requires_action: 'pending',
  succeeded: 'succeeded',
}

export const refundStatus = (status: string | null): Refund['status'] => refundStatuses[status ?? ''] ?? 'failed'

function refundsOf({ charge, refunds }: Charged, paymentOf: PaymentOf): Refund[] {
  return refunds.map(({ id, amount, status, created }) => ({
    id,
    paymentId: paymentOf(charge),
    amount,
    status: refundStatus(status),
    at: ms(created),
  }))
}

/** Inquiries and appeals are answered like any other; one that was prevented came to nothing. */
const disputeStatuses: Record<string, Dispute['status']> = {
  needs_response: 'needs_response',
  warning_needs_response: 'needs_response',
  appeal_needs_response: 'needs_response',
  under_review: 'under_review',
  warning_under_review: 'under_review',
  appeal_under_review: 'under_review',
  won: 'won',
  lost: 'lost',
  warning_closed: 'closed',
  prevented: 'closed',
}

function disputeOf({ dispute, charge }: Disputed, paymentOf: PaymentOf): Dispute {
  const status = disputeStatuses[dispute.status]
  if (status === undefined) throw unexpectedAnswer()
  return {
    id: dispute.id,
    paymentId: paymentOf(charge),
    amount: dispute.amount,
    status,
    openedAt: ms(dispute.created),
    // 0: no response is possible.
    evidenceDueAt: msOrNull(dispute.evidence_details.due_by || null),
  }
}

/** Of what was paid: refunds and disputes name no customer. */
function paymentIds({ charges, paidInvoices, checkouts }: Account): string[] {
  const paid = charges.flatMap(({ charge }) => (charge.paid ? intentsOf(charge) : []))
  const intents = checkouts.flatMap(({ session }) => idOrNull(session.payment_intent) ?? [])
  return [...new Set([...paid, ...intents, ...paidInvoices.flatMap(({ paidBy }) => paidBy)])]
}
