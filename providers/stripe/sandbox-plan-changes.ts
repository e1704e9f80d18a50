import type { Act } from './sandbox-acts.ts'
import {
  type Invoice,
  type LineSource,
  newInvoiceItem,
  newSubscriptionItem,
  type PaymentBehavior,
  type Period,
  type Subscription,
  type SubscriptionItem,
} from './sandbox-billing-objects.ts'
import { incompleteSeconds, periodOf } from './sandbox-due.ts'
import { collect, draftInvoice, finalize } from './sandbox-invoices.ts'
import { periodAt, shareOf } from './sandbox-periods.ts'
import { declined, invalid } from './sandbox-refusals.ts'
import { asksForPerson, costOf, lineFor, recurringPrice, sameInterval } from './sandbox-subscriptions.ts'
import type { Metadata } from './sandbox-values.ts'

interface ItemChange {
  id?: string | undefined
  price?: string | undefined
  quantity?: number | undefined
  deleted?: boolean | undefined
  metadata?: Metadata | undefined
}

export interface PlanChange {
  items?: ItemChange[] | undefined
  proration: 'create_prorations' | 'always_invoice' | 'none'
  /** Unix seconds. */
  prorationDate?: number | undefined
  behavior: PaymentBehavior
  /** A later end of the trial, or now. */
  trialEnd?: number | 'now' | undefined
  anchor?: 'now' | 'unchanged' | undefined
}

interface Changed {
  subscription: Subscription
  /** To be paid now; null: nothing is, or not yet. */
  invoice: Invoice | null
}

/** Changes what is subscribed to, and charges what is due for it now; if that fails, what then holds is as `behavior` says. */
export function changePlan(act: Act, before: Subscription, change: PlanChange): Subscription {
  const { subscription, invoice } = applyPlan(act, before, change)
  if (invoice === null) return subscription
  const open = finalize(act, invoice)
  if (open.status !== 'open' || change.behavior === 'default_incomplete') return act.need('subscription', before.id)
  const { error, intent } = collect(act, open, { isPersonThere: true, isScheduled: true })
  const isUnpaid = error !== null || intent?.status === 'requires_action'
  if (isUnpaid && change.behavior === 'error_if_incomplete') {
    throw declined(error ?? asksForPerson, intent, false)
  }
  return act.need('subscription', before.id)
}

/** The change, and a draft of what is due for it now. */
export function applyPlan(act: Act, before: Subscription, change: PlanChange): Changed {
  const now = act.now(before.customer)
  const items = itemsAfter(act, before, change.items ?? [], now)
  const rhythm = sameInterval(items.map(({ price }) => price))
  const isTrial = before.status === 'trialing'
  const endsTrial = isTrial && change.trialEnd === 'now'
  const isNewRhythm = !isSameRhythm(before, rhythm.recurring) && !isTrial
  const restarts = change.anchor === 'now' || isNewRhythm || endsTrial
  const period = periodAfter(before, change, { restarts, now, rhythm })
  const after: Subscription = {
    ...before,
    ...(restarts && { billing_cycle_anchor: now }),
    ...(endsTrial && { trial_end: now, status: 'active' }),
    ...(typeof change.trialEnd === 'number' && trialUntil(before, change.trialEnd, now)),
    items: { ...before.items, data: items.map((item) => within(item, period)) },
  }
  const at = change.prorationDate ?? now
  const prorations = isTrial || change.proration === 'none' ? [] : prorationsOf(before, after, at, restarts)
  const clock = before.test_clock
  for (const source of prorations) {
    act.save(newInvoiceItem(at, { customer: before.customer, testClock: clock, source }), 'invoiceitem.created')
  }
  const isDue = restarts || (change.proration === 'always_invoice' && prorations.length > 0)
  if (!isDue) return { subscription: act.save(after, 'customer.subscription.updated'), invoice: null }
  return charged(act, before, after, change, restarts ? period : null)
}

/** What is due now, for the changed subscription; one that waits for its payment stays as it was until then. */
function charged(
  act: Act,
  before: Subscription,
  after: Subscription,
  change: PlanChange,
  whole: Period | null,
): Changed {
  const now = act.now(before.customer)
  const lines = whole ? after.items.data.map((item) => lineFor(item, whole)) : []
  const draft = {
    subscription: after,
    reason: 'subscription_update' as const,
    lines,
    period: periodOf(after),
    finalizesAt: now,
  }
  const invoice = draftInvoice(act, draft)
  const waits = change.behavior === 'pending_if_incomplete' && invoice.amount_due > 0
  const pending = {
    billing_cycle_anchor: null,
    expires_at: now + incompleteSeconds,
    subscription_items: after.items.data,
    trial_end: null,
    trial_from_plan: null,
  }
  const subscription = waits ? { ...before, pending_update: pending } : after
  const saved = act.save({ ...subscription, latest_invoice: invoice.id }, 'customer.subscription.updated')
  return { subscription: saved, invoice }
}

function trialUntil({ trial_start }: Subscription, end: number, now: number): Partial<Subscription> {
  if (end <= now) throw invalid('Trial end must be in the future.', { param: 'trial_end' })
  return { billing_cycle_anchor: end, trial_end: end, trial_start: trial_start ?? now, status: 'trialing' }
}

function itemsAfter(act: Act, { id, items }: Subscription, changes: ItemChange[], now: number): SubscriptionItem[] {
  const kept = items.data.flatMap((item) => {
    const change = changes.find((one) => one.id === item.id)
    if (!change) return [item]
    if (change.deleted) return []
    const price = change.price === undefined ? item.price : recurringPrice(act, change.price, 'items[0][price]')
    const metadata = { ...item.metadata, ...change.metadata }
    return [{ ...item, price, quantity: change.quantity ?? item.quantity, metadata }]
  })
  const unknown = changes.find((one) => one.id !== undefined && !items.data.some((item) => item.id === one.id))
  if (unknown?.id)
    throw invalid(`No such subscription item: '${unknown.id}'`, { code: 'resource_missing', param: 'items[0][id]' })
  const [period] = items.data.map((item) => ({ start: item.current_period_start, end: item.current_period_end }))
  const added = changes.flatMap(({ id: itemId, price, quantity = 1, metadata }) => {
    if (itemId !== undefined || price === undefined) return []
    const about = { subscription: id, quantity, period: period ?? { start: now, end: now }, metadata }
    return [newSubscriptionItem(now, { ...about, price: recurringPrice(act, price, 'items[0][price]') })]
  })
  return [...kept, ...added]
}

interface Rhythm {
  restarts: boolean
  now: number
  rhythm: SubscriptionItem['price']
}

function periodAfter(before: Subscription, { trialEnd }: PlanChange, { restarts, now, rhythm }: Rhythm): Period {
  const period = periodOf(before)
  if (typeof trialEnd === 'number') return { start: before.status === 'trialing' ? period.start : now, end: trialEnd }
  return restarts ? periodAt(now, rhythm, now) : period
}

function within(item: SubscriptionItem, { start, end }: Period): SubscriptionItem {
  return { ...item, current_period_start: start, current_period_end: end }
}

function isSameRhythm({ items }: Subscription, rhythm: SubscriptionItem['price']['recurring']): boolean {
  const now = items.data[0]?.price.recurring
  return now?.interval === rhythm?.interval && now?.interval_count === rhythm?.interval_count
}

/** What is given back of the old, and asked for of the new unless that is charged whole. */
function prorationsOf(before: Subscription, after: Subscription, at: number, restarts: boolean): LineSource[] {
  const period = periodOf(before)
  const rest = { start: at, end: period.end }
  const isKept = (item: SubscriptionItem, others: SubscriptionItem[]) =>
    !restarts &&
    others.some(({ id, price, quantity }) => id === item.id && price.id === item.price.id && quantity === item.quantity)
  const line = (item: SubscriptionItem, amount: number, words: string): LineSource => ({
    ...lineFor(item, rest),
    amount,
    description: `${words} time on ${item.quantity} × ${item.price.nickname ?? item.price.id}`,
    isProration: true,
  })
  const left = before.items.data
    .filter((item) => !isKept(item, after.items.data))
    .map((item) => line(item, -shareOf(costOf(item), period, at), 'Unused'))
  const come = after.items.data
    .filter((item) => !restarts && !isKept(item, before.items.data))
    .map((item) => line(item, shareOf(costOf(item), period, at), 'Remaining'))
  return [...left, ...come].filter(({ amount }) => amount !== 0)
}
