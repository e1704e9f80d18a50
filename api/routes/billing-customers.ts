import type { BillingProvider } from '../../activities/ports.ts'
import { wakeBilling } from '../../db/billing-story.ts'
import type { Tx } from '../../db/client.ts'
import { currentOrganisation } from '../../db/organisations.ts'
import { findStripeCustomer, keepStripeCustomer } from '../../db/stripe-customers.ts'
import type { Handover } from '../handover.ts'
import { askUnderKey } from '../provider-calls.ts'

interface Asking {
  organisationId: string
  requestId: string
  now: Date
  as<T>(work: (tx: Tx) => Promise<T>): Promise<T>
}

/**
 * The organisation's customer at Stripe, made with its first step towards paying, by which its story begins. Two first steps at once end with one
 * customer: both ask Stripe under one key.
 */
export async function customerOf(
  { organisationId, requestId, now, as }: Asking,
  { billing, handover }: { billing: Pick<BillingProvider, 'createCustomer'>; handover: Pick<Handover, 'begin'> },
): Promise<string> {
  const { known, name } = await as(async (tx) => ({
    known: await findStripeCustomer(tx),
    name: (await currentOrganisation(tx)).name,
  }))
  if (known !== null) return known
  // Stripe asks for the e-mail address itself, of the person who pays.
  const who = { organisationId, name, email: null }
  const key = `billing/${organisationId}/customer`
  const made = await askUnderKey({ key, now, refusals: {} }, (underKey, signal) =>
    billing.createCustomer(who, underKey, signal),
  )
  const { kept, workflowId } = await as(async (tx) => ({
    kept: await keepStripeCustomer(tx, made.customerId, now),
    workflowId: await wakeBilling(tx, { organisationId, requestId }, now),
  }))
  handover.begin(workflowId)
  return kept
}
