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

/**
 * Takes the organisation's turn to be looked at and tells its customer at the provider; null: it has none. A look whose worker froze may wake up
 * beside the next: they come one after the other.
 */
export async function lockCustomer(tx: Tx): Promise<string | null> {
  const [row] = await tx<{ stripeId: string }[]>`
    select stripe_id from stripe_customers where organisation_id = current_organisation() for no key update`
  return row?.stripeId ?? null
}

/** The platform's contact that stands for the organisation. */
export async function findBillingContact(tx: Tx): Promise<string | null> {
  const [row] = await tx<{ contactId: string | null }[]>`
    select contact_id from stripe_customers where organisation_id = current_organisation()`
  return row?.contactId ?? null
}

/** Of which address the contact is that stands for the organisation; null: there is none. */
export async function findPayer(tx: Tx): Promise<Buffer | null> {
  const [row] = await tx<{ emailHash: Buffer | null }[]>`
    select email_hash from stripe_customers where organisation_id = current_organisation()`
  return row?.emailHash ?? null
}

export async function keepPayer(
  tx: Tx,
  { contactId, emailHash }: { contactId: string; emailHash: Buffer },
): Promise<void> {
  await tx`
    update stripe_customers set contact_id = ${contactId}, email_hash = ${emailHash}
    where organisation_id = current_organisation()`
}
