import type { MeteredType } from '../workflows/contracts/credits.ts'
import type { Tx } from './client.ts'
import { listMeters, listPriceSettings } from './plans.ts'

/**
 * Which plan each price at Stripe stands for, also those that only earlier versions had: somebody may still pay them. `prices`: their ids by
 * the settings that hold them.
 */
export async function planOfPrices(
  tx: Tx,
  prices: Readonly<Record<string, string>>,
): Promise<ReadonlyMap<string, { planKey: string }>> {
  const plans = new Map<string, { planKey: string }>()
  for (const { setting, planKey } of await listPriceSettings(tx)) {
    const priceId = prices[setting]
    if (priceId !== undefined) plans.set(priceId, { planKey })
  }
  return plans
}

/** What each metered price at Stripe counts, also those that only earlier versions of plans had. */
export async function meterOfPrices(
  tx: Tx,
  prices: Readonly<Record<string, string>>,
): Promise<ReadonlyMap<string, MeteredType>> {
  const meters = new Map<string, MeteredType>()
  for (const { setting, type, event } of await listMeters(tx)) {
    const priceId = prices[setting]
    if (priceId !== undefined) meters.set(priceId, { type, event })
  }
  return meters
}
