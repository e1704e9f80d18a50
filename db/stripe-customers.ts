import type { Tx } from './client.ts'

/** Which customer at Stripe the organisation is; null: it has not taken a step towards paying yet. */
export async function findStripeCustomer(tx: Tx): Promise<string | null> {
  const [row] = await tx<{ stripeId: string }[]>`select stripe_id from stripe_customers`
  return row?.stripeId ?? null
}

/** Remembers the organisation's customer, unless one is known; returns the one that holds. */
export async function keepStripeCustomer(tx: Tx, stripeId: string, now: Date): Promise<string> {
  await tx`
    insert into stripe_customers (stripe_id, created_at) values (${stripeId}, ${now})
    on conflict (organisation_id) do nothing`
  const kept = await findStripeCustomer(tx)
  if (kept === null) throw new Error('the customer was just kept')
  return kept
}

/** Whether Stripe has named a payment of the organisation's so. */
export async function isOwnPayment(tx: Tx, paymentId: string): Promise<boolean> {
  const [row] = await tx`select 1 from stripe_payments where stripe_id = ${paymentId}`
  return row !== undefined
}
