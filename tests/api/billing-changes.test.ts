import { expect, test } from 'vitest'
import { z } from 'zod'
import { endRequest } from '../../db/billing-requests.ts'
import { StoryNotRunning, StoryRefused, StoryUnreachable } from '../../temporal-config/stories.ts'
import { subscriptionId } from '../../workflows/contracts/subscription-lifecycle.ts'
import { testApi } from '../support/api.ts'
import { standInBilling } from '../support/billing-provider.ts'
import { billingRows, june, rowPrices, scoutRow, starterRow } from '../support/billing-rows.ts'

const now = new Date('2026-06-11T12:00:00Z')
const { ask, database, neighbour, stories } = await testApi({
  clock: () => now,
  billing: standInBilling(),
  stripePrices: rowPrices,
})

/** What the story was asked for, as rows and Updates say; it answers as told. */
async function subscriber(rows = [scoutRow()], seen: Parameters<typeof billingRows>[3] = {}) {
  const { organisationId, key } = await neighbour()
  if (rows.length > 0) await billingRows(database, organisationId, rows, seen)
  const updates: string[] = []
  const world = {
    organisationId,
    rows,
    updates,
    /** How the story takes what it is asked for; it may throw. */
    take: async (_id: string): Promise<'done' | 'waiting'> => 'done',
    async post(path: string, body?: object, idempotencyKey?: string) {
      stories.change = async (workflowId, updateId, args) => {
        expect([workflowId, args]).toEqual([subscriptionId(organisationId), [updateId]])
        updates.push(updateId)
        const status = await world.take(updateId)
        await database.as(
          organisationId,
          (tx) => tx`
            update billing_requests set status = ${status}, due_at = ${new Date(june.endsAt)},
              ended_at = ${status === 'done' ? now : null} where id = ${updateId}`,
        )
        return status
      }
      const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }
      const response = await ask('POST', path, { key, headers, ...(body && { body }) })
      return { status: response.status, body: z.looseObject({}).parse(await response.json()) }
    },
    change: (body: object = {}, idempotencyKey?: string) =>
      world.post('/billing/change-plan', { planKey: 'command', when: 'now', ...body }, idempotencyKey),
    requests: () =>
      database.as(
        organisationId,
        (tx) => tx`select id, kind, request, status, reason, actor from billing_requests order by id`,
      ),
    forgetAnswers: () => database.as(organisationId, (tx) => tx`delete from idempotency_keys`),
  }
  return world
}

test('a change is stored, carried out by the story, and answered with what became of it', async () => {
  const { change, requests, updates, rows } = await subscriber()
  const { status, body } = await change()
  expect([status, body]).toEqual([200, { id: updates[0], status: 'done', dueAt: null }])
  expect(await requests()).toMatchObject([
    {
      id: updates[0],
      request: {
        kind: 'change_plan',
        subscriptionId: rows[0]?.id,
        planKey: 'command',
        priceKey: 'monthly',
        when: 'now',
      },
      actor: expect.stringMatching(/^key:/),
    },
  ])
})

test('a change that waits holds the place: another one is answered 409 with it, and it can be taken back', async () => {
  const world = await subscriber()
  world.take = async () => 'waiting'
  const first = await world.change({ when: 'period_end' })
  const waits = { id: world.updates[0], status: 'waiting', dueAt: '2026-07-01T00:00:00.000Z' }
  expect(first).toEqual({ status: 200, body: waits })
  const second = await world.change({ planKey: 'hunter', priceKey: 'monthly-149' })
  expect(second).toMatchObject({
    status: 409,
    body: { code: 'conflict', pending: { ...waits, planKey: 'command', when: 'period_end' } },
  })
  expect((await world.change({ when: 'period_end' })).status).toBe(409)
  world.take = async () => 'done'
  expect((await world.post('/billing/change-plan/undo')).status).toBe(200)
  expect((await world.requests()).at(-1)).toMatchObject({
    request: { kind: 'undo_change', subscriptionId: world.rows[0]?.id },
  })
})

test('of two changes at once one wins, and the other is told of it', async () => {
  const world = await subscriber()
  world.take = async () => 'waiting'
  const both = await Promise.all([world.change(), world.change({ planKey: 'hunter', priceKey: 'monthly-149' })])
  expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409])
  expect(await world.requests()).toHaveLength(1)
  expect(both.find(({ status }) => status === 409)?.body).toMatchObject({ pending: { id: world.updates[0] } })
})

test('the same key is the same request: decided once, also where the first answer was lost', async () => {
  const world = await subscriber()
  world.take = () => Promise.reject(new StoryUnreachable('away'))
  expect(await world.change({}, 'change-1')).toMatchObject({ status: 503, body: { code: 'temporarily_unavailable' } })
  world.take = async () => 'done'
  const first = await world.change({}, 'change-1')
  expect(first.status).toBe(200)
  await world.forgetAnswers()
  expect(await world.change({}, 'change-1')).toEqual(first)
  expect(await world.requests()).toHaveLength(1)
  expect(new Set(world.updates).size).toBe(1)
})

test('a change without a key whose answer was lost is gone on with when it is asked for again', async () => {
  const world = await subscriber()
  world.take = () => Promise.reject(new StoryUnreachable('away'))
  expect((await world.change()).status).toBe(503)
  expect(await world.change({ planKey: 'hunter', priceKey: 'monthly-149' })).toMatchObject({
    status: 409,
    body: { pending: { status: 'requested' } },
  })
  world.take = async () => 'done'
  expect((await world.change()).status).toBe(200)
  expect(await world.requests()).toHaveLength(1)
})

test.each([
  ['payment_required', 402, 'payment_required'],
  ['wrong_state', 409, 'wrong_state'],
  ['not_found', 404, 'not_found'],
  ['something_new', 409, 'wrong_state'],
] as const)(
  'what the story refuses as %s is over, and the same key is free for another try',
  async (code, status, problem) => {
    const world = await subscriber()
    world.take = () => Promise.reject(new StoryRefused(code, 'the card was declined'))
    expect(await world.change({}, 'again')).toMatchObject({
      status,
      body: { code: problem, detail: expect.stringContaining('the card was declined') },
    })
    expect(await world.requests()).toMatchObject([{ status: 'refused', reason: code }])
    world.take = async () => 'done'
    expect((await world.change({}, 'again')).status).toBe(200)
    expect(new Set(world.updates).size).toBe(2)
  },
)

test.each([
  ['insufficient_funds', 'another card'],
  ['no_payment_method', 'nothing to pay by'],
  ['payment_processing', 'read GET /billing'],
  ['authentication_required', 'wants the person to confirm'],
])('a charge that is declined with %s is answered 402 with that, and with what to do', async (declineCode, advice) => {
  const world = await subscriber()
  world.take = async (id) => {
    const end = { status: 'refused', reason: 'payment_required', declineCode } as const
    await database.as(world.organisationId, (tx) => endRequest(tx, id, end, now))
    throw new StoryRefused('payment_required', 'payment_required')
  }
  expect(await world.change()).toMatchObject({
    status: 402,
    body: { code: 'payment_required', declineCode, detail: expect.stringContaining(advice) },
  })
})

test('a story that does not run is begun first; one that does not begin is answered 503', async () => {
  const world = await subscriber()
  const workflowId = subscriptionId(world.organisationId)
  world.take = async () => {
    if (!stories.delivered.some((row) => row.workflowId === workflowId)) throw new StoryNotRunning(workflowId)
    return 'done'
  }
  expect((await world.change()).status).toBe(200)
  world.take = () => Promise.reject(new StoryNotRunning(workflowId))
  expect((await world.post('/billing/cancel', { when: 'now' })).status).toBe(503)
})

test('a plan that is too small is refused with what is over, and its preview tells the same', async () => {
  const world = await subscriber([scoutRow({ planKey: 'professional', priceId: 'price_professional' })])
  await database.as(
    world.organisationId,
    (tx) => tx`insert into contacts (external_id) select n::text from generate_series(1, 1001) as n`,
  )
  const smaller = { planKey: 'starter', priceKey: 'monthly', when: 'period_end' }
  const over = [{ what: 'contacts', used: 1_001, most: 1_000 }]
  expect(await world.change(smaller)).toMatchObject({
    status: 409,
    body: { code: 'wrong_state', over, detail: expect.stringContaining('1001 contacts') },
  })
  expect(await world.requests()).toEqual([])
  expect(await world.post('/billing/change-plan/preview', smaller)).toMatchObject({
    status: 200,
    body: {
      over,
      losesFeatures: ['saved-searches', 'scoring-rules', 'spreadsheet-export'],
      dueNow: { amount: 0 },
      at: '2026-07-01T00:00:00.000Z',
    },
  })
})

test('a preview tells amounts in minor units, and how much of the new limits is used', async () => {
  const world = await subscriber()
  expect(await world.post('/billing/change-plan/preview', { planKey: 'command', when: 'now' })).toEqual({
    status: 200,
    body: {
      subscriptionId: world.rows[0]?.id,
      dueNow: { amount: 5_000, currency: 'USD' },
      lines: [{ text: 'Remaining time', amount: { amount: 5_000, currency: 'USD' } }],
      thenEachPeriod: { amount: 14_900, currency: 'USD' },
      at: now.toISOString(),
      limits: expect.arrayContaining([{ act: 'contacts', per: 'total', most: 150_000, used: 0 }]),
      losesFeatures: [],
      over: [],
    },
  })
  expect(await world.requests()).toEqual([])
})

test.each([
  [{ planKey: 'scout' }, 409, /already/],
  [{ planKey: 'starter', priceKey: 'monthly' }, 409, /\/billing\/checkout/],
  [{ planKey: 'calls-60' }, 409, /no subscription/],
  [{ planKey: 'nothing' }, 400, /GET \/plans/],
  [{ subscriptionId: 'sub_other' }, 404, /no such subscription/],
])('a change to %j is refused with what to do', async (body, status, detail) => {
  const world = await subscriber()
  expect(await world.change(body)).toMatchObject({ status, body: { detail: expect.stringMatching(detail) } })
  expect(world.updates).toEqual([])
})

test('while its period is not paid a plan is changed at its end alone', async () => {
  const world = await subscriber([scoutRow({ stripeStatus: 'past_due' })])
  const refused = { status: 409, body: { code: 'wrong_state', detail: expect.stringContaining('/billing/pay-now') } }
  expect(await world.change()).toMatchObject(refused)
  expect(await world.post('/billing/change-plan/preview', { planKey: 'command', when: 'now' })).toMatchObject(refused)
  expect((await world.change({ when: 'period_end' })).status).toBe(200)
})

test('of two subscriptions of a family none is changed before one is gone', async () => {
  const rows = [scoutRow(), scoutRow()]
  const world = await subscriber(rows)
  const change = { planKey: 'command', when: 'now', subscriptionId: rows[0]?.id }
  const refused = { status: 409, body: { code: 'wrong_state', detail: expect.stringContaining(rows[1]?.id ?? '') } }
  expect(await world.change(change)).toMatchObject(refused)
  expect(await world.post('/billing/change-plan/preview', change)).toMatchObject(refused)
  expect(await world.requests()).toEqual([])
  await database.as(
    world.organisationId,
    (tx) =>
      tx`update subscriptions set state = 'ended', stripe_status = 'canceled' where stripe_id = ${rows[1]?.id ?? ''}`,
  )
  expect((await world.change(change)).status).toBe(200)
})

test('which subscription is meant has to be said only where there are several', async () => {
  const none = await subscriber([])
  expect((await none.post('/billing/cancel', { when: 'now' })).status).toBe(409)
  const rows = [scoutRow(), starterRow(), scoutRow({ stripeStatus: 'canceled', state: 'ended' })]
  const world = await subscriber(rows)
  expect(await world.post('/billing/cancel', { when: 'period_end' })).toMatchObject({
    status: 400,
    body: { errors: [{ pointer: '/subscriptionId', detail: expect.stringContaining(rows[1]?.id ?? '') }] },
  })
  const named = { subscriptionId: rows[1]?.id }
  expect((await world.post('/billing/cancel', { when: 'period_end', ...named })).status).toBe(200)
  expect((await world.post('/billing/cancel/undo', named)).status).toBe(200)
  expect((await world.change()).status).toBe(200)
  expect((await world.requests()).map(({ request }) => request)).toMatchObject([
    { kind: 'cancel', when: 'period_end', ...named },
    { kind: 'undo_cancel', ...named },
    { kind: 'change_plan', subscriptionId: rows[0]?.id },
  ])
})

test('what is paid is the open invoice that is owed for longest, and no other organisation’s', async () => {
  const open = (id: string, overdueSince: number | null) => ({
    id,
    subscriptionId: null,
    amountDue: 100,
    currency: 'USD',
    overdueSince,
    lastAttemptAt: null,
    lastAttemptCardId: null,
    nextAttemptAt: null,
    declineCode: null,
  })
  const openInvoices = [open('in_3', null), open('in_2', june.startsAt + 1), open('in_1', june.startsAt)]
  const world = await subscriber([scoutRow()], { facts: { openInvoices } })
  expect((await world.post('/billing/pay-now', {}, 'pay')).status).toBe(200)
  expect((await world.post('/billing/pay-now', { invoiceId: 'in_3' })).status).toBe(200)
  expect((await world.post('/billing/pay-now', { invoiceId: 'in_9' })).status).toBe(404)
  expect((await world.requests()).map(({ request }) => request)).toEqual([
    { kind: 'pay_now', invoiceId: 'in_1' },
    { kind: 'pay_now', invoiceId: 'in_3' },
  ])
  // It is no longer open, and the answer is what it was.
  await world.forgetAnswers()
  await database.as(world.organisationId, (tx) => tx`update billing_states set facts = facts || '{"openInvoices": []}'`)
  expect((await world.post('/billing/pay-now', {}, 'pay')).status).toBe(200)
  expect((await world.post('/billing/pay-now', {})).status).toBe(409)
  expect(await world.requests()).toHaveLength(2)
})

test('there is nothing to take back while no change waits', async () => {
  const world = await subscriber()
  expect(await world.post('/billing/change-plan/undo')).toMatchObject({ status: 409, body: { code: 'wrong_state' } })
})
