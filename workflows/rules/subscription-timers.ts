import type {
  BillingPolicy,
  BillingSituation,
  SubscriptionDecision,
  SubscriptionFacts,
} from '../contracts/subscriptions.ts'
import { durationMs } from './durations.ts'
import type { Planned } from './planned-acts.ts'
import { graceOf, isUnderWay } from './subscription-state.ts'

/** After so long Stripe lets go of a subscription whose first payment was never made. */
const firstPaymentWithinMs = durationMs('PT23H')

/** What is to come of one subscription by itself: its trial, its periods, its end, and what an overdue payment takes away. */
export function planSubscription(
  subscription: SubscriptionFacts,
  { overdueSince }: SubscriptionDecision,
  situation: BillingSituation,
): Planned[] {
  return [
    ...planStripesMoments(subscription),
    ...planTrialNotices(subscription, situation.policy),
    ...planRenewalNotice(subscription, situation.policy),
    ...(overdueSince === null ? [] : planGrace(subscription, overdueSince, situation)),
    ...planChanges(subscription, overdueSince !== null, situation),
  ]
}

/** Stripe makes a period's invoice as it begins, and charges it about an hour later. */
const chargedAfterMs = durationMs('PT70M')

/** When Stripe is going to change something: its webhook may be lost, and somebody looks all the same. */
function planStripesMoments(subscription: SubscriptionFacts): Planned[] {
  const { id, status, startedAt, trialEndsAt, cancelsAt, collectionPaused } = subscription
  const look = (what: Planned['what'], key: string, at: number | null | undefined): Planned[] =>
    at === null || at === undefined ? [] : [{ key, at, what, act: null, isMovable: false }]
  if (status === 'incomplete')
    return look('first_payment_expires', `start/${id}/expires`, startedAt + firstPaymentWithinMs)
  if (!isUnderWay(subscription)) return []
  const ends = new Set(subscription.items.map(({ period }) => period.endsAt))
  const begins = new Set(subscription.items.map(({ period }) => period.startsAt))
  return [
    ...(status === 'trialing' ? look('trial_end', `trial/${id}/${trialEndsAt}/end`, trialEndsAt) : []),
    ...look('subscription_end', `end/${id}/${cancelsAt}`, cancelsAt),
    ...[...ends]
      .filter((at) => status !== 'paused' && at !== trialEndsAt && at < (cancelsAt ?? Infinity))
      .flatMap((at) => look('period_end', `period/${id}/${at}`, at)),
    ...[...begins].flatMap((at) => look('renewal_check', `period/${id}/${at}/charge`, at + chargedAfterMs)),
    ...look('collection_resumes', `collection/${id}/${collectionPaused?.resumesAt}`, collectionPaused?.resumesAt),
  ]
}

/** Before a trial ends that is to become a subscription, and after one that nobody pays for. */
function planTrialNotices(subscription: SubscriptionFacts, { trialReminders }: BillingPolicy): Planned[] {
  const { id, status, startedAt, trialEndsAt, cancelsAt, items } = subscription
  if (trialEndsAt === null) return []
  const key = `trial/${id}/${trialEndsAt}`
  // What is paused later, and not by its trial's end, has come to another period.
  if (status === 'paused' && items.every(({ period }) => period.startsAt <= trialEndsAt)) {
    const act = { is: 'notice', notice: 'trial_ended', about: id, step: 1, isLast: true } as const
    return [{ key: `${key}/ended`, at: trialEndsAt, what: 'trial_ended', act }]
  }
  if (status !== 'trialing' || (cancelsAt !== null && cancelsAt <= trialEndsAt)) return []
  const steps = trialReminders.map((before) => trialEndsAt - durationMs(before)).filter((at) => at > startedAt)
  return steps.map((at, index) => ({
    key: `${key}/${index + 1}`,
    at,
    what: 'trial_ending',
    act: { is: 'notice', notice: 'trial_ending', about: id, step: index + 1, isLast: index === steps.length - 1 },
    before: trialEndsAt,
    ladder: key,
  }))
}

/** Before the next period that is going to be paid; a period too short for it goes without. */
function planRenewalNotice(subscription: SubscriptionFacts, { renewalNotices }: BillingPolicy): Planned[] {
  const { id, status, cancelsAt, collectionPaused } = subscription
  const [next] = subscription.items.toSorted((one, other) => one.period.endsAt - other.period.endsAt)
  const ahead = next && renewalNotices[next.every]
  if (!next || !ahead || status !== 'active' || collectionPaused !== null) return []
  const { startsAt, endsAt } = next.period
  const at = endsAt - durationMs(ahead)
  if (at <= startsAt || (cancelsAt !== null && cancelsAt <= endsAt)) return []
  const act = { is: 'notice', notice: 'renewal', about: id, step: 1, isLast: true } as const
  return [{ key: `renewal/${id}/${endsAt}`, at, what: 'renewal', act, before: endsAt }]
}

/** Access goes at these moments even where nobody is told, because it is kept by an operator. */
function planGrace(subscription: SubscriptionFacts, overdueSince: number, situation: BillingSituation): Planned[] {
  const { reduced, revoked } = graceOf(subscription, overdueSince, situation)
  const isKept = situation.memory.switches.keepEntitlements !== undefined
  const step = ({ key, at }: typeof reduced, notice: 'access_reduced' | 'access_revoked'): Planned => ({
    key,
    at,
    what: notice,
    act: isKept ? null : { is: 'notice', notice, about: subscription.id, step: 1, isLast: true },
    ladder: `grace/${subscription.id}/${overdueSince}`,
  })
  return [...(reduced.at < revoked.at ? [step(reduced, 'access_reduced')] : []), step(revoked, 'access_revoked')]
}

/**
 * Changes of plan that wait; a subscription that ends before has none. One that is late is made within a period, whose price has to be paid first.
 */
function planChanges(subscription: SubscriptionFacts, isOverdue: boolean, { memory }: BillingSituation): Planned[] {
  const { id, cancelsAt, items } = subscription
  if (!isUnderWay(subscription)) return []
  const startsAt = Math.max(...items.map(({ period }) => period.startsAt))
  return memory.changes.flatMap((change): Planned[] => {
    const isLate = startsAt > change.at
    if (change.subscriptionId !== id || change.at >= (cancelsAt ?? Infinity) || (isLate && isOverdue)) return []
    return [
      {
        key: `change/${change.id}`,
        at: isLate ? startsAt + chargedAfterMs : change.at,
        what: 'change_plan',
        act: { is: 'change_plan', changeId: change.id, subscriptionId: id },
      },
    ]
  })
}
