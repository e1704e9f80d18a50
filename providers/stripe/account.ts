import type { Stripe } from 'stripe'
import { ProviderError } from '../../activities/ports.ts'
import { listed, readOn } from './pages.ts'
import type { Session } from './session.ts'
import { idOf, idOrNull } from './values.ts'

/** All that Stripe has of a customer that matters, with the lists in it whole. */
export interface Account {
  customer: Stripe.Customer
  subscriptions: Subscribed[]
  openInvoices: Invoiced[]
  /** Of each subscription that is `unpaid`, the newest. */
  drafts: Invoiced[]
  paidInvoices: Invoiced[]
  /** Those by which something was bought once. */
  checkouts: Bought[]
  charges: Charged[]
  disputes: Disputed[]
}

export interface Subscribed {
  subscription: Stripe.Subscription
  items: Stripe.SubscriptionItem[]
}

export interface Invoiced {
  invoice: Stripe.Invoice
  lines: Stripe.InvoiceLineItem[]
  /** The payments that were begun for it: intents and, without one, charges. */
  paidBy: string[]
}

interface Bought {
  session: Stripe.Checkout.Session
  lines: Stripe.LineItem[]
}

export interface Charged {
  charge: Stripe.Charge
  refunds: Stripe.Refund[]
}

export interface Disputed {
  dispute: Stripe.Dispute
  charge: Stripe.Charge
}

/** What was paid within that time is lately. */
const latelyDays = 2 * 365
const most = { subscriptions: 500, openInvoices: 500, paidInvoices: 2_000, checkouts: 1_000, charges: 2_000 }
const mostInside = 1_000
/** Of those that were disputed, or paid back long after, the newest. */
const mostOdd = 20

/**
 * Reads an account; null where there is no such customer any more. Six calls, at once; one more for each hundred of a list, for each charge that
 * is or was disputed, for each that was to be paid back or disputed later than lately, and where a subscription is `unpaid`.
 */
export async function readAccount(
  session: Session,
  customer: string,
  now: number,
  signal: AbortSignal,
): Promise<Account | null> {
  const created = { gte: Math.floor(now / 1_000) - latelyDays * 86_400 }
  try {
    const [person, subscriptions, openInvoices, paidInvoices, checkouts, charges] = await Promise.all([
      readCustomer(session, customer, signal),
      readSubscriptions(session, customer, signal),
      readInvoices(session, { customer, status: 'open' }, most.openInvoices, signal),
      readInvoices(session, { customer, status: 'paid', created }, most.paidInvoices, signal),
      readCheckouts(session, { customer, status: 'complete', created }, signal),
      readCharges(session, customer, signal),
    ])
    if (person === null) return null
    const known = new Set(paidInvoices.flatMap(({ paidBy }) => paidBy))
    for (const { session: checkout } of checkouts) if (checkout.payment_intent) known.add(idOf(checkout.payment_intent))
    // A refund that has failed since counts in no amount, and what it took is to be given back.
    const odd = charges.flatMap(({ charge, refunds }) => (charge.disputed || refunds.length > 0 ? [charge] : []))
    const [drafts, disputes, older] = await Promise.all([
      readDrafts(session, customer, subscriptions, signal),
      Promise.all(
        odd
          .filter(isDisputed)
          .slice(0, mostOdd)
          .map((charge) => readDisputes(session, charge, signal)),
      ),
      Promise.all(
        odd
          .filter((charge) => !intentsOf(charge).some((id) => known.has(id)))
          .slice(0, mostOdd)
          .map((charge) => readOlder(session, charge, signal)),
      ),
    ])
    return {
      customer: person,
      subscriptions,
      openInvoices,
      drafts,
      paidInvoices: [...paidInvoices, ...older.flatMap(({ invoices }) => invoices)],
      checkouts: [...checkouts, ...older.flatMap(({ checkouts: found }) => found)],
      charges,
      disputes: disputes.flat(),
    }
  } catch (error) {
    if (error instanceof ProviderError && error.code === 'no_such_customer') return null
    throw error
  }
}

/** Null where it was deleted. */
export async function readCustomer(session: Session, id: string, signal: AbortSignal): Promise<Stripe.Customer | null> {
  const expand = ['invoice_settings.default_payment_method', 'default_source']
  const found = await session.ask({ about: 'customer', signal }, (stripe) => stripe.customers.retrieve(id, { expand }))
  return found.deleted ? null : found
}

/** Ended ones, too. */
export function readSubscriptions(session: Session, customer: string, signal: AbortSignal): Promise<Subscribed[]> {
  const asked = {
    customer,
    status: 'all' as const,
    expand: ['data.default_payment_method', 'data.default_source'],
  }
  return session.ask({ about: 'customer', signal }, async (stripe) => {
    const found = await listed(most.subscriptions, (place) => stripe.subscriptions.list({ ...asked, ...place }))
    return Promise.all(
      found.map(async (subscription) => ({
        subscription,
        items: await readOn(subscription.items, mostInside, (place) =>
          stripe.subscriptionItems.list({ subscription: subscription.id, ...place }),
        ),
      })),
    )
  })
}

function readInvoices(
  session: Session,
  asked: Stripe.InvoiceListParams,
  atMost: number,
  signal: AbortSignal,
): Promise<Invoiced[]> {
  return session.ask({ about: 'customer', signal }, async (stripe) => {
    const found = await listed(atMost, (place) =>
      stripe.invoices.list({ ...asked, expand: ['data.payments'], ...place }),
    )
    return Promise.all(found.map((invoice) => readInside(stripe, invoice)))
  })
}

/** https://docs.stripe.com/billing/subscriptions/overview#unpaid-subscriptions */
async function readDrafts(
  session: Session,
  customer: string,
  subscriptions: readonly Subscribed[],
  signal: AbortSignal,
): Promise<Invoiced[]> {
  const unpaid = subscriptions.filter(({ subscription }) => subscription.status === 'unpaid')
  if (unpaid.length === 0) return []
  const newest = new Set(unpaid.map(({ subscription }) => idOrNull(subscription.latest_invoice)))
  const drafts = await readInvoices(session, { customer, status: 'draft' }, most.openInvoices, signal)
  return drafts.filter(({ invoice }) => newest.has(invoice.id))
}

async function readInside(stripe: Stripe, invoice: Stripe.Invoice): Promise<Invoiced> {
  const [lines, payments] = await Promise.all([
    readOn(invoice.lines, mostInside, (place) => stripe.invoices.listLineItems(invoice.id, place)),
    readOn(invoice.payments, mostInside, (place) => stripe.invoicePayments.list({ invoice: invoice.id, ...place })),
  ])
  return { invoice, lines, paidBy: payments.flatMap(paymentIdsOf) }
}

export function paymentIdsOf({ payment }: Stripe.InvoicePayment): string[] {
  const by = payment.payment_intent ?? payment.charge
  return by === undefined ? [] : [idOf(by)]
}

function readCheckouts(
  session: Session,
  asked: Stripe.Checkout.SessionListParams,
  signal: AbortSignal,
): Promise<Bought[]> {
  return session.ask({ about: 'customer', signal }, async (stripe) => {
    const found = await listed(most.checkouts, (place) =>
      stripe.checkout.sessions.list({ ...asked, expand: ['data.line_items'], ...place }),
    )
    return Promise.all(
      found.filter(isPaidOnce).map(async (checkout) => ({
        session: checkout,
        lines: await readOn(checkout.line_items, mostInside, (place) =>
          stripe.checkout.sessions.listLineItems(checkout.id, place),
        ),
      })),
    )
  })
}

/** What has an invoice is told by that. */
export const isPaidOnce = ({ mode, payment_status: paid, invoice }: Stripe.Checkout.Session): boolean =>
  mode === 'payment' && paid === 'paid' && invoice === null

function readCharges(session: Session, customer: string, signal: AbortSignal): Promise<Charged[]> {
  return session.ask({ about: 'customer', signal }, async (stripe) => {
    const found = await listed(most.charges, (place) =>
      stripe.charges.list({ customer, expand: ['data.refunds'], ...place }),
    )
    return Promise.all(
      found.map(async (charge) => ({
        charge,
        refunds: await readOn(charge.refunds ?? undefined, mostInside, (place) =>
          stripe.refunds.list({ charge: charge.id, ...place }),
        ),
      })),
    )
  })
}

const isDisputed = ({ disputed }: Stripe.Charge): boolean => disputed

async function readDisputes(session: Session, charge: Stripe.Charge, signal: AbortSignal): Promise<Disputed[]> {
  const { data } = await session.ask({ about: 'payment', signal }, (stripe) =>
    stripe.disputes.list({ charge: charge.id, limit: 100 }),
  )
  return data.map((dispute) => ({ dispute, charge }))
}

/** By which Stripe may name the payment of a charge. */
export function intentsOf({ id, payment_intent: intent }: Stripe.Charge): string[] {
  return intent ? [idOf(intent), id] : [id]
}

/** What a payment was for that was not paid lately; nothing, where it was for no invoice and no checkout. */
async function readOlder(session: Session, charge: Stripe.Charge, signal: AbortSignal) {
  const [intent = ''] = intentsOf(charge)
  const payment = { type: 'payment_intent' as const, payment_intent: intent }
  const [invoices, checkouts] = await Promise.all([
    session.ask({ about: 'payment', signal }, async (stripe) => {
      const { data } = await stripe.invoicePayments.list({ payment, expand: ['data.invoice'], limit: 1 })
      const found = data.flatMap(({ invoice }) => (typeof invoice === 'string' || invoice.deleted ? [] : [invoice]))
      return Promise.all(found.map(async (invoice) => ({ ...(await readInside(stripe, invoice)), paidBy: [intent] })))
    }),
    readCheckouts(session, { payment_intent: intent }, signal),
  ])
  return { invoices: invoices.filter(({ invoice }) => invoice.status === 'paid'), checkouts }
}
