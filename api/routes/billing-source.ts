import type { BillingProvider } from '../../activities/ports.ts'
import { Problem } from '../problem.ts'

/** Who takes money; null: nobody, since the setting for it is missing. */
export type BillingSource = BillingProvider | null

export function billingOf(source: BillingSource): BillingProvider {
  if (source !== null) return source
  throw new Problem('not_allowed_now', 'STRIPE_SECRET_KEY is missing: nothing can be bought or changed.')
}
