import type { Tx } from '../../db/client.ts'
import { listPriceSettings } from '../../db/plans.ts'
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
