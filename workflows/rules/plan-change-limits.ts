import type { BillingFacts, SubscriptionFacts } from '../contracts/subscriptions.ts'
import { isFrozen } from './disputes.ts'

/** `overdue`: what it would credit is not paid. `given_back`: it was refunded, or charged back. `dispute_open`: it may be. */
export type AgainstChange = 'overdue' | 'given_back' | 'dispute_open'

/**
 * Why a plan is not changed within its period: a change credits what remains of what was paid for it, which must be there. Null: nothing stands
 * against it.
 */
export function againstChangeWithin(subscription: SubscriptionFacts, facts: BillingFacts): AgainstChange | null {
  const { id, status, items } = subscription
  if (isFrozen(facts)) return 'dispute_open'
  const owes = facts.openInvoices.some(({ subscriptionId, amountDue }) => subscriptionId === id && amountDue > 0)
  if (owes || status === 'past_due' || status === 'unpaid') return 'overdue'
  const ends = new Set(items.map(({ period }) => period.endsAt))
  const running = facts.payments.filter(({ lines }) =>
    lines.some((line) => line.subscription?.id === id && ends.has(line.subscription.period.endsAt)),
  )
  const goneBack = [
    ...facts.refunds.filter((one) => one.status !== 'failed'),
    ...facts.disputes.filter((one) => one.status === 'lost'),
  ]
  return goneBack.some(({ paymentId }) => running.some((payment) => payment.id === paymentId)) ? 'given_back' : null
}
