import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Stripe } from 'stripe'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startTestSandbox, type TestSandbox } from '../../support/sandbox.ts'
import {
  aCustomer,
  openStripe,
  prices,
  type StripeWorld,
  seconds,
  stripeOn,
  stripeSecret,
} from '../../support/stripe.ts'
import type { WebhookCatcher } from '../../support/webhook-catcher.ts'

let world: StripeWorld
let catcher: WebhookCatcher
let sandbox: TestSandbox
let stripe: Stripe
let wait: StripeWorld['wait']
let happen: StripeWorld['happen']

beforeEach(async () => {
  world = await openStripe()
  ;({ catcher, sandbox, stripe, wait, happen } = world)
})
afterEach(() => world[Symbol.asyncDispose]())

const heard = () => catcher.caught.map(({ rawBody }): Stripe.Event => JSON.parse(rawBody.toString()))
const hears = (count: number) =>
  eventually(() => expect(catcher.caught).toHaveLength(count), { timeout: 10_000, interval: 10 })

describe('a key', () => {
  const params = { email: 'ann@example.com' }

  test('brings the first answer again, and refuses other parameters', async () => {
    const first = await stripe.customers.create(params, { idempotencyKey: 'key-1' })
    const again = await stripe.customers.create(params, { idempotencyKey: 'key-1' })
    expect(again.id).toBe(first.id)
    expect(again.lastResponse.headers['idempotent-replayed']).toBe('true')
    expect((await stripe.customers.list()).data).toHaveLength(1)
    const other = stripe.customers.create({ email: 'bob@example.com' }, { idempotencyKey: 'key-1' })
    await expect(other).rejects.toThrow(Stripe.errors.StripeIdempotencyError)
    await sandbox.advanceClock(seconds.day + 1)
    expect((await stripe.customers.create(params, { idempotencyKey: 'key-1' })).id).not.toBe(first.id)
  })

  test('keeps a failure, too, whether of Stripe or of a bank, but not wrong parameters', async () => {
    await happen('requests.fail', { operation: 'customers.create' })
    const create = (key: string) => stripe.customers.create(params, { idempotencyKey: key })
    await expect(create('key-2')).rejects.toThrow(Stripe.errors.StripeAPIError)
    await expect(create('key-2')).rejects.toThrow(Stripe.errors.StripeAPIError)
    const { id } = await create('key-3')
    const attach = (card: string) => stripe.paymentMethods.attach(card, { customer: id }, { idempotencyKey: 'key-4' })
    await expect(attach('pm_card_chargeDeclined')).rejects.toMatchObject({ code: 'card_declined', statusCode: 402 })
    await expect(attach('pm_card_chargeDeclined')).rejects.toMatchObject({ code: 'card_declined', statusCode: 402 })
    await expect(
      stripe.customers.create({ payment_method: 'x', ...wrong }, { idempotencyKey: 'key-5' }),
    ).rejects.toThrow()
    await create('key-5')
  })

  const wrong: object = { e_mail: 'x' }
})

test('what Stripe does not know is refused in its words', async () => {
  await expect(stripeOn(sandbox, 'sk_test_wrong').customers.list()).rejects.toThrow(
    Stripe.errors.StripeAuthenticationError,
  )
  await expect(stripe.customers.retrieve('cus_nobody')).rejects.toMatchObject({
    statusCode: 404,
    code: 'resource_missing',
  })
  const { id: customer } = await aCustomer(stripe)
  const unpriced = stripe.subscriptions.create({ customer, items: [{ price: 'price_unknown' }] })
  await expect(unpriced).rejects.toMatchObject({ code: 'resource_missing', param: 'items[0][price]' })
  const unknown: object = { colour: 'red' }
  await expect(stripe.customers.create(unknown)).rejects.toMatchObject({ code: 'parameter_unknown', param: 'colour' })
  await expect(stripe.rawRequest('GET', '/v1/nothing')).rejects.toMatchObject({ statusCode: 404 })
})

test('an event that cannot be leaves no trace', async () => {
  const { id } = await stripe.paymentIntents.create({
    amount: 100,
    currency: 'usd',
    payment_method: 'pm_card_visa',
    confirm: true,
  })
  await happen('dispute.open', { paymentIntent: id })
  const before = (await stripe.events.list({ limit: 100 })).data.length
  for (const event of [
    { type: 'dispute.open', paymentIntent: id },
    { type: 'dispute.win', disputeId: 'du_none' },
    { type: 'x' },
  ]) {
    expect((await sandbox.control('POST', '/_sandbox/events', { provider: 'stripe', ...event })).status).toBe(400)
  }
  expect((await stripe.events.list({ limit: 100 })).data).toHaveLength(before)
})

test('a reset forgets everything but the prices known from the start', async () => {
  await aCustomer(stripe)
  await sandbox.control('DELETE', '/_sandbox')
  expect((await stripe.customers.list()).data).toEqual([])
  expect(await stripe.prices.retrieve('price_scout')).toMatchObject({
    unit_amount: 9_900,
    recurring: { interval: 'month' },
  })
  const { id: customer } = await aCustomer(stripe)
  const { id } = await stripe.subscriptions.create({
    customer,
    items: [{ price: 'price_scout' }],
    trial_period_days: 1,
  })
  const before = catcher.caught.length
  await wait(1.1)
  // Nobody asks: the sandbox looks by itself.
  await eventually(
    () =>
      expect(
        heard()
          .slice(before)
          .map(({ type }) => type),
      ).toContain('invoice.paid'),
    { timeout: 10_000, interval: 10 },
  )
  expect(await stripe.subscriptions.retrieve(id)).toMatchObject({ status: 'active' })
})

describe('webhooks', () => {
  test('come as often and as shuffled as somebody says, each signed by a true clock', async () => {
    await wait(400)
    const { id } = await stripe.checkout.sessions.create({
      mode: 'payment',
      line_items: [{ price: 'price_pack', quantity: 1 }],
    })
    await happen('checkout.complete', { sessionId: id, duplicates: 3, reorder: true, seed: 5 })
    await hears(12)
    const types = heard().map(({ type }) => type)
    expect(new Set(types).size).toBe(4)
    expect(types).not.toEqual(types.toSorted())
    for (const { rawBody, headers } of catcher.caught) {
      stripe.webhooks.constructEvent(rawBody, headers['stripe-signature'] ?? '', stripeSecret)
    }
  })

  test('are lost, kept back or sent again on request, and listed all the same', async () => {
    await happen('webhooks.manner', { lost: 1 })
    await stripe.customers.create()
    await happen('webhooks.manner', { lost: 0, duplicates: 2 })
    await stripe.customers.create()
    await hears(2)
    await happen('webhooks.off')
    await stripe.customers.create()
    await happen('webhooks.on', { duplicates: 1 })
    const { data } = await stripe.events.list({ type: 'customer.created' })
    expect(data).toHaveLength(3)
    await happen('event.resend', { eventId: data[2]?.id })
    await hears(3)
    expect(heard().map(({ id }) => id)).toEqual([data[1]?.id, data[1]?.id, data[2]?.id])
  })

  test('that were not heard before a kill are sent after it, and everything is as it was', async () => {
    const stateDir = await mkdtemp(join(tmpdir(), 'throughline-sandbox-'))
    onTestFinished(() => rm(stateDir, { recursive: true }))
    const options = { stateDir, stripe: { webhook: { url: catcher.url, secret: stripeSecret }, prices } }
    catcher.refuse(1_000)
    const before = await startTestSandbox(options)
    const customer = await aCustomer(stripeOn(before))
    const subscription = await stripeOn(before).subscriptions.create({
      customer: customer.id,
      items: [{ price: 'price_scout' }],
    })
    const events = (await stripeOn(before).events.list({ limit: 100 })).data
    await before.close()
    expect(catcher.caught).toEqual([])
    catcher.refuse(-1_000)
    await using after = await startTestSandbox(options)
    expect(await stripeOn(after).subscriptions.retrieve(subscription.id)).toMatchObject({ status: 'active' })
    await eventually(() => expect(new Set(heard().map(({ id }) => id)).size).toBe(events.length), {
      timeout: 10_000,
      interval: 10,
    })
    await after.advanceClock(31 * seconds.day)
    expect((await stripeOn(after).invoices.list({ customer: customer.id })).data).toHaveLength(2)
  })
})

describe('money', () => {
  const pay = (payment_method = 'pm_card_visa') =>
    stripe.paymentIntents.create({ amount: 5_000, currency: 'usd', payment_method, confirm: true })

  test('of a checkout that the bank refuses leaves the page open, for a day', async () => {
    const { id } = await stripe.checkout.sessions.create({
      mode: 'payment',
      line_items: [{ price: 'price_pack', quantity: 1 }],
    })
    await happen('checkout.complete', { sessionId: id, paymentMethod: 'pm_card_visa_chargeDeclinedInsufficientFunds' })
    expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ status: 'open', payment_status: 'unpaid' })
    expect((await stripe.events.list({ type: 'payment_intent.payment_failed' })).data).toHaveLength(1)
    await wait(1.01)
    expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ status: 'expired' })
    const late = await sandbox.control('POST', '/_sandbox/events', {
      provider: 'stripe',
      type: 'checkout.complete',
      sessionId: id,
    })
    expect(late.status).toBe(400)
  })

  test('comes with the e-mail address of whoever has given none yet', async () => {
    const line_items = [{ price: 'price_pack', quantity: 1 }]
    const { id: customer } = await stripe.customers.create({ name: 'An organisation' })
    for (const email of ['ann@example.com', 'bob@example.com']) {
      const { id } = await stripe.checkout.sessions.create({ mode: 'payment', customer, line_items })
      await happen('checkout.complete', { sessionId: id, email })
      expect(await stripe.customers.retrieve(customer)).toMatchObject({ email: 'ann@example.com' })
    }
    expect((await stripe.events.list({ type: 'customer.updated' })).data).toHaveLength(1)
  })

  test('is given back once, and not while the bank has it', async () => {
    const { id: payment_intent } = await pay()
    await stripe.refunds.create({ payment_intent, amount: 2_000 })
    await expect(stripe.refunds.create({ payment_intent, amount: 3_001 })).rejects.toMatchObject({ param: 'amount' })
    await stripe.refunds.create({ payment_intent })
    await expect(stripe.refunds.create({ payment_intent })).rejects.toMatchObject({ code: 'charge_already_refunded' })
    const disputed = await pay('pm_card_createDispute')
    await expect(stripe.refunds.create({ payment_intent: disputed.id })).rejects.toMatchObject({
      code: 'charge_disputed',
    })
  })

  test('of a dispute that nobody answers is lost when the answer was due', async () => {
    const { id } = await pay()
    await happen('dispute.open', { paymentIntent: id, days: 7 })
    await wait(6.9)
    expect((await stripe.disputes.list({ payment_intent: id })).data).toMatchObject([{ status: 'needs_response' }])
    await wait(0.2)
    expect((await stripe.disputes.list({ payment_intent: id })).data).toMatchObject([{ status: 'lost' }])
  })

  test('of a meter event counts once by its identifier', async () => {
    const event = { event_name: 'searches', payload: { stripe_customer_id: 'cus_1', value: '2' }, identifier: 'one' }
    await stripe.billing.meterEvents.create(event)
    await expect(stripe.billing.meterEvents.create(event)).rejects.toMatchObject({ statusCode: 400 })
  })
})
