import type { Stripe } from 'stripe'
import { type BillingProvider, type Charged, isUnconfirmed } from '../../activities/ports.ts'
import { payBy } from './cards.ts'
import { charged, mark, payingId } from './charges.ts'
import { Decline, rejected } from './errors.ts'
import { topUpMark } from './paid-lines.ts'
import type { Call, Session } from './session.ts'

type Wanted = Parameters<BillingProvider['buyNow']>[0]

/** Of one step, under a key each: a failure of Stripe's is kept under its key. */
const mostAttempts = 3

/**
 * Buys something at once: a draft, what is bought, the payment, and where the bank says no, nothing owed. Each step looks first whether it is done,
 * so that whoever asks again goes on where an attempt before was cut off, and even a forgotten key leads to the same invoice.
 */
export function createPurchases(session: Session): Pick<BillingProvider, 'buyNow'> {
  return { buyNow: (asked, key, signal) => charged(() => buyNow(asked, key, { about: 'invoice', signal })) }

  async function buyNow({ customerId, priceId, quantity }: Wanted, key: string, call: Call): Promise<Charged> {
    const steps = createSteps(session, key, call)
    const known = await findBegun(customerId, key, call)
    // Nothing is begun where there is nothing to pay by.
    const by = known ? null : await payingId(session, customerId, call.signal)
    const begun = known ?? (await begin())
    const { id } = begun
    if (begun.status === 'draft' && begun.lines.data.length === 0) await put()
    return pay()

    async function begin(): Promise<Stripe.Invoice> {
      const { currency } = await session.ask({ ...call, about: 'price' }, (stripe) => stripe.prices.retrieve(priceId))
      const draft = {
        customer: customerId,
        currency,
        // Nobody tries it again, whatever becomes of us.
        auto_advance: false,
        collection_method: 'charge_automatically' as const,
        pending_invoice_items_behavior: 'exclude' as const,
        metadata: { ...topUpMark, act_key: mark(key) },
      }
      return steps.take(
        'invoice',
        () => findBegun(customerId, key, call),
        (stripe, options) => stripe.invoices.create(draft, options),
      )
    }

    async function put(): Promise<void> {
      const item = { customer: customerId, invoice: id, pricing: { price: priceId }, quantity }
      await steps.until(
        'item',
        async () => (await look()).lines.data.length > 0,
        (stripe, options) => stripe.invoiceItems.create({ ...item, metadata: { act_key: mark(key) } }, options),
      )
    }

    async function pay(): Promise<Charged> {
      // What an attempt before was told, whether or not it came to take the invoice back.
      const told = begun.metadata?.declined
      if (told !== undefined) return decline(told)
      if (begun.status === 'paid') return { is: 'paid' }
      if (begun.status !== 'draft' && begun.status !== 'open') throw rejected('not_open')
      try {
        const card = by ?? (await payingId(session, customerId, call.signal))
        const { status } = await steps.take(`pay/${card}`, paid, (stripe, options) =>
          stripe.invoices.pay(id, { ...payBy(card), off_session: true }, options),
        )
        return status === 'paid' ? { is: 'paid' } : { is: 'declined', code: 'payment_processing' }
      } catch (error) {
        if (!(error instanceof Decline)) throw error
        return decline(error.code)
      }
    }

    async function decline(code: string): Promise<Charged> {
      await steps.until(
        'declined',
        async () => (await look()).metadata?.declined !== undefined,
        (stripe, options) => stripe.invoices.update(id, { metadata: { declined: code } }, options),
      )
      await steps.until(
        'void',
        async () => (await look()).status !== 'open',
        (stripe, options) => stripe.invoices.voidInvoice(id, {}, options),
      )
      return { is: 'declined', code }
    }

    async function paid(): Promise<Stripe.Invoice | null> {
      const now = await look()
      return now.status === 'paid' ? now : null
    }

    function look(): Promise<Stripe.Invoice> {
      return session.ask(call, (stripe) => stripe.invoices.retrieve(id))
    }
  }

  /** Under the same key, the one that has come furthest; among the customer's newest, since it was begun a moment ago or a few days. */
  async function findBegun(customer: string, key: string, call: Call): Promise<Stripe.Invoice | null> {
    const { data } = await session.ask(call, (stripe) => stripe.invoices.list({ customer, limit: 100 }))
    const ours = data.filter(({ metadata }) => metadata?.act_key === mark(key))
    const [furthest] = ours.toSorted((one, other) => progress(other) - progress(one) || one.created - other.created)
    return furthest ?? null
  }
}

type Make<T> = (stripe: Stripe, options: { idempotencyKey: string }) => Promise<T>

/** One thing after the other, each of which is there already or is done now. */
function createSteps(session: Session, key: string, call: Call) {
  async function take<T>(name: string, find: () => Promise<T | null>, make: Make<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const found = await find()
      if (found !== null) return found
      try {
        return await session.act(call, `${key}/${name}/${attempt}`, make)
      } catch (error) {
        if (!isUnconfirmed(error) || attempt === mostAttempts) throw error
      }
    }
  }
  return {
    take,
    async until(name: string, isDone: () => Promise<boolean>, make: Make<unknown>): Promise<void> {
      await take(name, async () => (await isDone()) || null, make)
    },
  }
}

const stages = ['draft', 'open', 'void', 'paid']
const progress = ({ status }: Stripe.Invoice): number => stages.indexOf(status ?? 'draft')
