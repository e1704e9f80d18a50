import { expect, test } from 'vitest'
import { z } from 'zod'
import { dripSequenceId, lookAgain } from '../../workflows/contracts/drip-sequence.ts'
import { testApi } from '../support/api.ts'
import { contactRow, journeyRow } from '../support/people-rows.ts'

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
