import { expect, test } from 'vitest'
import { z } from 'zod'
import { ProviderError } from '../../activities/ports.ts'
import { permissions } from '../../api/permissions.ts'
import { platformOrganisationId } from '../../db/organisations.ts'
import { subscriptionId } from '../../workflows/contracts/subscription-lifecycle.ts'
import { testApi } from '../support/api.ts'
import { standInBilling } from '../support/billing-provider.ts'
import { billingRows, factsOf, rowPrices, scoutRow } from '../support/billing-rows.ts'
import { eventually } from '../support/eventually.ts'

const billing = standInBilling()
const { ask, database, system, neighbour, keyWith, stories } = await testApi({ billing, stripePrices: rowPrices })
const platform = await keyWith(await platformOrganisationId(system), permissions)

const addresses = {
  successUrl: 'https://example.com/paid?session={CHECKOUT_SESSION_ID}',
  cancelUrl: 'http://localhost/plans',
}
const buy = async (key: string, body: object, idempotencyKey?: string) => {
  const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }
  const response = await ask('POST', '/billing/checkout', { key, headers, body: { ...addresses, ...body } })
  return { status: response.status, body: z.looseObject({}).parse(await response.json()) }
}
const scout = { planKey: 'scout' }
/** Also what no webhook has told. */
const stripeHas = (organisationId: string, rows: Parameters<typeof factsOf>[0]) => {
  const shown = { card: null, openInvoices: [], disputes: [], subscriptions: [] }
  billing.accounts.set(`cus_${organisationId}`, { facts: factsOf(rows), shown, paymentIds: [], email: null })
}
const lastWanted = () => [...billing.checkouts.values()].at(-1)

test('a first checkout makes the customer, begins the story, and offers the trial', async () => {
  const { organisationId, key } = await neighbour()
  const { status, body } = await buy(key, scout)
  expect(status).toBe(201)
  expect(body).toEqual({ id: expect.any(String), url: expect.any(String), expiresAt: '2026-11-22T00:00:00.000Z' })
  const customerId = billing.customers.get(`billing/${organisationId}/customer`)
  expect(lastWanted()).toEqual({
    customerId,
    priceId: 'price_scout',
    quantity: 1,
    subscription: { trialDays: 14 },
    ...addresses,
  })
  const workflowId = subscriptionId(organisationId)
  await eventually(() => expect(stories.delivered).toContainEqual(expect.objectContaining({ workflowId })), {
    timeout: 10_000,
    interval: 20,
  })
})

test('first checkouts at the same moment end with one customer', async () => {
  const { organisationId, key } = await neighbour()
  const before = billing.customers.size
  const all = await Promise.all(Array.from({ length: 5 }, () => buy(key, scout)))
  expect(all.map(({ status }) => status)).toEqual(all.map(() => 201))
  expect(billing.customers.size).toBe(before + 1)
  const rows = await database.as(organisationId, (tx) => tx`select stripe_id from stripe_customers`)
  expect(rows).toEqual([{ stripeId: billing.customers.get(`billing/${organisationId}/customer`) }])
})

test('the same key opens one page, also where the first answer was lost, and another key another one', async () => {
  const { key, organisationId } = await neighbour()
  const first = await buy(key, scout, 'order-1')
  expect(await buy(key, scout, 'order-1')).toEqual(first)
  await database.as(organisationId, (tx) => tx`delete from idempotency_keys`)
  expect(await buy(key, scout, 'order-1')).toEqual(first)
  expect((await buy(key, scout, 'order-2')).body['id']).not.toBe(first.body['id'])
  expect((await buy(key, { planKey: 'starter' }, 'order-1')).status).toBe(422)
})

test('a failure that Stripe keeps under a key is not asked for again under it', async () => {
  const { key } = await neighbour()
  const { startCheckout } = billing
  const keys: string[] = []
  billing.startCheckout = (wanted, under, signal) => {
    keys.push(under)
    if (keys.length === 1) return Promise.reject(new ProviderError('stripe', 'unconfirmed', 'http_500'))
    return startCheckout(wanted, under, signal)
  }
  expect((await buy(key, scout)).status).toBe(201)
  billing.startCheckout = startCheckout
  expect(new Set(keys).size).toBe(2)
})

test('who has subscribed before gets no second trial, and a family that is there is changed instead', async () => {
  const { organisationId, key } = await neighbour()
  await billingRows(database, organisationId, [scoutRow()])
  const again = await buy(key, { planKey: 'hunter', priceKey: 'monthly-149' })
  expect(again).toMatchObject({
    status: 409,
    body: { code: 'wrong_state', detail: expect.stringContaining('change-plan') },
  })
  expect((await buy(key, { planKey: 'starter', priceKey: 'monthly' })).status).toBe(201)
  expect(lastWanted()?.subscription).toEqual({ trialDays: null })
  await database.as(organisationId, (tx) => tx`update subscriptions set state = 'ended', stripe_status = 'canceled'`)
  expect((await buy(key, scout)).status).toBe(201)
  expect(lastWanted()?.subscription).toEqual({ trialDays: null })
})

test('whose first payment never came has not subscribed; while it may come they are told', async () => {
  const { organisationId, key } = await neighbour()
  await billingRows(database, organisationId, [scoutRow({ stripeStatus: 'incomplete', state: 'suspended' })])
  expect(await buy(key, scout)).toMatchObject({
    status: 409,
    body: { detail: expect.stringContaining('first payment') },
  })
  await database.as(
    organisationId,
    (tx) => tx`update subscriptions set state = 'ended', stripe_status = 'incomplete_expired'`,
  )
  expect((await buy(key, scout)).status).toBe(201)
  expect(lastWanted()?.subscription).toEqual({ trialDays: 14 })
})

test('a page for a subscription closes those before it, also under a key whose answer was lost; others close none', async () => {
  const { key, organisationId } = await neighbour()
  const before = billing.kept.length
  const { body } = await buy(key, scout, 'order-1')
  await database.as(organisationId, (tx) => tx`delete from idempotency_keys`)
  await buy(key, scout, 'order-1')
  const other = await buy(key, scout)
  expect((await buy(key, { planKey: 'calls-60' })).status).toBe(201)
  expect(billing.kept.slice(before)).toEqual([body['id'], body['id'], other.body['id']])
})

test('a page after which another one was opened is not given out', async () => {
  const { key } = await neighbour()
  const { expireCheckouts } = billing
  billing.expireCheckouts = async () => false
  const refused = await buy(key, scout)
  billing.expireCheckouts = expireCheckouts
  expect(refused).toMatchObject({
    status: 409,
    body: { code: 'conflict', detail: expect.stringContaining('after it') },
  })
})

test('a page is not given out while those before it may be open', async () => {
  const { key } = await neighbour()
  const { expireCheckouts } = billing
  billing.expireCheckouts = () => Promise.reject(new ProviderError('stripe', 'retry', 'network'))
  expect(await buy(key, scout, 'order-1')).toMatchObject({ status: 503, body: { code: 'temporarily_unavailable' } })
  billing.expireCheckouts = expireCheckouts
  expect((await buy(key, scout, 'order-1')).status).toBe(201)
})

test.each([
  ['active', 'change-plan'],
  ['incomplete', 'first payment'],
] as const)('a subscription that Stripe has as %s and we have not heard of refuses another', async (status, advice) => {
  const { organisationId, key } = await neighbour()
  await billingRows(database, organisationId, [])
  stripeHas(organisationId, [scoutRow({ stripeStatus: status })])
  const refused = await buy(key, { planKey: 'hunter', priceKey: 'monthly-149' })
  expect(refused).toMatchObject({ status: 409, body: { code: 'wrong_state', detail: expect.stringContaining(advice) } })
  const workflowId = subscriptionId(organisationId)
  await eventually(() => expect(stories.delivered).toContainEqual(expect.objectContaining({ workflowId })), {
    timeout: 10_000,
    interval: 20,
  })
  expect((await buy(key, { planKey: 'starter', priceKey: 'monthly' })).status).toBe(201)
})

test('what has ended at Stripe refuses nothing', async () => {
  const { organisationId, key } = await neighbour()
  await billingRows(database, organisationId, [])
  stripeHas(organisationId, [scoutRow({ stripeStatus: 'canceled' }), scoutRow({ stripeStatus: 'incomplete_expired' })])
  expect((await buy(key, scout)).status).toBe(201)
})

test('credits are bought beside any subscription, several at once', async () => {
  const { key } = await neighbour()
  expect((await buy(key, { planKey: 'calls-60', quantity: 3 })).status).toBe(201)
  expect(lastWanted()).toMatchObject({ priceId: 'price_calls', quantity: 3, subscription: null })
})

test.each([
  [{ planKey: 'nothing' }, '/planKey', /GET \/plans/],
  [{ planKey: 'hunter' }, '/priceKey', /monthly-149, monthly-249/],
  [{ planKey: 'scout', priceKey: 'weekly' }, '/priceKey', /give one of monthly/],
  [{ planKey: 'scout', quantity: 2 }, '/quantity', /once/],
  [{ planKey: 'scout', successUrl: 'javascript:alert(1)' }, '/successUrl', /https/],
  [{ planKey: 'scout', email: 'a@example.com' }, '/email', /no such field/],
])('%j is refused where it is wrong', async (body, pointer, detail) => {
  const { key } = await neighbour()
  const refused = await buy(key, body)
  expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer, detail: expect.stringMatching(detail) }] } })
})

test('what is not for sale is refused with where to look', async () => {
  const { key } = await neighbour()
  expect(await buy(key, { planKey: 'hunter', priceKey: 'monthly-249' })).toMatchObject({
    status: 409,
    body: { code: 'wrong_state', detail: expect.stringContaining('isForSale') },
  })
  await ask('POST', '/plans/starter/retire', { key: platform })
  expect(await buy(key, { planKey: 'starter', priceKey: 'monthly' })).toMatchObject({
    status: 409,
    body: { code: 'wrong_state', detail: expect.stringContaining('retired') },
  })
  const { startCheckout } = billing
  billing.startCheckout = () => Promise.reject(new ProviderError('stripe', 'rejected', 'no_such_price'))
  expect(await buy(key, scout)).toMatchObject({ status: 409, body: { detail: expect.stringContaining('another') } })
  billing.startCheckout = startCheckout
})

test('the portal opens for who has checked out before', async () => {
  const { organisationId, key } = await neighbour()
  const open = () => ask('POST', '/billing/portal', { key, body: { returnUrl: 'https://example.com/billing' } })
  const refused = await open()
  expect([refused.status, await refused.json()]).toMatchObject([
    409,
    { detail: expect.stringContaining('/billing/checkout') },
  ])
  await billingRows(database, organisationId, [])
  expect(await (await open()).json()).toEqual({ url: `https://portal.example.com/cus_${organisationId}` })
})
