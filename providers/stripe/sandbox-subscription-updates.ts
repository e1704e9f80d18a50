import { z } from 'zod'
import type { Act } from './sandbox-acts.ts'
import { isOver, type Subscription } from './sandbox-billing-objects.ts'
import { periodOf } from './sandbox-due.ts'
import { listed, merged, metadata, orGone, text, whole, yesNo } from './sandbox-forms.ts'
import { needAttached } from './sandbox-payments.ts'
import { changePlan } from './sandbox-plan-changes.ts'
import { invalid } from './sandbox-refusals.ts'
import { endingAt } from './sandbox-subscriptions.ts'

const changedItems = listed(
  z.strictObject({
    id: text.optional(),
    price: text.optional(),
    quantity: whole.optional(),
    deleted: yesNo.optional(),
    metadata: z.record(text, text).optional(),
  }),
)

export const planChange = {
  items: changedItems.optional(),
  proration_behavior: z.enum(['create_prorations', 'always_invoice', 'none']).default('create_prorations'),
  proration_date: whole.optional(),
  billing_cycle_anchor: z.enum(['now', 'unchanged']).optional(),
  trial_end: z.union([z.literal('now'), whole]).optional(),
}

export const SubscriptionUpdate = z.strictObject({
  ...planChange,
  payment_behavior: z
    .enum(['allow_incomplete', 'default_incomplete', 'error_if_incomplete', 'pending_if_incomplete'])
    .default('allow_incomplete'),
  cancel_at_period_end: yesNo.optional(),
  cancel_at: orGone(whole).optional(),
  cancellation_details: z.strictObject({ comment: orGone(text).optional() }).optional(),
  default_payment_method: orGone(text).optional(),
  description: orGone(text).optional(),
  metadata: metadata.optional(),
  off_session: yesNo.optional(),
  pause_collection: orGone(
    z.strictObject({
      behavior: z.enum(['keep_as_draft', 'mark_uncollectible', 'void']),
      resumes_at: whole.optional(),
    }),
  ).optional(),
  trial_settings: z
    .strictObject({
      end_behavior: z.strictObject({ missing_payment_method: z.enum(['create_invoice', 'pause', 'cancel']) }),
    })
    .optional(),
})
export type SubscriptionUpdate = z.output<typeof SubscriptionUpdate>

export function updateSubscription(act: Act, subscription: Subscription, given: SubscriptionUpdate): Subscription {
  if (isOver(subscription)) {
    throw invalid('A canceled subscription can only update its cancellation_details and metadata.')
  }
  const plain = { ...subscription, ...plainChanges(act, subscription, given), ...endChanges(act, subscription, given) }
  const { items, trial_end: trialEnd, billing_cycle_anchor: anchor, proration_date: prorationDate } = given
  if (items === undefined && trialEnd === undefined && anchor !== 'now') {
    return act.save(plain, 'customer.subscription.updated')
  }
  act.save(plain)
  const { proration_behavior: proration, payment_behavior: behavior } = given
  return changePlan(act, plain, { items, trialEnd, anchor, prorationDate, proration, behavior })
}

function plainChanges(act: Act, subscription: Subscription, given: SubscriptionUpdate): Partial<Subscription> {
  const { default_payment_method: card, description, pause_collection: pause, trial_settings } = given
  if (card) needAttached(act, card, subscription.customer, 'default_payment_method')
  return {
    metadata: merged(subscription.metadata, given.metadata),
    ...(card !== undefined && { default_payment_method: card }),
    ...(description !== undefined && { description }),
    ...(pause !== undefined && {
      pause_collection: pause && { behavior: pause.behavior, resumes_at: pause.resumes_at ?? null },
    }),
    ...(trial_settings && { trial_settings }),
  }
}

function endChanges(act: Act, subscription: Subscription, given: SubscriptionUpdate): Partial<Subscription> {
  const { cancel_at: at, cancel_at_period_end: atPeriodEnd, cancellation_details: details } = given
  const now = act.now(subscription.customer)
  const comment = details?.comment ?? subscription.cancellation_details.comment
  if (atPeriodEnd) {
    const ending = endingAt(periodOf(subscription).end, now)
    return { ...ending, cancellation_details: { ...ending.cancellation_details, comment } }
  }
  const isUndone = at === null || (atPeriodEnd === false && subscription.cancel_at_period_end)
  if (isUndone) {
    const none = { comment: null, feedback: null, reason: null }
    return { cancel_at: null, cancel_at_period_end: false, canceled_at: null, cancellation_details: none }
  }
  if (at === undefined) return {}
  return { ...endingAt(at, now), cancel_at_period_end: false }
}
