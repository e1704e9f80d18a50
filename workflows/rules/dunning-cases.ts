import type { BillingSituation, OpenInvoice, SubscriptionFacts } from '../contracts/subscriptions.ts'
import { durationMs } from './durations.ts'
import { actKey, plannedAt } from './planned-acts.ts'
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

/**
 * No other attempt with the same card will do better: after these Stripe does not try again either. Nor does it after `authentication_required`, but
 * there the card is good: its owner confirms the payment at the invoice's page, and has the time that they have to put in another.
 */
const hardDeclines: ReadonlySet<string> = new Set([
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
export function casesIn(situation: BillingSituation): DunningCase[] {
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

export const givenUpKey = ({ id }: OpenInvoice): string => `dunning/${id}/given-up`
