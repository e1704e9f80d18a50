import type { Stripe } from 'stripe'
import type { PaidLine, PlanOfPrice } from '../../activities/ports.ts'
import type { Account, Invoiced } from './account.ts'
import { idOf, ms } from './values.ts'

/** The mark, in an invoice's metadata, of what was bought by itself because credits ran low. */
export const topUpMark = { source: 'top_up' } as const

type Rhythm = 'P1M' | 'P1Y'

/** Of the two that there are, the nearer one. */
export function rhythmOf({ recurring }: Stripe.Price): Rhythm {
  const { interval = 'month', interval_count: count = 1 } = recurring ?? {}
  return interval === 'year' || (interval === 'month' && count >= 12) ? 'P1Y' : 'P1M'
}

/**
 * Reads what the lines of invoices and checkouts were for. A line names its price and nothing of it, so the account's other objects tell: its
 * subscriptions how often it is paid, and which period a part is a part of.
 */
export function createLineReader(account: Account, plans: PlanOfPrice) {
  const rhythms = new Map(
    account.subscriptions.flatMap(({ items }) => items.map(({ price }) => [price.id, rhythmOf(price)])),
  )
  const anchors = new Map(
    account.subscriptions.map(({ subscription }) => [subscription.id, subscription.billing_cycle_anchor]),
  )
  const starts = wholePeriods(account)
  const planKey = (price: string) => plans.get(price)?.planKey ?? price

  return {
    ofInvoice: ({ invoice, lines }: Invoiced): PaidLine[] =>
      lines.flatMap((line): PaidLine[] => {
        const price = line.pricing?.price_details?.price
        if (price === undefined) return []
        return [paidLine(line, idOf(price), invoice.metadata?.source === topUpMark.source)]
      }),

    ofCheckout: (lines: readonly Stripe.LineItem[]): PaidLine[] =>
      lines.flatMap(({ price, quantity }) => (price ? [once(price.id, quantity ?? 1, false)] : [])),
  }

  function once(price: string, quantity: number, isTopUp: boolean): PaidLine {
    const source = isTopUp ? 'top_up' : 'purchase'
    return { planKey: planKey(price), quantity, subscription: null, share: 1, source }
  }

  function paidLine(line: Stripe.InvoiceLineItem, price: string, isTopUp: boolean): PaidLine {
    const quantity = line.quantity ?? 1
    const of = periodical(line)
    if (of === null) return once(price, quantity, isTopUp)
    const { start, end } = line.period
    const whole = starts.get(`${of.subscription}/${end}`)
    const every = rhythms.get(price) ?? (end - (whole ?? start) > halfYear ? 'P1Y' : 'P1M')
    return {
      planKey: planKey(price),
      quantity,
      subscription: {
        id: of.subscription,
        every,
        anchoredAt: ms(anchorOf(of.subscription, end)),
        period: { startsAt: ms(start), endsAt: ms(end) },
      },
      share: of.isPart ? signOf(line) * Math.min(1, (end - start) / (end - (whole ?? monthsBefore(end, every)))) : 1,
      source: 'plan',
    }
  }

  /** From what its periods are counted; one that was begun anew since then counted from something else. */
  function anchorOf(subscription: string, end: number): number {
    return Math.min(anchors.get(subscription) ?? end, end)
  }
}

const halfYear = 180 * 86_400

interface Periodical {
  subscription: string
  isPart: boolean
}

/** Null where it was bought once, be it on a subscription's invoice. Parts come as items of a subscription or, from accounts that bill as before, of an invoice. */
function periodical({ parent }: Stripe.InvoiceLineItem): Periodical | null {
  const ofSubscription = parent?.subscription_item_details
  if (ofSubscription?.subscription) {
    return { subscription: ofSubscription.subscription, isPart: ofSubscription.proration }
  }
  const ofInvoice = parent?.invoice_item_details
  if (!ofInvoice?.subscription || !ofInvoice.proration) return null
  return { subscription: ofInvoice.subscription, isPart: true }
}

/** By subscription and end, when a period began: of those that were charged whole, and of those that run. In unix seconds. */
function wholePeriods({ subscriptions, paidInvoices, openInvoices }: Account): ReadonlyMap<string, number> {
  const starts = new Map<string, number>()
  const learn = (subscription: string, { start, end }: { start: number; end: number }) => {
    const key = `${subscription}/${end}`
    starts.set(key, Math.min(starts.get(key) ?? start, start))
  }
  for (const { subscription, items } of subscriptions) {
    for (const { current_period_start: start, current_period_end: end } of items) learn(subscription.id, { start, end })
  }
  for (const line of [...paidInvoices, ...openInvoices].flatMap(({ lines }) => lines)) {
    const of = periodical(line)
    if (of && !of.isPart) learn(of.subscription, line.period)
  }
  return starts
}

/** A part is charged for or, of what one has left, credited: by time, since amounts have discounts in them. */
function signOf({ amount, parent }: Stripe.InvoiceLineItem): number {
  const details = parent?.subscription_item_details ?? parent?.invoice_item_details
  return details?.proration_details?.credited_items ? -1 : Math.sign(amount)
}

/** On the same day of the month, or its last. */
function monthsBefore(end: number, every: Rhythm): number {
  const from = new Date(ms(end))
  const month = from.getUTCMonth() - (every === 'P1Y' ? 12 : 1)
  const lastDay = new Date(Date.UTC(from.getUTCFullYear(), month + 1, 0)).getUTCDate()
  return new Date(from).setUTCMonth(month, Math.min(from.getUTCDate(), lastDay)) / 1_000
}
