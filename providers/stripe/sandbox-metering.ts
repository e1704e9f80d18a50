import type { Act } from './sandbox-acts.ts'
import type { LineSource, Period, Subscription, SubscriptionItem } from './sandbox-billing-objects.ts'
import { meterOf } from './sandbox-objects.ts'
import { lineFor } from './sandbox-subscriptions.ts'

/**
 * The lines of a renewal: the period that begins, and what was used in the one that has ended. What comes in the hour before the invoice is final
 * is left out: the sandbox's drafts stay as they are.
 */
export function renewalLines(act: Act, { customer, items }: Subscription, ended: Period, begins: Period): LineSource[] {
  return items.data.map((item) => {
    if (item.price.recurring?.usage_type !== 'metered') return lineFor(item, begins)
    const quantity = usedIn(act, customer, item, ended)
    const amount = (item.price.unit_amount ?? 0) * quantity
    return {
      ...lineFor(item, ended),
      amount,
      quantity,
      description: `${quantity} × ${item.price.nickname ?? item.price.id}`,
    }
  })
}

function usedIn(act: Act, customer: string, { price }: SubscriptionItem, { start, end }: Period): number {
  return act.store
    .list('billing.meter_event')
    .filter(({ event_name: name, payload }) => {
      return meterOf(name) === price.recurring?.meter && payload['stripe_customer_id'] === customer
    })
    .filter(({ timestamp }) => timestamp >= start && timestamp < end)
    .reduce((sum, { payload }) => sum + Number(payload['value']), 0)
}
