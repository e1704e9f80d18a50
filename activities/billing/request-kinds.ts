import { beginAct, endAct } from '../../db/billing-acts.ts'
import type { Requested } from '../../db/billing-requests.ts'
import { findBillingState } from '../../db/billing-states.ts'
import type { RequestOutcome } from '../../workflows/contracts/billing-requests.ts'
import type { Act } from '../../workflows/contracts/subscriptions.ts'
import { type Charged, isUnconfirmed } from '../ports.ts'
import { inTime } from './attempts.ts'
import { chargeEnd } from './charge-ends.ts'
import type { BillingWorld } from './look.ts'
import { changePlanNow } from './plan-changes.ts'

export interface AtProvider {
  organisationId: string
  requested: Requested
  /** The provider's, of this attempt. */
  key: string
  now: Date
}

/** What a person has asked for and the provider has to do. Throws ProviderError. */
export async function carryOutAtProvider(world: BillingWorld, asked: AtProvider): Promise<RequestOutcome> {
  const { request } = asked.requested
  const { billing } = world
  const signal = inTime()
  if (request.kind === 'change_plan') return chargedOutcome(await changePlanNow(world, { ...asked, request }))
  if (request.kind === 'cancel') {
    await billing.cancel(request.subscriptionId, request.when, asked.key, signal)
    return { is: 'done' }
  }
  if (request.kind === 'undo_cancel') {
    await billing.cancel(request.subscriptionId, 'undo', asked.key, signal)
    return { is: 'done' }
  }
  if (request.kind === 'pay_now') return payNow(world, asked, request.invoiceId)
  if (request.kind === 'refund') return refund(world, asked, request)
  throw new Error(`${request.kind} is decided by our rows`)
}

/** Remembered like a charge of ours: the next one keeps its distance. */
async function payNow(
  { billing, database }: BillingWorld,
  { organisationId, requested, key, now }: AtProvider,
  invoiceId: string,
): Promise<RequestOutcome> {
  const facts = (await database.as(organisationId, findBillingState))?.facts
  const cardId = facts?.card?.id ?? ''
  const act: Act = {
    key: `billing/${organisationId}/pay-now/${requested.id}`,
    is: 'charge',
    invoiceId,
    cardId,
    because: 'asked',
  }
  await database.as(organisationId, (tx) => beginAct(tx, act, now))
  const signal = inTime()
  const isDraft = facts?.openInvoices.find(({ id }) => id === invoiceId)?.isDraft ?? false
  if (isDraft) await billing.finalizeInvoice(invoiceId, key, signal)
  const charged = await billing.payInvoice(invoiceId, null, key, signal)
  await database.as(organisationId, (tx) => endAct(tx, act, chargeEnd(charged), now))
  return chargedOutcome(charged)
}

/** A refund whose outcome is unknown is not asked for once more: the next look shows whether it was made. */
async function refund(
  { billing }: BillingWorld,
  { key }: AtProvider,
  { paymentId, amount }: { paymentId: string; amount: number | null },
): Promise<RequestOutcome> {
  try {
    await billing.refund({ paymentId, amount }, key, inTime())
    return { is: 'done' }
  } catch (error) {
    if (!isUnconfirmed(error)) throw error
    return { is: 'refused', code: 'unconfirmed' }
  }
}

function chargedOutcome(charged: Charged): RequestOutcome {
  if (charged.is === 'paid') return { is: 'done' }
  return charged.is === 'declined' ? declined(charged.code) : { is: 'refused', code: 'not_open' }
}

export function declined(declineCode: string): RequestOutcome {
  return { is: 'refused', code: 'payment_required', declineCode }
}
