import { z } from 'zod'
import type { Act } from './sandbox-acts.ts'
import { checkoutLine, openSession } from './sandbox-checkout.ts'
import { answerDispute, closeDispute, refund } from './sandbox-disputes.ts'
import { listed, merged, metadata, nothing, paging, recurring, text, whole, yesNo } from './sandbox-forms.ts'
import { pageOf, partOf } from './sandbox-lists.ts'
import { type Charge, evidenceFields, newPaymentIntent } from './sandbox-money-objects.ts'
import { newMeterEvent } from './sandbox-objects.ts'
import { defaultMethod, methodBy, pay } from './sandbox-payments.ts'
import { declined, invalid } from './sandbox-refusals.ts'
import { type Route, retrieval, route } from './sandbox-routes.ts'
import { expireSession } from './sandbox-time.ts'
import { day, own } from './sandbox-values.ts'

const Session = z.strictObject({
  mode: z.enum(['payment', 'subscription', 'setup']),
  line_items: listed(
    z.strictObject({
      price: text.optional(),
      price_data: z
        .strictObject({
          currency: z.string().length(3),
          unit_amount: whole,
          product: text.optional(),
          product_data: z.strictObject({ name: text }).optional(),
          recurring: recurring.optional(),
        })
        .optional(),
      quantity: whole.optional(),
    }),
  ).optional(),
  success_url: text.optional(),
  cancel_url: text.optional(),
  customer: text.optional(),
  customer_email: text.optional(),
  customer_creation: z.enum(['always', 'if_required']).optional(),
  client_reference_id: text.optional(),
  currency: z.string().length(3).optional(),
  expires_at: whole.optional(),
  metadata: metadata.optional(),
  subscription_data: z
    .strictObject({
      trial_period_days: whole.optional(),
      trial_end: whole.optional(),
      metadata: metadata.optional(),
      description: text.optional(),
    })
    .optional(),
  payment_intent_data: z
    .strictObject({
      metadata: metadata.optional(),
      description: text.optional(),
      setup_future_usage: z.enum(['off_session', 'on_session']).optional(),
    })
    .optional(),
  setup_intent_data: z.strictObject({ metadata: metadata.optional() }).optional(),
})

const Payment = z.strictObject({
  amount: whole,
  currency: z.string().length(3),
  customer: text.optional(),
  payment_method: text.optional(),
  off_session: yesNo.optional(),
  confirm: yesNo.optional(),
  description: text.optional(),
  metadata: metadata.optional(),
  receipt_email: text.optional(),
  setup_future_usage: z.enum(['off_session', 'on_session']).optional(),
})

export const moneyRoutes: Route[] = [
  route('POST /v1/checkout/sessions', 'checkout.create', Session, (act, given) => createSession(act, given)),
  route(
    'GET /v1/checkout/sessions',
    'checkout.list',
    z.strictObject({
      ...paging,
      customer: text.optional(),
      subscription: text.optional(),
      payment_intent: text.optional(),
      status: z.enum(['open', 'complete', 'expired']).optional(),
    }),
    (act, { customer, subscription, payment_intent: intent, status, ...page }) => {
      const found = act.store
        .list('checkout.session', customer)
        .filter(
          (one) => (status ?? one.status) === one.status && (subscription ?? one.subscription) === one.subscription,
        )
        .filter((one) => (intent ?? one.payment_intent) === one.payment_intent)
      return pageOf('/v1/checkout/sessions', found, page)
    },
  ),
  retrieval('GET /v1/checkout/sessions/{id}', 'checkout.retrieve', 'checkout.session'),
  route('GET /v1/checkout/sessions/{id}/line_items', 'checkout.line_items', z.strictObject(paging), (act, page, id) =>
    partOf(`/v1/checkout/sessions/${id}/line_items`, act.need('checkout.session', id)[own].lines, page),
  ),
  route('POST /v1/checkout/sessions/{id}/expire', 'checkout.expire', nothing, (act, _, id) => {
    const session = act.need('checkout.session', id)
    if (session.status === 'open') return expireSession(act, session)
    throw invalid('Only Checkout Sessions with a status in ["open"] can be expired.')
  }),

  route('POST /v1/payment_intents', 'payment_intents.create', Payment, (act, given) => createIntent(act, given)),
  route(
    'GET /v1/payment_intents',
    'payment_intents.list',
    z.strictObject({ ...paging, customer: text.optional() }),
    (act, { customer, ...page }) => pageOf('/v1/payment_intents', act.store.list('payment_intent', customer), page),
  ),
  retrieval('GET /v1/payment_intents/{id}', 'payment_intents.retrieve', 'payment_intent'),
  route(
    'GET /v1/charges',
    'charges.list',
    z.strictObject({ ...paging, customer: text.optional(), payment_intent: text.optional() }),
    (act, { customer, payment_intent: intent, ...page }) => {
      const found = act.store
        .list('charge', customer)
        .filter((one) => (intent ?? one.payment_intent) === one.payment_intent)
      return pageOf('/v1/charges', found, page)
    },
  ),
  retrieval('GET /v1/charges/{id}', 'charges.retrieve', 'charge'),
  retrieval('GET /v1/setup_intents/{id}', 'setup_intents.retrieve', 'setup_intent'),

  route(
    'POST /v1/refunds',
    'refunds.create',
    z.strictObject({
      charge: text.optional(),
      payment_intent: text.optional(),
      amount: whole.optional(),
      reason: z.enum(['duplicate', 'fraudulent', 'requested_by_customer']).optional(),
      metadata: metadata.optional(),
    }),
    (act, { charge, payment_intent: intent, ...given }) =>
      refund(act, paidCharge(act, charge, intent), { ...given, metadata: merged({}, given.metadata) }),
  ),
  paymentList('GET /v1/refunds', 'refunds.list', 'refund'),
  retrieval('GET /v1/refunds/{id}', 'refunds.retrieve', 'refund'),

  paymentList('GET /v1/disputes', 'disputes.list', 'dispute'),
  retrieval('GET /v1/disputes/{id}', 'disputes.retrieve', 'dispute'),
  route(
    'POST /v1/disputes/{id}',
    'disputes.update',
    z.strictObject({
      evidence: z.strictObject(Object.fromEntries(evidenceFields.map((field) => [field, text.optional()]))).optional(),
      submit: yesNo.default(true),
      metadata: metadata.optional(),
    }),
    (act, { evidence = {}, submit, metadata: change }, id) => {
      const dispute = act.need('dispute', id)
      const noted = { ...dispute, metadata: merged(dispute.metadata, change) }
      const given = Object.entries(evidence).flatMap(([field, value]) => (value === undefined ? [] : [[field, value]]))
      return answerDispute(act, noted, Object.fromEntries(given), submit)
    },
  ),
  route('POST /v1/disputes/{id}/close', 'disputes.close', nothing, (act, _, id) =>
    closeDispute(act, act.need('dispute', id), 'lost'),
  ),

  route(
    'POST /v1/billing/meter_events',
    'meter_events.create',
    z.strictObject({
      event_name: text,
      payload: z.record(text, text),
      identifier: z.string().max(100).optional(),
      timestamp: whole.optional(),
    }),
    (act, given) => {
      const now = act.now(null)
      const { event_name: eventName, payload, identifier = `meter_${now}_${Math.random()}`, timestamp = now } = given
      if (act.store.get('billing.meter_event', identifier)) {
        throw invalid(`An event already exists with identifier ${identifier}.`, { code: 'duplicate_meter_event' })
      }
      const event = newMeterEvent(now, { eventName, payload, identifier, timestamp })
      act.store.put(event)
      return event
    },
  ),
]

/** Of refunds and disputes: those of a charge or a payment, where one is given. */
function paymentList(line: string, operation: string, kind: 'refund' | 'dispute'): Route {
  const parameters = z.strictObject({ ...paging, charge: text.optional(), payment_intent: text.optional() })
  return route(line, operation, parameters, (act, { charge, payment_intent: intent, ...page }) => {
    const found = act.store
      .list(kind)
      .filter((one) => (charge ?? one.charge) === one.charge && (intent ?? one.payment_intent) === one.payment_intent)
    return pageOf(`/v1/${kind}s`, found, page)
  })
}

function createSession(act: Act, given: z.output<typeof Session>) {
  const { mode, customer = null, subscription_data: subscription, payment_intent_data: payment } = given
  const always =
    mode === 'subscription' || given.customer_creation === 'always' ? ('always' as const) : ('if_required' as const)
  return openSession(act, {
    mode,
    lines: (given.line_items ?? []).map((line, index) => checkoutLine(act, line, `line_items[${index}]`)),
    customer,
    customerEmail: given.customer_email ?? null,
    customerCreation: customer === null ? always : null,
    clientReferenceId: given.client_reference_id ?? null,
    metadata: merged({}, given.metadata),
    successUrl: given.success_url ?? null,
    cancelUrl: given.cancel_url ?? null,
    expiresAt: given.expires_at ?? act.now(customer) + day,
    subscription: {
      trialEndsAfterDays: subscription?.trial_period_days ?? null,
      trialEnd: subscription?.trial_end ?? null,
      metadata: merged({}, subscription?.metadata),
      description: subscription?.description ?? null,
    },
    payment: {
      metadata: merged({}, payment?.metadata),
      description: payment?.description ?? null,
      futureUsage: payment?.setup_future_usage ?? null,
    },
    setup: { metadata: merged({}, given.setup_intent_data?.metadata) },
  })
}

function createIntent(act: Act, given: z.output<typeof Payment>) {
  const customer = given.customer === undefined ? null : act.need('customer', given.customer, 'customer').id
  const intent = newPaymentIntent(act.now(customer), {
    amount: given.amount,
    currency: given.currency,
    customer,
    description: given.description,
    metadata: merged({}, given.metadata),
    receiptEmail: given.receipt_email,
    futureUsage: given.setup_future_usage,
  })
  act.save(intent, 'payment_intent.created')
  if (!given.confirm) return intent
  const method =
    given.payment_method === undefined
      ? customer && defaultMethod(act, customer)
      : methodBy(act, given.payment_method, customer)
  if (!method) throw invalid('You cannot confirm this PaymentIntent because it is missing a payment method.')
  const { intent: tried, error } = pay(act, intent, method, !given.off_session)
  if (error) throw declined(error, tried, true)
  return tried
}

function paidCharge(act: Act, id: string | undefined, intent: string | undefined): Charge {
  if (id !== undefined) return act.need('charge', id, 'charge')
  if (intent === undefined)
    throw invalid('One of the following params should be provided for this request: payment_intent or charge.')
  const charge = act.need('payment_intent', intent, 'payment_intent').latest_charge
  if (charge === null)
    throw invalid('This PaymentIntent does not have a successful charge to refund.', { param: 'payment_intent' })
  return act.need('charge', charge)
}
