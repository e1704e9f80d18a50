import type { Stripe } from 'stripe'
import { type BillingProvider, type Charged, isRejected } from '../../activities/ports.ts'
import { paymentIdsOf, readCustomer, readSubscriptions } from './account.ts'
import { payBy, payingOf } from './cards.ts'
import { Decline, rejected } from './errors.ts'
import { refundStatus } from './facts.ts'
import type { Call, Session } from './session.ts'
import { idOf } from './values.ts'

/** A bank's no is a result. */
export async function charged(take: () => Promise<Charged>): Promise<Charged> {
  try {
    return await take()
  } catch (error) {
    if (error instanceof Decline) return { is: 'declined', code: error.code }
    throw error
  }
}

/** The id of what a customer pays with. Throws a Decline where there is nothing. */
export async function payingId(session: Session, customerId: string, signal: AbortSignal): Promise<string> {
  const [customer, subscriptions] = await Promise.all([
    readCustomer(session, customerId, signal),
    readSubscriptions(session, customerId, signal),
  ])
  if (customer === null) throw rejected('no_such_customer')
  const paying = payingOf(customer, subscriptions)
  if (paying === null) throw new Decline('no_payment_method')
  return paying.card.id
}

/** What is paid, and given back, of what was billed already. */
export function createCharges(
  session: Session,
): Pick<BillingProvider, 'finalizeInvoice' | 'payInvoice' | 'refund' | 'useCard'> {
  return { finalizeInvoice, payInvoice, refund, useCard }

  /** What becomes of it then is ours: of what Stripe collects itself there would be two attempts. */
  async function finalizeInvoice(id: string, key: string, signal: AbortSignal): Promise<void> {
    const call: Call = { about: 'invoice', signal }
    try {
      await session.act(call, `${key}/finalize`, (stripe, options) =>
        stripe.invoices.finalizeInvoice(id, { auto_advance: false }, options),
      )
    } catch (error) {
      if (!isRejected(error) || (await statusOf(id, call)) === 'draft') throw error
    }
  }

  function payInvoice(id: string, cardId: string | null, key: string, signal: AbortSignal): Promise<Charged> {
    const call: Call = { about: 'invoice', signal }
    return charged(async () => {
      const wanted = cardId ?? (await payerOf(id, call))
      if (wanted === null) return { is: 'not_open' }
      // The card is in the key: another one is another attempt, and an invoice is paid once whatever is tried.
      const paid = await tryToPay(id, wanted, `${key}/${wanted}`, call)
      if (paid === null) return { is: 'not_open' }
      if (paid.status !== 'paid') return { is: 'declined', code: 'payment_processing' }
      return { is: 'paid' }
    })
  }

  async function useCard(subscriptionId: string, cardId: string, key: string, signal: AbortSignal): Promise<void> {
    const by = cardId.startsWith('pm_') ? { default_payment_method: cardId } : { default_source: cardId }
    await session.act({ about: 'subscription', signal }, key, (stripe, options) =>
      stripe.subscriptions.update(subscriptionId, by, options),
    )
  }

  async function payerOf(invoiceId: string, call: Call): Promise<string | null> {
    const { status, customer } = await session.ask(call, (stripe) => stripe.invoices.retrieve(invoiceId))
    if (status !== 'open' || customer === null) return null
    return payingId(session, idOf(customer), call.signal)
  }

  /** Null where nothing is to be paid any more. For that Stripe has no code that it holds to, so its state tells. */
  async function tryToPay(id: string, cardId: string, key: string, call: Call): Promise<Stripe.Invoice | null> {
    try {
      return await session.act(call, key, (stripe, options) =>
        stripe.invoices.pay(id, { ...payBy(cardId), off_session: true }, options),
      )
    } catch (error) {
      if (!isRejected(error) || error instanceof Decline) throw error
      if ((await statusOf(id, call)) === 'open') throw error
      return null
    }
  }

  async function statusOf(id: string, call: Call) {
    const { status } = await session.ask(call, (stripe) => stripe.invoices.retrieve(id))
    return status
  }

  async function refund(
    { paymentId, amount }: { paymentId: string; amount: number | null },
    key: string,
    signal: AbortSignal,
  ) {
    const call: Call = { about: 'payment', signal }
    const by = paymentId.startsWith('in_') ? await paidBy(paymentId, call) : paymentId
    const what = by.startsWith('pi_') ? { payment_intent: by } : { charge: by }
    const made = await session.act(call, key, (stripe, options) =>
      stripe.refunds.create({ ...what, ...(amount !== null && { amount }), metadata: { act_key: mark(key) } }, options),
    )
    return { refundId: made.id, amount: made.amount, status: refundStatus(made.status) }
  }

  /** The intent or charge that paid an invoice: one, of those that we have made. */
  async function paidBy(invoice: string, call: Call): Promise<string> {
    const { data } = await session.ask(call, (stripe) => stripe.invoicePayments.list({ invoice, limit: 100 }))
    const [by, ...others] = data.filter(({ status }) => status === 'paid').flatMap(paymentIdsOf)
    if (by === undefined) throw rejected('nothing_to_refund')
    if (others.length > 0) throw rejected('several_payments')
    return by
  }
}

/** A metadata value's most at Stripe. */
export const mark = (key: string): string => key.slice(0, 500)
