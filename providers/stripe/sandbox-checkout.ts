import type { Act } from './sandbox-acts.ts'
import {
  type CheckoutLine,
  type CheckoutSession,
  customerDetails,
  type NewCheckoutSession,
  newCheckoutLine,
  newCheckoutSession,
} from './sandbox-checkout-objects.ts'
import { type NewPaymentIntent, newPaymentIntent, type PaymentIntent } from './sandbox-money-objects.ts'
import {
  type Customer,
  type Interval,
  newCustomer,
  newPrice,
  newProduct,
  newSetupIntent,
  type PaymentMethod,
} from './sandbox-objects.ts'
import { attach, methodBy, pay } from './sandbox-payments.ts'
import { declined, invalid } from './sandbox-refusals.ts'
import { subscribe } from './sandbox-subscriptions.ts'
import { day, own } from './sandbox-values.ts'

/** A price that is in no catalogue. */
interface PriceData {
  currency: string
  unit_amount: number
  product?: string | undefined
  product_data?: { name: string } | undefined
  recurring?: { interval: Interval; interval_count?: number | undefined } | undefined
}

interface LineRequest {
  price?: string | undefined
  price_data?: PriceData | undefined
  quantity?: number | undefined
}

export function checkoutLine(
  act: Act,
  { price: id, price_data: data, quantity = 1 }: LineRequest,
  param: string,
): CheckoutLine {
  if (id === undefined && !data)
    throw invalid(`Missing required param: ${param}[price].`, { code: 'parameter_missing', param })
  const price = id === undefined && data ? unlistedPrice(act, data) : act.need('price', id ?? '', `${param}[price]`)
  return newCheckoutLine(price, quantity, act.store.get('product', price.product)?.name ?? price.id)
}

function unlistedPrice(act: Act, { currency, unit_amount: unitAmount, recurring, ...of }: PriceData) {
  const now = act.now(null)
  const name = of.product_data?.name ?? 'Product'
  const product = of.product ?? act.save(newProduct(now, { name }), 'product.created').id
  const rhythm = { interval: recurring?.interval ?? null, intervalCount: recurring?.interval_count }
  return act.save(newPrice(now, { product, unitAmount, currency, ...rhythm }), 'price.created')
}

export function openSession(act: Act, given: Omit<NewCheckoutSession, 'currency'>): CheckoutSession {
  const { mode, lines, customer } = given
  if (customer !== null) act.need('customer', customer, 'customer')
  if (mode !== 'setup' && lines.length === 0) {
    throw invalid(`You must provide line items in \`${mode}\` mode.`, {
      code: 'parameter_missing',
      param: 'line_items',
    })
  }
  const hasRecurring = lines.some(({ price }) => price.recurring !== null)
  if (mode === 'subscription' && !hasRecurring) {
    throw invalid('You must provide at least one recurring price in `subscription` mode when using prices.', {
      param: 'line_items',
    })
  }
  if (mode === 'subscription' && !lines.every(({ price }) => price.recurring)) {
    throw invalid('This sandbox sells no one-time prices in `subscription` mode.', { param: 'line_items' })
  }
  if (mode === 'payment' && hasRecurring) {
    throw invalid(
      'You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only one-time prices.',
      { param: 'line_items' },
    )
  }
  const currency = lines[0]?.currency ?? (mode === 'setup' ? 'usd' : null)
  return act.save(newCheckoutSession(act.now(customer), { ...given, currency }))
}

export interface Payer {
  paymentMethod: string
  email?: string | undefined
  name?: string | undefined
}

/** The person fills in the page and pays. A bank's no leaves the session open and the payment told as failed. */
export function completeSession(act: Act, session: CheckoutSession, payer: Payer): void {
  const customer = customerOf(act, session, payer)
  if (session.mode === 'payment') return payOnce(act, session, customer, payer)
  const method = customer && attach(act, payer.paymentMethod, customer.id)
  if (!customer || !method) return
  if (session.mode === 'setup') return setUp(act, session, customer, method)
  const { subscription: wanted, lines } = session[own]
  const { trialEndsAfterDays: days, trialEnd, metadata, description } = wanted
  const subscription = subscribe(act, {
    customer: customer.id,
    items: lines.map(({ price, quantity }) => ({ price: price.id, quantity })),
    trialEnd: trialEnd ?? (days === null ? null : act.now(customer.id) + days * day),
    defaultPaymentMethod: method.id,
    behavior: 'error_if_incomplete',
    metadata,
    description: description ?? undefined,
    isPersonThere: true,
  })
  complete(act, session, customer, { subscription: subscription.id, invoice: subscription.latest_invoice })
}

/**
 * In a setup or for a subscription there is always a customer afterwards; for a payment only if that is asked for. The page asks for the e-mail
 * address of a customer who has none, and keeps it.
 */
function customerOf(act: Act, session: CheckoutSession, payer: Payer): Customer | null {
  const email = session.customer_email ?? payer.email ?? 'payer@example.com'
  if (session.customer !== null) {
    const customer = act.need('customer', session.customer)
    return customer.email === null ? act.save({ ...customer, email }, 'customer.updated') : customer
  }
  if (session.mode === 'payment' && session.customer_creation !== 'always') return null
  return act.save(newCustomer(act.now(null), { email, name: payer.name ?? null }), 'customer.created')
}

function payOnce(act: Act, session: CheckoutSession, customer: Customer | null, payer: Payer): void {
  const { metadata, description, futureUsage } = session[own].payment
  const known = session.payment_intent && act.store.get('payment_intent', session.payment_intent)
  const amount = session.amount_total ?? 0
  const about = {
    amount,
    currency: session.currency ?? 'usd',
    customer: customer?.id ?? null,
    metadata,
    description,
    futureUsage,
  }
  const intent = known || begunIntent(act, session, about)
  const started = act.save<CheckoutSession>({ ...session, payment_intent: intent.id })
  const method = methodBy(act, payer.paymentMethod, customer?.id ?? null)
  const { intent: paid, error } = pay(act, intent, method, true)
  if (error) throw declined(error, paid, true)
  if (paid.status !== 'succeeded') return
  if (customer && futureUsage !== null) attach(act, method.id, customer.id)
  complete(act, started, customer, { payment_intent: paid.id })
}

function begunIntent(act: Act, session: CheckoutSession, about: NewPaymentIntent): PaymentIntent {
  const intent = newPaymentIntent(act.now(session.customer), about)
  return act.save({ ...intent, [own]: { ...intent[own], session: session.id } }, 'payment_intent.created')
}

/** The person has answered their bank. */
export function completePaid(act: Act, intent: PaymentIntent): void {
  const session = intent[own].session === null ? undefined : act.store.get('checkout.session', intent[own].session)
  if (session?.status !== 'open') return
  const customer = intent.customer === null ? null : act.need('customer', intent.customer)
  complete(act, session, customer, { payment_intent: intent.id })
}

function setUp(act: Act, session: CheckoutSession, customer: Customer, method: PaymentMethod): void {
  const intent = newSetupIntent(act.now(customer.id), customer.id, session[own].setup.metadata)
  act.save(intent, 'setup_intent.created')
  act.save({ ...intent, payment_method: method.id, status: 'succeeded' }, 'setup_intent.succeeded')
  complete(act, session, customer, { setup_intent: intent.id })
}

type Result = Partial<Pick<CheckoutSession, 'subscription' | 'invoice' | 'payment_intent' | 'setup_intent'>>

function complete(act: Act, session: CheckoutSession, customer: Customer | null, result: Result): void {
  const isPaid = session.mode !== 'setup' && (session.amount_total ?? 0) > 0
  act.save<CheckoutSession>(
    {
      ...session,
      ...result,
      customer: customer?.id ?? null,
      customer_details: customerDetails(customer ?? { email: session.customer_email, name: null, phone: null }),
      payment_status: isPaid ? 'paid' : 'no_payment_required',
      status: 'complete',
      url: null,
    },
    'checkout.session.completed',
  )
}
