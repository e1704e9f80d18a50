import type { SubscriptionFacts } from '../contracts/subscriptions.ts'

/**
 * A change that waits is made so long before the period ends: the invoice of the next, which Stripe makes as it begins, is then of the new plan.
 */
const aheadOfPeriodMs = 3_600_000

/** When a change that waits for the end of the period is made: ms since the epoch. */
export function aheadOfNextPeriod({ items }: Pick<SubscriptionFacts, 'items'>): number {
  return Math.min(...items.map(({ period }) => period.endsAt)) - aheadOfPeriodMs
}

/** The same of one that waits already: a period may have ended early, as a trial does, and one that is over since then makes it late. */
export function timeOfChange(waitsFor: number, subscription: Pick<SubscriptionFacts, 'items'>): number {
  const startsAt = Math.max(...subscription.items.map(({ period }) => period.startsAt))
  return startsAt > waitsFor ? waitsFor : aheadOfNextPeriod(subscription)
}
