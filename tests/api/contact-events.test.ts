import { expect, test } from 'vitest'
import { z } from 'zod'
import { dripSequenceId } from '../../workflows/contracts/drip-sequence.ts'
import { testApi } from '../support/api.ts'
import { contactRow, journeyRow } from '../support/people-rows.ts'

const now = new Date('2026-01-05T12:00:00Z')
const { ask, database, organisationId, stories } = await testApi({ clock: () => now })

const newContact = () => contactRow(database, organisationId)
const tell = (contactId: string, body: object, headers = {}) =>
  ask('POST', `/contacts/${contactId}/events`, { body, headers })
const Events = z.object({ data: z.array(z.looseObject({ type: z.string() })), nextCursor: z.string().nullable() })
const read = async (contactId: string, query = '') =>
  Events.parse(await (await ask('GET', `/contacts/${contactId}/events${query}`)).json())

test('an event has its name with or without custom. before it', async () => {
  const id = await newContact()
  const first = await (await tell(id, { type: 'signed_up', data: { plan: 'pro' } })).json()
  expect(first).toMatchObject({ type: 'custom.signed_up', data: { plan: 'pro' }, created: true })
  await tell(id, { type: 'custom.paid', occurredAt: '2026-01-04T00:00:00Z' })
  expect(await read(id)).toMatchObject({
    data: [{ type: 'custom.paid', occurredAt: '2026-01-04T00:00:00.000Z', data: {} }, { type: 'custom.signed_up' }],
  })
  expect((await read(id, '?type=custom.paid')).data).toHaveLength(1)
})

test('under one key the same fact is told as often as you like; of another person it is another fact', async () => {
  const [id, other] = [await newContact(), await newContact()]
  const first = await (await tell(id, { type: 'paid', key: 'order-17', data: { amount: 5 } })).json()
  const again = await (await tell(id, { type: 'paid', key: 'order-17', data: { amount: 6 } })).json()
  expect(again).toEqual({ ...z.looseObject({}).parse(first), created: false })
  expect(await (await tell(other, { type: 'paid', key: 'order-17' })).json()).toMatchObject({ created: true })
  expect((await read(id)).data).toHaveLength(1)
})

test('without a key each telling is a fact of its own, unless the request is repeated', async () => {
  const id = await newContact()
  const headers = { 'idempotency-key': 'k', 'x-request-id': 'the-same-each-time' }
  await tell(id, { type: 'paid' }, headers)
  await tell(id, { type: 'paid' }, headers)
  await tell(id, { type: 'paid' }, { 'x-request-id': 'the-same-each-time' })
  await tell(id, { type: 'paid' }, { 'x-request-id': 'the-same-each-time' })
  expect((await read(id)).data).toHaveLength(3)
})

test('a goal ends the journey in the same transaction, and its workflow is told at once', async () => {
  const id = await newContact()
  const goal = await journeyRow(database, organisationId, id, { goal: 'custom.bought', exitOn: ['goal'] })
  const waits = await journeyRow(database, organisationId, id, { waitingFor: ['custom.bought'] })
  await tell(id, { type: 'bought' })
  const rows = await database.as(
    organisationId,
    (tx) => tx`
    select status, reason from enrolments where contact_id = ${id} order by id`,
  )
  expect(rows).toEqual([
    { status: 'exited', reason: 'goal' },
    { status: 'active', reason: null },
  ])
  const told = () => stories.delivered.map(({ workflowId, signal, signalArgs }) => ({ workflowId, signal, signalArgs }))
  const lookAgain = { signal: 'lookAgain', signalArgs: { seats: [1] } }
  await expect.poll(told).toEqual(
    expect.arrayContaining([
      { workflowId: dripSequenceId(goal.sequenceId, goal.cohortId), ...lookAgain },
      { workflowId: dripSequenceId(waits.sequenceId, waits.cohortId), ...lookAgain },
    ]),
  )
})

test.each([
  ['a name that is none', { type: 'Signed Up' }, '/type'],
  ['a name that is too long', { type: 'x'.repeat(64) }, '/type'],
  ['a time to come', { type: 'x', occurredAt: '2026-01-06T00:00:00Z' }, '/occurredAt'],
  ['too much data', { type: 'x', data: { long: 'x'.repeat(16_000) } }, '/data'],
  ['data that is no object', { type: 'x', data: [1] }, '/data'],
  ['an empty key', { type: 'x', key: '' }, '/key'],
])('%s is refused', async (_, body, pointer) => {
  const response = await tell(await newContact(), body)
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ errors: [{ pointer }] })
})

test('a name that reads like one of our own facts is refused, and a key of another event, too', async () => {
  const id = await newContact()
  const ours = await tell(id, { type: 'message.clicked' })
  expect([ours.status, await ours.json()]).toMatchObject([400, { errors: [{ pointer: '/type' }] }])
  await tell(id, { type: 'booked', key: 'k1' })
  const other = await tell(id, { type: 'cancelled', key: 'k1' })
  expect([other.status, await other.json()]).toMatchObject([409, { detail: expect.stringContaining('custom.booked') }])
  expect((await read(id, '?type=booked')).data).toHaveLength(1)
})
