import { expect, test } from 'vitest'
import { z } from 'zod'
import { permissions } from '../../api/permissions.ts'
import { platformOrganisationId } from '../../db/organisations.ts'
import { subscriptionId } from '../../workflows/contracts/subscription-lifecycle.ts'
import { testApi } from '../support/api.ts'
import { billingRows, june, rowPrices, scoutRow } from '../support/billing-rows.ts'

const { ask, database, system, neighbour, keyWith, stories } = await testApi({ stripePrices: rowPrices })
const platformId = await platformOrganisationId(system)
const platform = await keyWith(platformId, permissions)
const asked: string[] = []
stories.change = async (workflowId) => {
  asked.push(workflowId)
  return 'done'
}

const post = async (path: string, body: object, key = platform) => {
  const response = await ask('POST', path, { key, body })
  return { status: response.status, body: z.looseObject({}).parse(await response.json()) }
}
const requestsOf = (organisationId: string) =>
  database.as(organisationId, (tx) => tx`select request, actor from billing_requests order by id`)

const payment = (id: string, amount: number) => ({ id, paidAt: june.startsAt, amount, currency: 'USD', lines: [] })
const refund = (paymentId: string, amount: number, status: 'succeeded' | 'failed') => ({
  id: `re_${amount}`,
  paymentId,
  amount,
  status,
  at: june.startsAt,
})

test('operators refund what is left of a payment, and the row is the organisation’s', async () => {
  const { organisationId } = await neighbour()
  const payments = [payment('in_paid', 9_900), payment('in_gone', 500)]
  const refunds = [
    refund('in_paid', 900, 'succeeded'),
    refund('in_paid', 5_000, 'failed'),
    refund('in_gone', 500, 'succeeded'),
  ]
  await billingRows(database, organisationId, [scoutRow()], { facts: { payments, refunds } })
  const give = (more: object) => post('/billing/refunds', { organisationId, paymentId: 'in_paid', ...more })
  expect(await give({ amount: 9_001 })).toMatchObject({
    status: 400,
    body: { errors: [{ pointer: '/amount', detail: expect.stringContaining('9000') }] },
  })
  expect((await give({ amount: 9_000 })).status).toBe(200)
  expect((await give({})).status).toBe(200)
  expect((await give({ paymentId: 'in_gone' })).status).toBe(409)
  expect((await give({ paymentId: 'in_other' })).status).toBe(404)
  expect(await requestsOf(organisationId)).toMatchObject([
    { request: { kind: 'refund', paymentId: 'in_paid', amount: 9_000 }, actor: expect.stringMatching(/^key:/) },
    { request: { kind: 'refund', paymentId: 'in_paid', amount: null } },
  ])
  expect(new Set(asked)).toEqual(new Set([subscriptionId(organisationId)]))
})

test('what stands to the customer’s credit is not refunded beside it unless an amount is given; nor is what took no money', async () => {
  const { organisationId } = await neighbour()
  const payments = [payment('in_paid', 9_900), payment('in_balance', 0)]
  const balance = { amount: 4_000, currency: 'USD' }
  await billingRows(database, organisationId, [scoutRow()], { facts: { payments }, shown: { balance } })
  const give = (more: object) => post('/billing/refunds', { organisationId, paymentId: 'in_paid', ...more })
  expect(await give({})).toMatchObject({ status: 409, body: { detail: expect.stringContaining('4000') } })
  expect((await give({ amount: 5_900 })).status).toBe(200)
  expect(await give({ paymentId: 'in_balance' })).toMatchObject({
    body: { detail: expect.stringContaining('no money') },
  })
})

test('a payment of long ago is refunded by its name; while a dispute is open none is', async () => {
  const { organisationId } = await neighbour()
  await billingRows(database, organisationId, [scoutRow()], { isFrozen: true })
  await database.as(organisationId, (tx) => tx`insert into stripe_payments (stripe_id) values ('pi_old')`)
  const old = { organisationId, paymentId: 'pi_old' }
  expect(await post('/billing/refunds', old)).toMatchObject({
    status: 409,
    body: { detail: expect.stringContaining('dispute') },
  })
  await database.as(organisationId, (tx) => tx`update billing_states set is_frozen = false`)
  expect((await post('/billing/refunds', old)).status).toBe(200)
})

test('a timer that is ours can be moved, one of Stripe’s or of a top-up cannot', async () => {
  const { organisationId } = await neighbour()
  const timer = (key: string, isMovable: boolean) => ({ key, at: june.endsAt, what: 'renewal' as const, isMovable })
  const topUp = { ...timer('rested', false), what: 'top_up' as const }
  const timers = [timer('ours', true), timer('theirs', false), topUp]
  await billingRows(database, organisationId, [scoutRow()], { timers })
  const move = (key: string, to = '2026-06-20T09:00:00Z') => post('/billing/timers/move', { organisationId, key, to })
  expect((await move('ours')).status).toBe(200)
  expect(await move('theirs')).toMatchObject({ status: 409, body: { code: 'wrong_state' } })
  const rested = await move('rested')
  expect(rested).toMatchObject({ status: 409, body: { detail: expect.stringContaining('coolDown') } })
  expect((await move('none')).status).toBe(404)
  expect((await move('ours', 'tomorrow')).status).toBe(400)
  expect(await requestsOf(organisationId)).toMatchObject([
    { request: { kind: 'move_timer', timerKey: 'ours', to: Date.UTC(2026, 5, 20, 9) } },
  ])
})

test('a switch goes on with a reason, and off without', async () => {
  const { organisationId } = await neighbour()
  const flip = (body: object) => post('/billing/switches', { organisationId, name: 'noDunning', ...body })
  expect((await flip({ on: true, reason: 'Pays by transfer' })).status).toBe(200)
  expect((await flip({ on: false })).status).toBe(200)
  expect(await flip({ on: true })).toMatchObject({ status: 400, body: { errors: [{ pointer: '/reason' }] } })
  expect((await flip({ on: true, reason: ' ' })).status).toBe(400)
  expect((await flip({ on: true, reason: 'x', name: 'noTaxes' })).status).toBe(400)
  expect((await requestsOf(organisationId)).map(({ request }) => request)).toEqual([
    { kind: 'switch_on', name: 'noDunning', reason: 'Pays by transfer' },
    { kind: 'switch_off', name: 'noDunning' },
  ])
})

test('none of that is for an organisation itself, nor about one that is not there', async () => {
  const { organisationId, key } = await neighbour()
  const before = asked.length
  for (const [path, body] of [
    ['/billing/refunds', { paymentId: 'in_1' }],
    ['/billing/timers/move', { key: 'a', to: '2026-06-20T09:00:00Z' }],
    ['/billing/switches', { name: 'noDunning', on: false }],
  ] as const) {
    expect(await post(path, { organisationId, ...body }, key), path).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining('create-platform-key') },
    })
    expect((await post(path, { organisationId: crypto.randomUUID(), ...body })).status, path).toBe(404)
  }
  expect(asked).toHaveLength(before)
})

test('without a key for Stripe nothing is bought, and what is missing is said', async () => {
  const { key } = await neighbour()
  const addresses = { successUrl: 'https://example.com/a', cancelUrl: 'https://example.com/b' }
  expect(await post('/billing/checkout', { planKey: 'scout', ...addresses }, key)).toMatchObject({
    status: 422,
    body: { code: 'not_allowed_now', detail: expect.stringContaining('STRIPE_SECRET_KEY') },
  })
})
