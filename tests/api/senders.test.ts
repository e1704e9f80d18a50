import { expect, test } from 'vitest'
import { z } from 'zod'
import { enrolContacts } from '../../db/cohorts.ts'
import { pauseSlots } from '../../db/sender-slots.ts'
import { saveSequenceVersion, setSequenceStatus } from '../../db/sequences.ts'
import { dripSequenceId, lookAgain } from '../../workflows/contracts/drip-sequence.ts'
import { testApi } from '../support/api.ts'
import { contactRow, journeyRow } from '../support/people-rows.ts'
import { peopleRows, sequenceRow, welcome } from '../support/sequence-rows.ts'

const { ask, database, organisationId, neighbour, system, keyWith } = await testApi()

const Sender = z.object({ id: z.uuid(), pausedAt: z.string().nullable(), ratePerSecond: z.number().nullable() })
const bakery = { channel: 'email', provider: 'resend', name: 'Bakery', address: 'hello@bakery.test' }
const create = async (changes: object = {}) =>
  Sender.parse(await (await ask('POST', '/senders', { body: { ...bakery, ...changes } })).json())
const change = (id: string, body: object) => ask('POST', `/senders/${id}`, { body })
const toldOf = (workflowId: string) =>
  system`select signal, signal_args, status from outbox where workflow_id = ${workflowId}`

/** Somebody under way in a sequence that sends by it. */
async function journeyBy(senderId: string, status: 'active' | 'held' | 'exited' = 'active') {
  const { sequenceId, cohortId } = await journeyRow(
    database,
    organisationId,
    await contactRow(database, organisationId),
    {
      status,
    },
  )
  await database.as(
    organisationId,
    (tx) => tx`
      insert into sequence_versions (sequence_id, version, definition, actor, created_at)
      values (${sequenceId}, 2, ${tx.json({ senderId })}, 'key:1', now())`,
  )
  return dripSequenceId(sequenceId, cohortId)
}

test('a sender is kept as it was given, and a change leaves what it does not name', async () => {
  const { id } = await create({ postalAddress: '1 Main Street\nAustin', ratePerSecond: 0.125 })
  expect(await (await change(id, { replyTo: 'answers@bakery.test' })).json()).toMatchObject({
    ...bakery,
    replyTo: 'answers@bakery.test',
    postalAddress: '1 Main Street\nAustin',
    ratePerSecond: 0.125,
  })
  expect(await (await change(id, { replyTo: null, ratePerSecond: null, name: 'Bread' })).json()).toMatchObject({
    name: 'Bread',
    replyTo: null,
    ratePerSecond: null,
  })
  const listed = z.object({ data: z.array(Sender) }).parse(await (await ask('GET', '/senders')).json())
  expect(listed.data.map((sender) => sender.id)).toContain(id)
})

test.each([
  [{ name: 'Two\nlines' }, '/name'],
  [{ address: 'nobody' }, '/address'],
  [{ replyTo: 'a@b.test\r\nBcc: c@d.test' }, '/replyTo'],
  [{ ratePerSecond: 0 }, '/ratePerSecond'],
  [{ ratePerSecond: 1.2345 }, '/ratePerSecond'],
  [{ channel: 'fax' }, '/channel'],
])('a sender with %j is refused', async (wrong, pointer) => {
  const response = await ask('POST', '/senders', { body: { ...bakery, ...wrong } })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ errors: [{ pointer }] })
})

test('another rate counts from the last message on', async () => {
  const { id } = await create({ ratePerSecond: 0.01 })
  const last = new Date('2026-01-05T12:00:00Z')
  const slot = new Date(last.getTime() + 100_000)
  await database.as(organisationId, (tx) => tx`update senders set next_slot_at = ${slot} where id = ${id}`)
  await change(id, { ratePerSecond: 0.5 })
  const [row] = await system`select next_slot_at from senders where id = ${id}`
  expect(row).toEqual({ nextSlotAt: new Date(last.getTime() + 2_000) })
  const fresh = await create({ ratePerSecond: 1 })
  expect((await change(fresh.id, { ratePerSecond: 2 })).status).toBe(200)
})

test('another rate tells those who are under way by it, whom the old one may have put off for days; the same rate nobody', async () => {
  const { id } = await create({ ratePerSecond: 0.001 })
  const workflow = await journeyBy(id)
  await change(id, { ratePerSecond: 0.001, name: 'Bread' })
  expect(await toldOf(workflow)).toEqual([])
  await change(id, { ratePerSecond: 10 })
  expect(await toldOf(workflow)).toMatchObject([{ signal: lookAgain.name, signalArgs: {} }])
})

test.each([
  ['an hour, with its times that were given out', 1, 11_000],
  ['an hour, where it has no rate', null, 0],
])('resuming a sender ends a pause that the provider asked for: %s', async (_name, ratePerSecond, aheadMs) => {
  const { id } = await create({ ratePerSecond })
  const nextSlotAt = async () =>
    Number((await system<{ at: Date }[]>`select next_slot_at as at from senders where id = ${id}`)[0]?.at)
  await database.as(organisationId, (tx) => pauseSlots(tx, id, new Date(Date.now() + 3_600_000)))
  const began = Date.now()
  await ask('POST', `/senders/${id}/resume`)
  expect(await nextSlotAt()).toBeGreaterThanOrEqual(began + aheadMs)
  expect(await nextSlotAt()).toBeLessThanOrEqual(Date.now() + aheadMs)
  const soon = new Date(began + 500)
  await database.as(organisationId, (tx) => tx`update senders set next_slot_at = ${soon} where id = ${id}`)
  await ask('POST', `/senders/${id}/resume`)
  expect(await nextSlotAt()).toBeLessThanOrEqual(soon.getTime())
})

test('the postal address stays while marketing goes out by the sender', async () => {
  const body = { postalAddress: null }
  const senderId = (await create({ postalAddress: '1 Main Street' })).id
  await sequenceRow(database, organisationId, { senderId, purpose: 'transactional' })
  await sequenceRow(database, organisationId, { senderId, status: 'draft' })
  expect((await change(senderId, body)).status).toBe(200)
  await change(senderId, { postalAddress: '2 Main Street' })
  for (const status of ['live', 'paused'] as const) {
    const id = await sequenceRow(database, organisationId, { senderId, status })
    const refused = await change(senderId, body)
    expect(refused.status).toBe(409)
    expect(await refused.json()).toMatchObject({ code: 'wrong_state', detail: expect.stringContaining(id) })
    await database.as(organisationId, (tx) => setSequenceStatus(tx, id, 'archived', new Date()))
  }
  expect((await change(senderId, body)).status).toBe(200)
})

test('the postal address stays while people are under way by an older version', async () => {
  const { id: senderId } = await create({ postalAddress: '1 Main Street' })
  const sequenceId = await sequenceRow(database, organisationId, { senderId })
  const [contactId = ''] = await peopleRows(database, organisationId, 1)
  const told = { requestId: 'r', now: new Date() }
  await database.as(organisationId, (tx) =>
    enrolContacts(tx, { sequenceId, contactIds: [contactId], source: 'key:1', ...told }),
  )
  const definition = { ...welcome, senderId: (await create()).id }
  await database.as(organisationId, (tx) =>
    saveSequenceVersion(tx, sequenceId, { definition, actor: 'key:1', now: told.now }),
  )
  expect((await change(senderId, { postalAddress: null })).status).toBe(409)
  await database.as(
    organisationId,
    (tx) => tx`update enrolments set status = 'completed' where contact_id = ${contactId}`,
  )
  expect((await change(senderId, { postalAddress: null })).status).toBe(200)
})

test('a sequence is not published by an address that is being removed', async () => {
  const { id: senderId } = await create({ postalAddress: '1 Main Street' })
  const id = await sequenceRow(database, organisationId, { senderId, status: 'draft' })
  const answers = await Promise.all([
    change(senderId, { postalAddress: null }),
    ask('POST', `/sequences/${id}/publish`),
  ])
  expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toHaveLength(1)
})

test('pausing again keeps the first time; resuming tells those who are under way by it, and nobody else', async () => {
  const [paused, other] = [await create(), await create()]
  const workflows = [await journeyBy(paused.id), await journeyBy(paused.id, 'held')]
  const untold = [await journeyBy(paused.id, 'exited'), await journeyBy(other.id)]
  const control = async (action: string) =>
    Sender.parse(await (await ask('POST', `/senders/${paused.id}/${action}`)).json())
  const { pausedAt } = await control('pause')
  expect(pausedAt).not.toBeNull()
  expect(await control('pause')).toMatchObject({ pausedAt })
  expect(await toldOf(workflows[0] ?? '')).toEqual([])
  expect(await control('resume')).toMatchObject({ pausedAt: null })
  for (const id of workflows) expect(await toldOf(id)).toMatchObject([{ signal: lookAgain.name, signalArgs: {} }])
  for (const id of untold) expect(await toldOf(id)).toEqual([])
})

test("another organisation's sender does not exist, and a key needs the permission", async () => {
  const { id } = await create()
  const { key } = await neighbour()
  expect((await ask('GET', `/senders/${id}`, { key })).status).toBe(404)
  for (const action of ['', '/pause', '/resume']) {
    expect((await ask('POST', `/senders/${id}${action}`, { key, body: {} })).status).toBe(404)
  }
  const reading = await keyWith(organisationId, ['senders:read'])
  expect((await ask('GET', `/senders/${id}`, { key: reading })).status).toBe(200)
  expect((await ask('POST', `/senders/${id}/pause`, { key: reading })).status).toBe(403)
})
