import type { BillingSituation, DunningDecision, OpenInvoice, SubscriptionFacts } from '../contracts/subscriptions.ts'
import { isFrozen } from './disputes.ts'
import { durationMs } from './durations.ts'
import { planCharges, planDraftCharges } from './invoice-charges.ts'
import { actKey, type Planned, plannedAt } from './planned-acts.ts'
import { isUnderWay, policiesOf } from './subscription-state.ts'

/** An open invoice that is overdue, and what stands for and against asking for it. */
export interface DunningCase {
  invoice: OpenInvoice
  overdueSince: number
  subscription: SubscriptionFacts
  /** When each step of the policy is due, the first notice first. */
  stepsAt: number[]
  givenUpAt: number
  isGivenUp: boolean
}

/** What is done about invoices that are overdue, and how it stands with each. */
export function planDunning(situation: BillingSituation): { planned: Planned[]; decisions: DunningDecision[] } {
  const cases = casesIn(situation)
  return {
    planned: [
      ...planDraftCharges(situation),
      ...cases.flatMap((one) => [
        ...planCharges(one, situation),
        ...(isHeld(one, situation) ? [] : [...(isOldest(one, cases) ? noticesOf(one) : []), givingUp(one)]),
      ]),
    ],
    decisions: cases.map((one) => ({
      invoiceId: one.invoice.id,
      subscriptionId: one.subscription.id,
      status: statusOf(one, situation),
    })),
  }
}

/** No other attempt with the same card will do better: after these Stripe does not try again either. */
const hardDeclines: ReadonlySet<string> = new Set([
  'authentication_required',
  'highest_risk_level',
  'incorrect_number',
  'lost_card',
  'pickup_card',
  'revocation_of_all_authorizations',
  'revocation_of_authorization',
  'stolen_card',
  'transaction_not_allowed',
])

/** Who has left is asked for nothing more. */
function casesIn(situation: BillingSituation): DunningCase[] {
  const { facts, memory, organisationId } = situation
  return facts.openInvoices.flatMap((invoice) => {
    const subscription = facts.subscriptions.find(({ id }) => id === invoice.subscriptionId)
    const { overdueSince, amountDue } = invoice
    if (!subscription || !isUnderWay(subscription) || overdueSince === null || amountDue <= 0) return []
    const { dunning } = policiesOf(subscription, situation)
    // After a hard decline nothing is left to wait for: all steps are due with it, and of notices the last one says so.
    const isHard = invoice.declineCode !== null && hardDeclines.has(invoice.declineCode)
    const hardAt = isHard ? (invoice.lastAttemptAt ?? Infinity) : Infinity
    const after = (duration: string) => Math.min(overdueSince + durationMs(duration), hardAt)
    const givenUp = givenUpKey(invoice)
    return [
      {
        invoice,
        overdueSince,
        subscription,
        stepsAt: dunning.notices.map(after),
        givenUpAt: plannedAt(situation, givenUp, after(dunning.givenUpAfter)),
        isGivenUp: memory.done.includes(actKey(organisationId, givenUp)),
      },
    ]
  })
}

function isHeld({ subscription }: DunningCase, { facts, memory }: BillingSituation): boolean {
  return isFrozen(facts) || memory.switches.noDunning !== undefined || subscription.collectionPaused !== null
}

/** Whoever owes several periods is reminded of the first. */
function isOldest({ invoice, overdueSince, subscription }: DunningCase, cases: readonly DunningCase[]): boolean {
  return !cases.some(
    (other) =>
      other.subscription.id === subscription.id &&
      (other.overdueSince < overdueSince || (other.overdueSince === overdueSince && other.invoice.id < invoice.id)),
  )
}

function noticesOf({ invoice, stepsAt }: DunningCase): Planned[] {
  return stepsAt.map((at, index) => ({
    key: `dunning/${invoice.id}/${index + 1}`,
    at,
    what: 'payment_failed',
    act: {
      is: 'notice',
      notice: 'payment_failed',
      about: invoice.id,
      step: index + 1,
      isLast: index === stepsAt.length - 1,
    },
    ladder: `dunning/${invoice.id}`,
  }))
}

function givingUp({ invoice, givenUpAt }: DunningCase): Planned {
  return {
    key: givenUpKey(invoice),
    at: givenUpAt,
    what: 'give_up',
    act: { is: 'give_up', invoiceId: invoice.id },
  }
}

function statusOf(one: DunningCase, situation: BillingSituation): DunningDecision['status'] {
  if (one.isGivenUp) return 'exhausted'
  if (isHeld(one, situation)) return 'frozen'
  return one.givenUpAt <= situation.now ? 'exhausted' : 'open'
}

const givenUpKey = ({ id }: OpenInvoice): string => `dunning/${id}/given-up`
