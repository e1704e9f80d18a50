import type { ActEnd } from '../../db/billing-acts.ts'
import { findStripeCustomer } from '../../db/stripe-customers.ts'
import type { Act } from '../../workflows/contracts/subscriptions.ts'
import { isUnconfirmed } from '../ports.ts'
import { chargeEnd } from './charge-ends.ts'
import type { BillingWorld } from './look.ts'
import { priceOf } from './plan-changes.ts'

type TopUp = Extract<Act, { is: 'top_up' }>

/**
 * Buys credits that have run low. One whose outcome is unknown counts as failed, since another under a new key could be paid beside it; if it was
 * paid after all, the next look brings its credits. Throws ProviderError.
 */
export async function topUp(
  { billing, database, prices }: BillingWorld,
  { organisationId, act, key, signal }: { organisationId: string; act: TopUp; key: string; signal: AbortSignal },
): Promise<ActEnd> {
  const { customerId, priceId } = await database.as(organisationId, async (tx) => ({
    customerId: await findStripeCustomer(tx),
    priceId: await priceOf(tx, act, prices),
  }))
  if (customerId === null || priceId === undefined) return { status: 'failed', outcome: 'no_such_price' }
  try {
    return chargeEnd(await billing.buyNow({ customerId, priceId, quantity: act.quantity }, key, signal))
  } catch (error) {
    if (!isUnconfirmed(error)) throw error
    return { status: 'failed', outcome: 'unconfirmed' }
  }
}
