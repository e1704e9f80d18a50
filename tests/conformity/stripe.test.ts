import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Stripe } from 'stripe'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { loadConfig } from '../../config.ts'
import { createStripe } from '../../providers/stripe/client.ts'
import { createStripeSandbox } from '../../providers/stripe/sandbox.ts'
import type { Exchange } from '../support/discovery.ts'
import { eventually } from '../support/eventually.ts'
import { startTestSandbox, type TestSandbox } from '../support/sandbox.ts'
import { aCustomer, idOf, prices, seconds, stripeSecret } from '../support/stripe.ts'
import { accountOfEverything, callEverything } from '../support/stripe-calls.ts'
import { openStripeDescription } from '../support/stripe-description.ts'
import { catchWebhooks } from '../support/webhook-catcher.ts'

const file = join(loadConfig().specsDir, 'stripe.spec3.json')
const isAbsent = !existsSync(file)

/** What the API does by its documentation and its SDK's types, and the description, a version older, has not: nothing so far. */
const undescribed: string[] = []

describe.skipIf(isAbsent)(
  `Stripe's description${isAbsent ? ' (skipped: no stripe.spec3.json in SPECS_DIR)' : ''}`,
  () => {
    test('fits all that its SDK and our client send, the sandbox answers, and the webhooks that it sends', {
      timeout: 120_000,
    }, async () => {
      await using catcher = await catchWebhooks()
      const webhook = { url: catcher.url, secret: stripeSecret }
      await using sandbox = await startTestSandbox({ stripe: { webhook, prices } })
      const exchanges = await wholeLife(sandbox)
      const api = openStripeDescription(file)
      const checked = exchanges.map((exchange) => ({ exchange, found: api.check(exchange) }))
      expect(
        checked.filter(({ found }) => found === null).map(({ exchange }) => `${exchange.method} ${exchange.path}`),
      ).toEqual([])
      const problems = checked.flatMap(({ found }) =>
        (found?.problems ?? []).map((problem) => `${found?.id}: ${problem}`),
      )
      expect(new Set(problems)).toEqual(new Set(undescribed))
      const asked = (await sandbox.requests({ provider: 'stripe' })).map(({ operation }) => operation)
      expect(new Set([...asked, 'unknown'])).toEqual(new Set(createStripeSandbox().operations))

      const events = exchanges
        .filter(({ path }) => path.startsWith('/v1/events?'))
        .flatMap(({ answer }) => Listed.parse(answer).data)
      await eventually(() => expect(catcher.caught).toHaveLength(events.length), { timeout: 20_000, interval: 50 })
      const sent = catcher.caught.map(({ rawBody }) => Typed.parse(JSON.parse(rawBody.toString())))
      expect(new Set(sent.flatMap((event) => api.checkEvent(event)))).toEqual(new Set())
      expect(new Set(sent.map(({ type }) => type))).toEqual(new Set(types))
    })

    test('would find a misspelt field, parameter or answer', () => {
      const api = openStripeDescription(file)
      const answer = { id: 'cus_1', object: 'customer', created: 1, livemode: false }
      const exchange = { method: 'POST', path: '/v1/customers', body: 'email=a%40example.com', status: 200, answer }
      const problems = (changes: Partial<Exchange>) => api.check({ ...exchange, ...changes })?.problems
      expect(problems({})).toEqual([])
      expect(problems({ body: 'e_mail=x' })).toHaveLength(1)
      expect(problems({ body: 'balance=much' })).toHaveLength(1)
      expect(problems({ path: '/v1/customers?dry=1' })).toHaveLength(1)
      expect(problems({ answer: { ...answer, ID: 'x' } })).not.toEqual([])
      expect(problems({ answer: { ...answer, created: 'today' } })).not.toEqual([])
      expect(api.check({ ...exchange, path: '/v1/customer' })).toBeNull()
      const event = {
        id: 'evt_1',
        object: 'event',
        created: 1,
        livemode: false,
        pending_webhooks: 1,
        type: 'customer.created',
      }
      expect(api.checkEvent({ ...event, data: { object: answer } })).toEqual([])
      expect(api.checkEvent({ ...event, data: { object: { ...answer, mail: 'x' } } })).not.toEqual([])
    })
  },
)

const Typed = z.looseObject({ type: z.string() })
const Listed = z.object({ data: z.array(Typed) })

const types: Stripe.Event['type'][] = [
  'billing_portal.session.created',
  'charge.dispute.closed',
  'charge.dispute.created',
  'charge.dispute.funds_reinstated',
  'charge.dispute.funds_withdrawn',
  'charge.dispute.updated',
  'charge.failed',
  'charge.refunded',
  'charge.succeeded',
  'charge.updated',
  'checkout.session.completed',
  'checkout.session.expired',
  'customer.created',
  'customer.deleted',
  'customer.subscription.created',
  'customer.subscription.deleted',
  'customer.subscription.paused',
  'customer.subscription.pending_update_applied',
  'customer.subscription.pending_update_expired',
  'customer.subscription.resumed',
  'customer.subscription.trial_will_end',
  'customer.subscription.updated',
  'customer.updated',
  'invoice.created',
  'invoice.finalized',
  'invoice.marked_uncollectible',
  'invoice.paid',
  'invoice.payment_action_required',
  'invoice.payment_failed',
  'invoice.payment_succeeded',
  'invoice.upcoming',
  'invoice.updated',
  'invoice.voided',
  'invoice_payment.paid',
  'invoiceitem.created',
  'payment_intent.canceled',
  'payment_intent.created',
  'payment_intent.payment_failed',
  'payment_intent.requires_action',
  'payment_intent.succeeded',
  'payment_method.attached',
  'payment_method.detached',
  'price.created',
  'product.created',
  'refund.created',
  'refund.failed',
  'refund.updated',
  'setup_intent.created',
  'setup_intent.succeeded',
  'test_helpers.test_clock.advancing',
  'test_helpers.test_clock.created',
  'test_helpers.test_clock.ready',
]

/** Every operation that the sandbox has, with what went over the wire. */
async function wholeLife(sandbox: TestSandbox): Promise<Exchange[]> {
  const exchanges: Exchange[] = []
  const { hostname, port } = new URL(sandbox.urls.providers)
  const recording: typeof fetch = async (address, init) => {
    const response = await fetch(address, init)
    const url = new URL(address instanceof Request ? address.url : address)
    const path = `${url.pathname}${url.search}`
    const body = typeof init?.body === 'string' && init.body !== '' ? init.body : undefined
    exchanges.push({
      method: init?.method ?? 'GET',
      path,
      body,
      status: response.status,
      answer: await response.clone().json(),
    })
    return response
  }
  const stripe = new Stripe('sk_test_sandbox', {
    host: hostname,
    port,
    protocol: 'http',
    maxNetworkRetries: 0,
    telemetry: false,
    httpClient: Stripe.createFetchHttpClient(recording),
  })
  const happen = (type: string, details: Record<string, unknown>) => sandbox.happen('stripe', { type, ...details })
  await catalogue(stripe)
  await customers(stripe)
  await checkouts(stripe, happen)
  await subscriptions(stripe, happen)
  await invoices(stripe, happen, sandbox)
  await money(stripe, happen)
  const { providers: baseUrl } = sandbox.urls
  const named = await accountOfEverything(stripe, happen, () => sandbox.advanceClock(32 * seconds.day))
  await callEverything(createStripe({ secretKey: 'sk_test_sandbox', baseUrl, fetch: recording }), named)
  let after: string | undefined
  do {
    const page = await stripe.events.list({ limit: 100, ...(after && { starting_after: after }) })
    after = page.has_more ? page.data.at(-1)?.id : undefined
    await stripe.events.retrieve(page.data[0]?.id ?? '')
  } while (after)
  return exchanges
}

type Happen = (type: string, details: Record<string, unknown>) => Promise<void>

async function catalogue(stripe: Stripe) {
  const product = await stripe.products.create({ name: 'Seats', metadata: { a: 'b' } })
  await stripe.products.retrieve(product.id)
  await stripe.products.list()
  const recurring = { interval: 'month' as const, interval_count: 3 }
  const price = await stripe.prices.create({
    product: product.id,
    currency: 'usd',
    unit_amount: 700,
    recurring,
    nickname: 'Seat',
  })
  await stripe.prices.retrieve(price.id, { expand: ['product'] })
  await stripe.prices.list({ active: true })
}

async function customers(stripe: Stripe) {
  const customer = await aCustomer(stripe, 'pm_card_amex', { name: 'Ann', metadata: { organisationId: 'org' } })
  const card = await stripe.paymentMethods.create({
    type: 'card',
    card: { number: '4242424242424242', exp_month: 3, exp_year: 2030, cvc: '123' },
  })
  await stripe.paymentMethods.attach(card.id, { customer: customer.id })
  await stripe.customers.update(customer.id, {
    invoice_settings: { default_payment_method: card.id },
    name: '',
    balance: -500,
  })
  await stripe.paymentMethods.retrieve(card.id, { expand: ['customer'] })
  await stripe.paymentMethods.list({ customer: customer.id, type: 'card' })
  await stripe.customers.listPaymentMethods(customer.id)
  await stripe.paymentMethods.detach(card.id)
  await stripe.customers.list({ email: 'ann@example.com', created: { gte: 1 } })
  await stripe.customers.retrieve(customer.id, { expand: ['subscriptions'] })
  await stripe.billingPortal.sessions.create({ customer: customer.id, return_url: 'https://example.com' })
  await stripe.customers.del(customer.id)
  await stripe.customers.retrieve(customer.id)
}

async function checkouts(stripe: Stripe, happen: Happen) {
  const success_url = 'https://example.com'
  const line_items = [{ price: 'price_scout', quantity: 1 }]
  const session = await stripe.checkout.sessions.create({ mode: 'subscription', line_items, success_url })
  await happen('checkout.complete', { sessionId: session.id })
  await stripe.checkout.sessions.retrieve(session.id, { expand: ['line_items', 'customer', 'subscription', 'invoice'] })
  await stripe.checkout.sessions.listLineItems(session.id)
  const price_data = { currency: 'usd', unit_amount: 5_000, product_data: { name: 'Credits' } }
  const once = [{ price_data, quantity: 2 }]
  const payment_intent_data = { setup_future_usage: 'off_session' as const, metadata: { pack: '1' } }
  const pack = await stripe.checkout.sessions.create({
    mode: 'payment',
    line_items: once,
    success_url,
    customer_creation: 'always',
    payment_intent_data,
  })
  await happen('checkout.complete', { sessionId: pack.id, paymentMethod: 'pm_card_visa_chargeDeclined' })
  await stripe.checkout.sessions.retrieve(pack.id, { expand: ['payment_intent'] })
  await happen('checkout.complete', { sessionId: pack.id })
  await stripe.checkout.sessions.retrieve(pack.id, { expand: ['payment_intent.latest_charge'] })
  const setup = await stripe.checkout.sessions.create({
    mode: 'setup',
    currency: 'usd',
    success_url,
    customer: (await aCustomer(stripe)).id,
  })
  await happen('checkout.complete', { sessionId: setup.id })
  const done = await stripe.checkout.sessions.retrieve(setup.id)
  await stripe.setupIntents.retrieve(idOf(done.setup_intent))
  await stripe.checkout.sessions.expire(
    (
      await stripe.checkout.sessions.create({
        mode: 'payment',
        line_items: [{ price: 'price_pack', quantity: 1 }],
        success_url,
      })
    ).id,
  )
  await stripe.checkout.sessions.list({ status: 'complete' })
}

async function subscriptions(stripe: Stripe, happen: Happen) {
  const now = Math.floor(Date.now() / 1000)
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: now, name: 'two years' })
  await stripe.testHelpers.testClocks.list()
  const { id: customer } = await aCustomer(stripe, 'pm_card_visa', { test_clock: clock.id })
  const items = [{ price: 'price_scout' }]
  const begun = await stripe.subscriptions.create({ customer, items, trial_period_days: 10, metadata: { a: 'b' } })
  await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: now + 45 * seconds.day })
  await stripe.testHelpers.testClocks.retrieve(clock.id)
  await stripe.subscriptions.retrieve(begun.id, {
    expand: ['latest_invoice.payments', 'customer', 'default_payment_method'],
  })
  const item = begun.items.data[0]?.id ?? ''
  const details = { items: [{ id: item, price: 'price_hunter' }], proration_behavior: 'always_invoice' as const }
  await stripe.invoices.createPreview({ subscription: begun.id })
  await stripe.invoices.createPreview({ subscription: begun.id, subscription_details: details })
  await stripe.subscriptions.update(begun.id, { ...details, payment_behavior: 'error_if_incomplete' })
  await stripe.subscriptions.update(begun.id, { items: [{ id: item, quantity: 3 }] })
  const failing = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer })
  const pending = { payment_behavior: 'pending_if_incomplete' as const, proration_behavior: 'always_invoice' as const }
  await stripe.subscriptions.update(begun.id, { default_payment_method: failing.id })
  await stripe.subscriptions.update(begun.id, { items: [{ id: item, quantity: 9 }], ...pending })
  await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: now + 47 * seconds.day })
  const due = await stripe.subscriptions.update(begun.id, { items: [{ id: item, quantity: 9 }], ...pending })
  const good = await stripe.paymentMethods.attach('pm_card_visa', { customer })
  await stripe.invoices.pay(idOf(due.latest_invoice), { payment_method: good.id })
  await stripe.subscriptions.update(begun.id, { default_payment_method: '', pause_collection: { behavior: 'void' } })
  await stripe.subscriptions.update(begun.id, { cancel_at_period_end: true, pause_collection: '' })
  await stripe.subscriptions.update(begun.id, { cancel_at_period_end: false, trial_end: now + 60 * seconds.day })
  await stripe.subscriptions.cancel(begun.id)

  const asking = await aCustomer(stripe, 'pm_card_authenticationRequired', { test_clock: clock.id })
  await stripe.subscriptions.create({ customer: asking.id, items })
  const bare = await stripe.customers.create({ test_clock: clock.id })
  const trial_settings = { end_behavior: { missing_payment_method: 'pause' as const } }
  const paused = await stripe.subscriptions.create({ customer: bare.id, items, trial_period_days: 1, trial_settings })
  const incomplete = await stripe.subscriptions.create({
    customer: bare.id,
    items,
    payment_behavior: 'default_incomplete',
  })
  await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: now + 50 * seconds.day })
  await stripe.subscriptions.retrieve(incomplete.id)
  await happen('portal.newCard', { customer: bare.id, paymentMethod: 'pm_card_visa' })
  await stripe.subscriptions.resume(paused.id)
  await stripe.subscriptions.list({ status: 'all', customer: bare.id, expand: ['data.latest_invoice'] })
}

async function invoices(stripe: Stripe, happen: Happen, sandbox: TestSandbox) {
  const { id: customer } = await aCustomer(stripe)
  const { id } = await stripe.subscriptions.create({ customer, items: [{ price: 'price_scout' }] })
  const [card] = (await stripe.paymentMethods.list({ customer })).data
  await happen('card.decline', { paymentMethod: card?.id, declineCode: 'lost_card' })
  await sandbox.advanceClock(33 * seconds.day)
  const [open] = (await stripe.invoices.list({ subscription: id, expand: ['data.payments'] })).data
  await stripe.invoices.pay(open?.id ?? '').catch(() => null)
  await stripe.invoices.update(open?.id ?? '', { auto_advance: false, metadata: { a: 'b' } })
  await stripe.invoicePayments.list({ invoice: open?.id ?? '' })
  await stripe.invoices.markUncollectible(open?.id ?? '')
  await stripe.invoices.voidInvoice(open?.id ?? '')
  await stripe.invoices.retrieve(open?.id ?? '', { expand: ['payments.data.payment.payment_intent'] })
  await stripe.subscriptions.update(id, { pause_collection: { behavior: 'keep_as_draft' } })
  await sandbox.advanceClock(31 * seconds.day)
  await stripe.invoices.listLineItems(open?.id ?? '')
  await stripe.subscriptionItems.list({ subscription: id })
  const [draft] = (await stripe.invoices.list({ subscription: id, status: 'draft' })).data
  await stripe.invoices.finalizeInvoice(draft?.id ?? '', { auto_advance: false })
  await happen('card.decline', { paymentMethod: card?.id, declineCode: null })
  await stripe.invoices.pay(draft?.id ?? '')
  const alone = await stripe.invoices.create({ customer, currency: 'usd', metadata: { a: 'b' } })
  await stripe.invoiceItems.create({ customer, invoice: alone.id, pricing: { price: 'price_pack' }, quantity: 2 })
  await stripe.invoices.pay(alone.id)
}

async function money(stripe: Stripe, happen: Happen) {
  const { id: customer } = await aCustomer(stripe)
  const pay = (payment_method: string) =>
    stripe.paymentIntents.create({
      amount: 2_000,
      currency: 'usd',
      customer,
      payment_method,
      confirm: true,
      description: 'Credits',
    })
  const intent = await pay('pm_card_mastercard')
  await stripe.paymentIntents.retrieve(intent.id, { expand: ['latest_charge', 'payment_method'] })
  await stripe.paymentIntents.list({ customer })
  const asking = await pay('pm_card_authenticationRequired')
  await happen('payment.authenticate', { paymentIntent: asking.id })
  await stripe.charges.list({ customer })
  await stripe.charges.retrieve(idOf(intent.latest_charge), { expand: ['refunds'] })
  const refund = await stripe.refunds.create({
    payment_intent: intent.id,
    amount: 500,
    reason: 'requested_by_customer',
  })
  await stripe.refunds.retrieve(refund.id)
  await stripe.refunds.list({ payment_intent: intent.id })
  await happen('refund.fail', { refundId: refund.id })
  const disputed = await pay('pm_card_createDispute')
  const [dispute] = (await stripe.disputes.list({ payment_intent: disputed.id })).data
  await stripe.disputes.update(dispute?.id ?? '', {
    evidence: { product_description: 'Credits' },
    submit: false,
    metadata: { a: 'b' },
  })
  await stripe.disputes.update(dispute?.id ?? '', { evidence: { customer_name: 'Ann' } })
  await happen('dispute.win', { disputeId: dispute?.id })
  await stripe.disputes.retrieve(dispute?.id ?? '', { expand: ['charge'] })
  await happen('dispute.open', { paymentIntent: asking.id })
  const [lost] = (await stripe.disputes.list({ payment_intent: asking.id })).data
  await stripe.disputes.close(lost?.id ?? '')
  const payload = { stripe_customer_id: customer, value: '3' }
  await stripe.billing.meterEvents.create({ event_name: 'searches', payload, identifier: 'meter-1' })
}
