import type { Act } from './sandbox-acts.ts'
import type { Invoice, Subscription, SubscriptionStatus } from './sandbox-billing-objects.ts'
import { day } from './sandbox-values.ts'

/** What the payment of an invoice means for its subscription. */
export function afterPayment(act: Act, invoice: Invoice): void {
  const subscription = subscriptionOf(act, invoice)
  if (!subscription || subscription.latest_invoice !== invoice.id) return
  const { pending_update: pending, status } = subscription
  if (pending) {
    const items = { ...subscription.items, data: pending.subscription_items }
    const applied: Subscription = { ...subscription, items, pending_update: null }
    act.save(applied, 'customer.subscription.updated', 'customer.subscription.pending_update_applied')
  } else if (status === 'incomplete' || status === 'past_due' || status === 'unpaid') {
    moveTo(act, subscription, 'active')
  }
}

/** Of a voided invoice nothing is overdue any more, nor of one that is written off. */
export function afterClosing(act: Act, invoice: Invoice): void {
  const subscription = subscriptionOf(act, invoice)
  if (subscription?.latest_invoice !== invoice.id) return
  if (subscription.status === 'past_due' || subscription.status === 'unpaid') moveTo(act, subscription, 'active')
}

/**
 * A first payment is not tried again by itself, any other by the account's schedule, which somebody's own attempts leave as it is. Returns the
 * invoice.
 */
export function afterFailure(act: Act, tried: Invoice): Invoice {
  const subscription = subscriptionOf(act, tried)
  const { auto_advance: isAutomatic, billing_reason: reason } = tried
  const isRetried = isAutomatic && reason !== 'subscription_create' && subscription?.pending_update === null
  const next = isRetried ? (tried.next_payment_attempt ?? nextAttempt(act, tried)) : null
  const failed = act.save({ ...tried, next_payment_attempt: next }, 'invoice.updated', 'invoice.payment_failed')
  if (!isRetried || subscription === undefined) return failed
  // As a payment does, a failure says how it stands with the subscription only where its invoice is the latest.
  const isLate = subscription.status === 'active' && subscription.latest_invoice === tried.id
  const late = isLate ? moveTo(act, subscription, 'past_due') : subscription
  if (next === null) giveUp(act, late)
  return failed
}

/** Null after the last one. Unix seconds. */
export function nextAttempt(act: Act, { attempt_count, status_transitions, created }: Invoice): number | null {
  const days = act.settings.retryDays[attempt_count - 1]
  return days === undefined ? null : (status_transitions.finalized_at ?? created) + days * day
}

/** As the account has it for payments that have failed to the last. */
export function giveUp(act: Act, subscription: Subscription): void {
  if (subscription.status !== 'past_due') return
  const { afterRetries } = act.settings
  if (afterRetries === 'cancel') end(act, subscription, 'payment_failed')
  else if (afterRetries === 'unpaid') moveTo(act, subscription, 'unpaid')
}

function moveTo(act: Act, subscription: Subscription, status: SubscriptionStatus): Subscription {
  return act.save({ ...subscription, status }, 'customer.subscription.updated')
}

type EndReason = 'cancellation_requested' | 'payment_failed'

/** For good; what is still open of it is no longer collected by itself. */
export function end(act: Act, subscription: Subscription, reason: EndReason): Subscription {
  const now = act.now(subscription.customer)
  for (const invoice of act.store.list('invoice', subscription.customer)) {
    const isCollected = invoice.auto_advance && (invoice.status === 'draft' || invoice.status === 'open')
    if (subscriptionOf(act, invoice)?.id !== subscription.id || !isCollected) continue
    const stopped = { auto_advance: false, automatically_finalizes_at: null, next_payment_attempt: null }
    act.save({ ...invoice, ...stopped }, 'invoice.updated')
  }
  const ended: Subscription = {
    ...subscription,
    canceled_at: subscription.canceled_at ?? now,
    cancellation_details: { ...subscription.cancellation_details, reason },
    ended_at: now,
    pending_update: null,
    status: 'canceled',
  }
  return act.save(ended, 'customer.subscription.deleted')
}

export function subscriptionOf(act: Act, invoice: Invoice): Subscription | undefined {
  const id = invoice.parent?.subscription_details.subscription
  return id === undefined ? undefined : act.store.get('subscription', id)
}
