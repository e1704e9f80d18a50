import type { Act } from './sandbox-acts.ts'
import type { Invoice, Subscription } from './sandbox-billing-objects.ts'
import type { CheckoutSession } from './sandbox-checkout-objects.ts'
import { closeDispute } from './sandbox-disputes.ts'
import { nextStepOf, periodOf, type SubscriptionStep } from './sandbox-due.ts'
import { close, collect, draftInvoice, draftSeconds, finalize, retry } from './sandbox-invoices.ts'
import { renewalLines } from './sandbox-metering.ts'
import { defaultMethod } from './sandbox-payments.ts'
import { periodAt } from './sandbox-periods.ts'
import { end, subscriptionOf } from './sandbox-statuses.ts'
import type { StripeObject } from './sandbox-store.ts'
import { sameInterval } from './sandbox-subscriptions.ts'
import { own } from './sandbox-values.ts'

/** Has all happen that is due by then by a clock (empty: the sandbox's own), each at its time. */
export function catchUp(act: Act, clock: string, until: number): void {
  for (let due = act.store.nextDue(clock, until); due; due = act.store.nextDue(clock, until)) {
    const { object, at } = due
    act.at(at, () => step(act, object))
    // A step that leaves its object due would be taken for ever.
    if (act.store.nextDue(clock, until)?.object === object) throw new Error(`${object.object} is due at ${at} again`)
  }
}

function step(act: Act, object: StripeObject): void {
  if (object.object === 'subscription') stepSubscription(act, object)
  else if (object.object === 'invoice') stepInvoice(act, object)
  else if (object.object === 'dispute') lapse(act, object)
  else if (object.object === 'checkout.session') expireSession(act, object)
}

export function expireSession(act: Act, session: CheckoutSession): CheckoutSession {
  return act.save<CheckoutSession>({ ...session, status: 'expired', url: null }, 'checkout.session.expired')
}

function lapse(act: Act, dispute: Extract<StripeObject, { object: 'dispute' }>): void {
  closeDispute(act, { ...dispute, evidence_details: { ...dispute.evidence_details, past_due: true } }, 'lost')
}

function stepInvoice(act: Act, invoice: Invoice): void {
  if (invoice.status === 'open') return retry(act, invoice)
  const open = finalize(act, invoice)
  if (open.status !== 'open') return
  const paused = subscriptionOf(act, invoice)?.pause_collection?.behavior
  if (paused === 'void') close(act, open, 'void')
  else if (paused === 'mark_uncollectible') close(act, open, 'uncollectible')
  else collect(act, open, { isPersonThere: false, isScheduled: true })
}

function stepSubscription(act: Act, subscription: Subscription): void {
  const next = nextStepOf(subscription)
  if (next) steps[next.step](act, subscription)
}

const steps: Record<SubscriptionStep, (act: Act, subscription: Subscription) => void> = {
  tellTrialEnd,
  endTrial,
  tellRenewal,
  renew,
  cancel: (act, subscription) => void end(act, subscription, 'cancellation_requested'),
  expire,
  dropPendingUpdate,
}

function tellTrialEnd(act: Act, subscription: Subscription): void {
  const told = { ...subscription[own], hasToldTrialEnd: true }
  act.save({ ...subscription, [own]: told }, 'customer.subscription.trial_will_end')
}

function tellRenewal(act: Act, subscription: Subscription): void {
  act.save({ ...subscription, [own]: { ...subscription[own], toldRenewalOf: periodOf(subscription).end } })
  act.tell('invoice.upcoming', upcomingInvoice(act, subscription))
}

/** Where nothing is there to pay by, the subscription itself says what then. */
function endTrial(act: Act, subscription: Subscription): void {
  const behavior = subscription.trial_settings.end_behavior.missing_payment_method
  const canPay = defaultMethod(act, subscription.customer, subscription.default_payment_method) !== null
  if (canPay || behavior === 'create_invoice') renew(act, { ...subscription, status: 'active' })
  else if (behavior === 'cancel') end(act, subscription, 'payment_failed')
  else act.save({ ...subscription, status: 'paused' }, 'customer.subscription.updated', 'customer.subscription.paused')
}

/** The next period begins; its invoice is collected an hour later, and not at all while the subscription is unpaid. */
function renew(act: Act, subscription: Subscription): void {
  const renewed = inNextPeriod(subscription)
  const { pause_collection: pause, status, customer } = subscription
  const isCollected = status !== 'unpaid' && pause?.behavior !== 'keep_as_draft'
  const invoice = draftRenewal(act, subscription, renewed, isCollected ? act.now(customer) + draftSeconds : null)
  act.save({ ...renewed, latest_invoice: invoice.id }, 'customer.subscription.updated')
}

/** Of the period that begins, told with the one that ends. */
function draftRenewal(act: Act, before: Subscription, renewed: Subscription, finalizesAt: number | null): Invoice {
  return draftInvoice(act, {
    subscription: renewed,
    reason: 'subscription_cycle',
    lines: renewalLines(act, renewed, periodOf(before), periodOf(renewed)),
    period: periodOf(before),
    finalizesAt,
  })
}

function inNextPeriod(subscription: Subscription): Subscription {
  const rhythm = sameInterval(subscription.items.data.map(({ price }) => price))
  const { start, end: until } = periodAt(subscription.billing_cycle_anchor, rhythm, periodOf(subscription).end)
  const data = subscription.items.data.map((item) => ({
    ...item,
    current_period_start: start,
    current_period_end: until,
  }))
  return { ...subscription, items: { ...subscription.items, data } }
}

/** The next renewal's invoice, as it would be now; kept nowhere. */
export function upcomingInvoice(act: Act, subscription: Subscription): Invoice {
  return act.pretend(() => draftRenewal(act, subscription, inNextPeriod(subscription), null))
}

/** Nobody has paid the first invoice in time. */
function expire(act: Act, subscription: Subscription): void {
  act.save(
    { ...subscription, status: 'incomplete_expired', ended_at: act.now(subscription.customer) },
    'customer.subscription.updated',
  )
  voidLatest(act, subscription)
}

function dropPendingUpdate(act: Act, subscription: Subscription): void {
  const dropped: Subscription = { ...subscription, pending_update: null }
  act.save(dropped, 'customer.subscription.updated', 'customer.subscription.pending_update_expired')
  voidLatest(act, subscription)
}

function voidLatest(act: Act, { latest_invoice: id }: Subscription): void {
  const invoice = id === null ? undefined : act.store.get('invoice', id)
  if (invoice?.status === 'open') close(act, invoice, 'void')
}
