import type { Tx } from '../../db/client.ts'
import { listMeters, listPriceSettings } from '../../db/plans.ts'
import type { MeterOfPrice } from '../../workflows/rules/metered-types.ts'
import type { PlanOfPrice } from '../ports.ts'

/**
 * Which plan each price at Stripe stands for, also those that only earlier versions had: somebody may still pay them. `prices`: their ids by
 * the settings that hold them.
 */
export async function planOfPrices(tx: Tx, prices: Readonly<Record<string, string>>): Promise<PlanOfPrice> {
  const plans = new Map<string, { planKey: string }>()
  for (const { setting, planKey } of await listPriceSettings(tx)) {
    const priceId = prices[setting]
    if (priceId !== undefined) plans.set(priceId, { planKey })
  }
  return plans
}

/** What each metered price at Stripe counts, also those that only earlier versions of plans had. */
export async function meterOfPrices(tx: Tx, prices: Readonly<Record<string, string>>): Promise<MeterOfPrice> {
  const meters = new Map<string, { type: string; event: string }>()
  for (const { setting, type, event } of await listMeters(tx)) {
    const priceId = prices[setting]
    if (priceId !== undefined) meters.set(priceId, { type, event })
  }
  return meters
}
