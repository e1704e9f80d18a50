import type { Stripe } from 'stripe'
import type { BillingProvider, ChangePreview, PriceChange } from '../../activities/ports.ts'
import { charged } from './charges.ts'
import { rejected } from './errors.ts'
import type { Call, Session } from './session.ts'
import { money } from './values.ts'

/** What changes of a subscription that there is. */
export function createPlanChanges(session: Session): Pick<BillingProvider, 'previewChange' | 'changePrice' | 'cancel'> {
  return { previewChange, changePrice, cancel }

  async function previewChange(change: PriceChange, signal: AbortSignal): Promise<ChangePreview> {
    const [items, price] = await Promise.all([
      itemsOf(change.subscriptionId, signal),
      session.ask({ about: 'price', signal }, (stripe) => stripe.prices.retrieve(change.priceId)),
    ])
    const invoice = await session.ask({ about: 'subscription', signal }, (stripe) =>
      stripe.invoices.createPreview({
        subscription: change.subscriptionId,
        subscription_details: detailsOf(change, items),
      }),
    )
    const { item } = items
    // Where nothing is due now, it shows the invoice of the next period.
    const dueNow = invoice.lines.data.filter(({ period }) => period.start < item.current_period_end)
    const isAll = dueNow.length === invoice.lines.data.length
    const sum = dueNow.reduce((total, { amount }) => total + amount, 0)
    const { currency } = invoice
    return {
      dueNow: money(isAll ? (invoice.total < 0 ? invoice.total : invoice.amount_due) : sum, currency),
      lines: dueNow.map(({ description, amount }) => ({ text: description ?? '', amount: money(amount, currency) })),
      thenEachPeriod: money((price.unit_amount ?? 0) * (item.quantity ?? 1), price.currency),
    }
  }

  /** One that costs something at once is undone by Stripe where that is not paid. */
  async function changePrice(change: PriceChange, key: string, signal: AbortSignal) {
    const items = await itemsOf(change.subscriptionId, signal)
    const isMade = items.item.price.id === change.priceId && swaps(change, items).length === 0
    // Asked for again it would be another request, which Stripe refuses under the same key.
    if (change.metered && isMade) return { is: 'paid' as const }
    // Stripe credits what remains of a period whether or not it was paid.
    if (change.money === 'with_proration' && !isMade && items.isUnpaid) throw rejected('overdue')
    return charged(async () => {
      await session.act({ about: 'subscription', signal }, key, (stripe, options) =>
        stripe.subscriptions.update(
          change.subscriptionId,
          { ...detailsOf(change, items), payment_behavior: 'error_if_incomplete' },
          options,
        ),
      )
      return { is: 'paid' }
    })
  }

  async function cancel(id: string, when: 'now' | 'period_end' | 'undo', key: string, signal: AbortSignal) {
    const call: Call = { about: 'subscription', signal }
    // Somebody may have done it already; which of the two ends is to be taken back is known by looking only.
    const before = await session.ask(call, (stripe) => stripe.subscriptions.retrieve(id))
    if (isOver(before)) {
      if (when === 'now') return
      throw rejected('no_such_subscription')
    }
    if (when === 'now') {
      await session.ask(call, (stripe) => stripe.subscriptions.cancel(id))
      return
    }
    const { cancel_at: at, cancel_at_period_end: endsWithPeriod } = before
    if (when === 'undo' && at === null && !endsWithPeriod) return
    if (when === 'period_end' && endsWithPeriod) return
    const isDated = when === 'undo' && !endsWithPeriod
    const change: Stripe.SubscriptionUpdateParams = isDated
      ? { cancel_at: '' }
      : { cancel_at_period_end: when === 'period_end' }
    await session.act(call, isDated ? `${key}/date` : key, (stripe, options) =>
      stripe.subscriptions.update(id, change, options),
    )
  }

  /** What a subscription is for, and what is paid by use beside it. */
  async function itemsOf(id: string, signal: AbortSignal): Promise<Items> {
    const subscription = await session.ask({ about: 'subscription', signal }, (stripe) =>
      stripe.subscriptions.retrieve(id, { expand: ['latest_invoice'] }),
    )
    if (isOver(subscription)) throw rejected('no_such_subscription')
    const metered = subscription.items.data.filter(({ price }) => price.recurring?.usage_type === 'metered')
    const [item, ...others] = subscription.items.data.filter((one) => !metered.includes(one))
    if (!item || others.length > 0) throw rejected('several_prices')
    return { item, metered, isUnpaid: isUnpaid(subscription) }
  }
}

interface Items {
  item: Stripe.SubscriptionItem
  metered: Stripe.SubscriptionItem[]
  /** Whether something of it is to be paid yet, be it in an hour. */
  isUnpaid: boolean
}

function isUnpaid({ status, latest_invoice: invoice }: Stripe.Subscription): boolean {
  if (status === 'past_due' || status === 'unpaid') return true
  return invoice !== null && typeof invoice !== 'string' && invoice.status !== 'paid' && invoice.amount_remaining > 0
}

function detailsOf(change: PriceChange, items: Items) {
  return {
    items: [{ id: items.item.id, price: change.priceId }, ...swaps(change, items)],
    proration_behavior: change.money === 'with_proration' ? ('always_invoice' as const) : ('none' as const),
  }
}

/** One metered price takes the place of another, so that what was used of it in the period stays counted. */
function swaps({ metered: change }: PriceChange, { metered }: Items) {
  if (!change) return []
  const { priceIds, of } = change
  const gone = metered.filter(({ price }) => of.includes(price.id) && !priceIds.includes(price.id))
  const come = priceIds.filter((priceId) => !metered.some(({ price }) => price.id === priceId))
  return [
    ...come.map((price, index) => ({ price, ...(gone[index] && { id: gone[index].id }) })),
    ...gone.slice(come.length).map(({ id }) => ({ id, deleted: true })),
  ]
}

const isOver = ({ status }: Stripe.Subscription): boolean => status === 'canceled' || status === 'incomplete_expired'
