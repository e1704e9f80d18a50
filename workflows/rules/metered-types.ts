import type { MeteredType } from '../contracts/credits.ts'
import type { BillingDecision, BillingFacts } from '../contracts/subscriptions.ts'

/** By the id of a metered price, the type that it counts and the event that tells of it. */
export type MeterOfPrice = ReadonlyMap<string, MeteredType>

/**
 * The types of which what credits do not cover is metered: those that a subscription has a metered price for at Stripe, where it would be
 * invoiced, and only while that is to be expected: with full access, and not in a trial, whose use Stripe gives away. Of several meters of a
 * type the oldest subscription's counts, so that no use is paid twice.
 */
export function decideMeteredTypes(
  { subscriptions }: Pick<BillingFacts, 'subscriptions'>,
  decision: Pick<BillingDecision, 'subscriptions'>,
  meters: MeterOfPrice,
): MeteredType[] {
  const paying = new Set(
    decision.subscriptions.flatMap(({ id, state, access }) => (access === 'full' && state !== 'trialing' ? [id] : [])),
  )
  const byType = new Map<string, MeteredType>()
  for (const { id, meteredPriceIds = [] } of subscriptions.toSorted(byAge)) {
    for (const meter of paying.has(id) ? meteredPriceIds.flatMap((priceId) => meters.get(priceId) ?? []) : []) {
      if (!byType.has(meter.type)) byType.set(meter.type, meter)
    }
  }
  return [...byType.values()]
}

function byAge(one: BillingFacts['subscriptions'][number], other: typeof one): number {
  return one.startedAt - other.startedAt || (one.id < other.id ? -1 : 1)
}
