import type { Act } from './sandbox-acts.ts'
import {
  type Invoice,
  type LineSource,
  type MissingPaymentMethod,
  newSubscription,
  newSubscriptionItem,
  type PaymentBehavior,
  type Period,
  type Subscription,
  type SubscriptionItem,
} from './sandbox-billing-objects.ts'
import { collect, draftInvoice, finalize } from './sandbox-invoices.ts'
import type { PaymentMethod, Price } from './sandbox-objects.ts'
import { defaultMethod, needAttached } from './sandbox-payments.ts'
import { periodAt } from './sandbox-periods.ts'
import { declined, invalid } from './sandbox-refusals.ts'
import { type Metadata, newId } from './sandbox-values.ts'

export interface NewSubscription {
  customer: string
  items: { price: string; quantity?: number | undefined; metadata?: Metadata | undefined }[]
  /** Unix seconds; null: none. */
  trialEnd: number | null
  defaultPaymentMethod?: string | undefined
  behavior: PaymentBehavior
  missingPaymentMethod?: MissingPaymentMethod | undefined
  metadata?: Metadata | undefined
  description?: string | undefined
  cancelAtPeriodEnd?: boolean | undefined
  /** At the checkout or on the page; else the bank cannot ask. */
  isPersonThere: boolean
}

/** Begins with a trial, or with a first payment that decides whether it begins. */
export function subscribe(act: Act, given: NewSubscription): Subscription {
  const { customer: customerId, trialEnd } = given
  const customer = act.need('customer', customerId, 'customer')
  const now = act.now(customerId)
  if (trialEnd !== null && trialEnd <= now) throw invalid('Trial end must be in the future.', { param: 'trial_end' })
  const method = given.defaultPaymentMethod
    ? needAttached(act, given.defaultPaymentMethod, customerId, 'default_payment_method')
    : null
  const needsMethod = trialEnd === null && given.behavior !== 'default_incomplete'
  if (needsMethod && !method && !defaultMethod(act, customerId)) throw nothingToPayBy
  const id = newId('sub')
  const priced = given.items.map((item, index) => ({
    ...item,
    price: recurringPrice(act, item.price, `items[${index}][price]`),
  }))
  const prices = sameInterval(priced.map(({ price }) => price))
  const anchor = trialEnd ?? now
  const period = trialEnd === null ? periodAt(anchor, prices, now) : { start: now, end: trialEnd }
  const items = priced.map(({ price, quantity = 1, metadata }) =>
    newSubscriptionItem(now, { subscription: id, price, quantity, period, metadata }),
  )
  const made = newSubscription(now, {
    id,
    customer: customerId,
    currency: prices.currency,
    items,
    anchor,
    trialEnd,
    defaultPaymentMethod: method?.id ?? null,
    metadata: given.metadata ?? {},
    description: given.description ?? null,
    missingPaymentMethod: given.missingPaymentMethod ?? 'create_invoice',
    testClock: customer.test_clock,
  })
  const cancelled = given.cancelAtPeriodEnd ? { ...made, ...endingAt(period.end, now) } : made
  const isPaidFirst = trialEnd === null
  const begun: Subscription = { ...cancelled, status: isPaidFirst ? 'incomplete' : 'trialing' }
  const lines = items.map((item) => (isPaidFirst ? lineFor(item, period) : trialLine(item, period)))
  act.save(begun)
  const draft = draftInvoice(act, {
    subscription: begun,
    reason: 'subscription_create',
    lines,
    period,
    finalizesAt: now,
  })
  const subscription = act.save({ ...begun, latest_invoice: draft.id }, 'customer.subscription.created')
  collectFirst(act, finalize(act, draft), given, method)
  return act.need('subscription', subscription.id)
}

function collectFirst(
  act: Act,
  invoice: Invoice,
  { behavior, isPersonThere }: NewSubscription,
  method: PaymentMethod | null,
) {
  if (invoice.status !== 'open' || behavior === 'default_incomplete') return
  const { error, intent } = collect(act, invoice, { method: method ?? undefined, isPersonThere, isScheduled: true })
  const isUnpaid = error !== null || intent?.status === 'requires_action'
  if (isUnpaid && behavior === 'error_if_incomplete') throw declined(error ?? asksForPerson, intent, false)
}

/** To whoever wants no subscription, and no change of one, that is not paid. */
export const asksForPerson = {
  type: 'card_error' as const,
  code: 'subscription_payment_intent_requires_action',
  message: 'Payment for this subscription requires additional user action before it can be completed successfully.',
}

const nothingToPayBy = invalid(
  'This customer has no attached payment source or default payment method. Please consider adding a default payment method.',
  { code: 'resource_missing' },
)

/** Null where it is active again at once. */
export function endingAt(at: number, now: number) {
  const details = { comment: null, feedback: null, reason: 'cancellation_requested' }
  return { cancel_at: at, cancel_at_period_end: true, canceled_at: now, cancellation_details: details }
}

export function recurringPrice(act: Act, id: string, param: string): Price {
  const price = act.need('price', id, param)
  if (!price.active) throw invalid('The price specified is inactive. This field only accepts active prices.', { param })
  if (price.recurring === null) {
    throw invalid(
      'The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.',
      { param },
    )
  }
  return price
}

/** Any of the prices, which must all be due together. */
export function sameInterval(prices: Price[]): Price {
  const [first, ...others] = prices
  if (!first) throw invalid('Missing required param: items.', { code: 'parameter_missing', param: 'items' })
  const rhythm = ({ recurring, currency }: Price) => `${recurring?.interval}/${recurring?.interval_count}/${currency}`
  if (others.some((other) => rhythm(other) !== rhythm(first))) {
    throw invalid('Currency and interval fields must match across all prices on this subscription.', { param: 'items' })
  }
  return first
}

/** What an item costs in advance for a whole period: nothing where it is paid by use. */
export function costOf({ price, quantity }: SubscriptionItem): number {
  return price.recurring?.usage_type === 'metered' ? 0 : (price.unit_amount ?? 0) * quantity
}

/** A period of an item, whole and in advance. */
export function lineFor(item: SubscriptionItem, period: Period): LineSource {
  const { price, quantity, subscription, id } = item
  const amount = costOf(item)
  const each = `${((price.unit_amount ?? 0) / 100).toFixed(2)} ${price.currency.toUpperCase()}`
  const description = `${quantity} × ${price.nickname ?? price.id} (at ${each} / ${price.recurring?.interval})`
  return { amount, description, price, quantity, period, isProration: false, of: { subscription, item: id } }
}

function trialLine(item: SubscriptionItem, period: Period): LineSource {
  return {
    ...lineFor(item, period),
    amount: 0,
    description: `Trial period for ${item.price.nickname ?? item.price.id}`,
  }
}

/** One that paused at the end of its trial goes on when its invoice is paid. */
export function resume(act: Act, paused: Subscription): Subscription {
  if (paused.status !== 'paused') throw invalid('Only paused subscriptions can be resumed.')
  const now = act.now(paused.customer)
  const rhythm = sameInterval(paused.items.data.map(({ price }) => price))
  const period = periodAt(now, rhythm, now)
  const times = { current_period_start: period.start, current_period_end: period.end }
  const items = { ...paused.items, data: paused.items.data.map((item) => ({ ...item, ...times })) }
  const resumed: Subscription = { ...paused, billing_cycle_anchor: now, items, status: 'active' }
  const lines = items.data.map((item) => lineFor(item, period))
  const invoice = draftInvoice(act, {
    subscription: resumed,
    reason: 'subscription_cycle',
    lines,
    period,
    finalizesAt: now,
  })
  act.save({ ...resumed, latest_invoice: invoice.id }, 'customer.subscription.updated', 'customer.subscription.resumed')
  const { error, intent } = collect(act, finalize(act, invoice), { isPersonThere: true, isScheduled: true })
  if (error) throw declined(error, intent, false)
  return act.need('subscription', paused.id)
}
