import type {
  Access,
  BillingPolicy,
  BillingSituation,
  StripeStatus,
  SubscriptionDecision,
  SubscriptionFacts,
  SubscriptionState,
} from '../contracts/subscriptions.ts'
import { durationMs } from './durations.ts'
import { actKey, plannedAt } from './planned-acts.ts'

/** The policies of the biggest plan that a subscription is of. */
export function policiesOf(
  { items }: SubscriptionFacts,
  { plans, policy }: BillingSituation,
): Pick<BillingPolicy, 'dunning' | 'grace'> {
  const ofItems = plans.filter(({ key }) => items.some(({ planKey }) => planKey === key))
  return ofItems.toSorted((one, other) => other.rank - one.rank || (one.key < other.key ? -1 : 1))[0] ?? policy
}

/** Whether it has begun, and not ended: the first payment is made by somebody who sits before the screen. */
export function isUnderWay(subscription: SubscriptionFacts): boolean {
  return hasBegun(subscription) && subscription.status !== 'canceled'
}

/** Whoever began to pay and never did has bought nothing yet. */
export function hasBegun({ status }: SubscriptionFacts): boolean {
  return status !== 'incomplete' && status !== 'incomplete_expired'
}

/** Stripe's eight statuses as ours. What Stripe does about a payment that fails decides nothing here: the time since then does. */
export function decideState(subscription: SubscriptionFacts, situation: BillingSituation): SubscriptionDecision {
  const overdueSince = overdueSinceOf(subscription, situation)
  const state = stateOf(subscription, overdueSince, situation)
  const isKept = overdueSince !== null && situation.memory.switches.keepEntitlements !== undefined
  return { id: subscription.id, state, access: isKept ? 'full' : accessIn[state], overdueSince }
}

/** The best access that any of them gives. */
export function bestAccess(decisions: readonly { access: Access }[]): Access {
  const levels = decisions.map(({ access }) => access)
  return levels.find((one) => one === 'full') ?? levels.find((one) => one === 'reduced') ?? 'none'
}

/**
 * The moments at which a payment that stays overdue takes access away, and the keys of their timers. What was taken is given back by a payment
 * alone, not by a plan that is more patient.
 */
export function graceOf(subscription: SubscriptionFacts, overdueSince: number, situation: BillingSituation) {
  const { grace } = policiesOf(subscription, situation)
  const step = (name: 'reduced' | 'revoked', after: string) => {
    const key = `grace/${subscription.id}/${overdueSince}/${name}`
    const isTaken = situation.memory.done.includes(actKey(situation.organisationId, key))
    return { key, at: isTaken ? overdueSince : plannedAt(situation, key, overdueSince + durationMs(after)) }
  }
  return { reduced: step('reduced', grace.reducedAfter), revoked: step('revoked', grace.revokedAfter) }
}

/** As long as nothing is overdue; what Stripe calls `past_due` and `unpaid` always is. */
const stateIn: Record<StripeStatus, SubscriptionState> = {
  // Nothing has been paid yet.
  incomplete: 'suspended',
  incomplete_expired: 'ended',
  trialing: 'trialing',
  active: 'active',
  past_due: 'past_due',
  canceled: 'ended',
  unpaid: 'past_due',
  // A trial is over, and nobody pays.
  paused: 'suspended',
}

const accessIn: Record<SubscriptionState, Access> = {
  trialing: 'full',
  active: 'full',
  past_due: 'full',
  grace: 'reduced',
  suspended: 'none',
  ended: 'none',
}

function stateOf(
  subscription: SubscriptionFacts,
  overdueSince: number | null,
  situation: BillingSituation,
): SubscriptionState {
  if (overdueSince !== null) {
    const { reduced, revoked } = graceOf(subscription, overdueSince, situation)
    if (revoked.at <= situation.now) return 'suspended'
    return reduced.at <= situation.now ? 'grace' : 'past_due'
  }
  return stateIn[subscription.status]
}

/**
 * Since when a subscription is overdue that Stripe says is. The oldest open invoice tells; where none does, what was known before, and at first
 * sight the period that is not paid. While it is `unpaid`, what comes after the oldest gives no time anew.
 */
export function overdueSinceOf(
  { id, status, startedAt, items }: SubscriptionFacts,
  { facts, memory }: BillingSituation,
): number | null {
  if (status !== 'past_due' && status !== 'unpaid') return null
  const open = facts.openInvoices.flatMap(({ subscriptionId, overdueSince }) =>
    subscriptionId === id && overdueSince !== null ? [overdueSince] : [],
  )
  const known = memory.overdueSince[id]
  if (open.length > 0) return Math.min(...open, (status === 'unpaid' ? known : undefined) ?? Infinity)
  return known ?? Math.max(startedAt, ...items.map(({ period }) => period.startsAt))
}
