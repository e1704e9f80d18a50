import { isOver, type Subscription } from './sandbox-billing-objects.ts'
import type { StripeObject } from './sandbox-store.ts'
import { day, own } from './sandbox-values.ts'

/** Stripe gives up on a first payment after so long. */
export const incompleteSeconds = 23 * 3_600
/** Before the end of a trial, and before a renewal, as Stripe's settings have it at first. */
const trialNoticeSeconds = 3 * day
const renewalNoticeSeconds = 7 * day

/** What happens to a subscription by itself. */
export type SubscriptionStep =
  | 'tellTrialEnd'
  | 'endTrial'
  | 'tellRenewal'
  | 'renew'
  | 'cancel'
  | 'expire'
  | 'dropPendingUpdate'

/** When something is to be done about an object, by the clock of its customer; null: never. */
export function dueOf(object: StripeObject): number | null {
  if (object.object === 'subscription') return nextStepOf(object)?.at ?? null
  if (object.object === 'checkout.session') return object.status === 'open' ? object.expires_at : null
  if (object.object === 'dispute') return object.status === 'needs_response' ? object.evidence_details.due_by : null
  if (object.object !== 'invoice') return null
  if (object.status === 'draft') return object.auto_advance ? object.automatically_finalizes_at : null
  return object.status === 'open' ? object.next_payment_attempt : null
}

export function nextStepOf(subscription: Subscription): Step | null {
  return stepsOf(subscription).toSorted((a, b) => a.at - b.at)[0] ?? null
}

interface Step {
  step: SubscriptionStep
  at: number
}

/** Of those that are due together, the first comes first. */
function stepsOf(subscription: Subscription): Step[] {
  const { status, created, cancel_at, pending_update: pending } = subscription
  if (isOver(subscription)) return []
  if (status === 'incomplete') return [{ step: 'expire', at: created + incompleteSeconds }]
  return [
    ...(cancel_at === null ? [] : [{ step: 'cancel' as const, at: cancel_at }]),
    ...(pending ? [{ step: 'dropPendingUpdate' as const, at: pending.expires_at }] : []),
    ...(status === 'paused' ? [] : status === 'trialing' ? trialSteps(subscription) : renewalSteps(subscription)),
  ]
}

function trialSteps({ created, trial_end, [own]: told }: Subscription): Step[] {
  if (trial_end === null) return []
  const notice: Step = { step: 'tellTrialEnd', at: Math.max(created, trial_end - trialNoticeSeconds) }
  return [...(told.hasToldTrialEnd ? [] : [notice]), { step: 'endTrial', at: trial_end }]
}

function renewalSteps(subscription: Subscription): Step[] {
  const { start, end } = periodOf(subscription)
  const isTold = subscription[own].toldRenewalOf === end
  const isRenewed = subscription.cancel_at === null && subscription.status !== 'unpaid'
  const notice: Step = { step: 'tellRenewal', at: Math.max(start, end - renewalNoticeSeconds) }
  return [...(isTold || !isRenewed ? [] : [notice]), { step: 'renew', at: end }]
}

/** Its items, which share one interval, share one period. */
export function periodOf({ items, created }: Subscription): { start: number; end: number } {
  const [item] = items.data
  return { start: item?.current_period_start ?? created, end: item?.current_period_end ?? created }
}
