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
    const [item, price] = await Promise.all([
      itemOf(change.subscriptionId, signal),
      session.ask({ about: 'price', signal }, (stripe) => stripe.prices.retrieve(change.priceId)),
    ])
    const invoice = await session.ask({ about: 'subscription', signal }, (stripe) =>
      stripe.invoices.createPreview({
        subscription: change.subscriptionId,
        subscription_details: detailsOf(change, item),
      }),
    )
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
    const item = await itemOf(change.subscriptionId, signal)
    return charged(async () => {
      await session.act({ about: 'subscription', signal }, key, (stripe, options) =>
        stripe.subscriptions.update(
          change.subscriptionId,
          { ...detailsOf(change, item), payment_behavior: 'error_if_incomplete' },
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

  /** What a subscription is for; what is paid by use beside it stays. */
  async function itemOf(id: string, signal: AbortSignal): Promise<Stripe.SubscriptionItem> {
    const subscription = await session.ask({ about: 'subscription', signal }, (stripe) =>
      stripe.subscriptions.retrieve(id),
    )
    if (isOver(subscription)) throw rejected('no_such_subscription')
    const [item, ...others] = subscription.items.data.filter(({ price }) => price.recurring?.usage_type !== 'metered')
    if (!item || others.length > 0) throw rejected('several_prices')
    return item
  }
}

function detailsOf({ priceId, money: how }: PriceChange, { id }: Stripe.SubscriptionItem) {
  return {
    items: [{ id, price: priceId }],
    proration_behavior: how === 'with_proration' ? ('always_invoice' as const) : ('none' as const),
  }
}

const isOver = ({ status }: Stripe.Subscription): boolean => status === 'canceled' || status === 'incomplete_expired'
