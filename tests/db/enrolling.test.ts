import { expect, test } from 'vitest'
import { type Enrolling, enrolContacts, SequenceTakesNobody } from '../../db/cohorts.ts'
import { createOrganisation } from '../../db/organisations.ts'
import { saveSequenceVersion } from '../../db/sequences.ts'
import { suppress } from '../../db/suppressions.ts'
import { cohortSize } from '../../workflows/contracts/sequences.ts'
import { testOrganisation } from '../support/organisation.ts'
import { peopleRows, sequenceRow, welcome } from '../support/sequence-rows.ts'

const { database, system, organisationId } = await testOrganisation()
const now = new Date('2026-01-05T12:00:00Z')

const people = (count: number) => peopleRows(database, organisationId, count)
const sequence = (changes?: Parameters<typeof sequenceRow>[2]) => sequenceRow(database, organisationId, changes)
const enrol = (sequenceId: string, contactIds: string[], changes: Partial<Enrolling> = {}) =>
  database.as(organisationId, (tx) =>
    enrolContacts(tx, { sequenceId, contactIds, source: 'key:1', requestId: 'request', now, ...changes }),
  )
const refusal = async (sequenceId: string, contactId: string) =>
  (await enrol(sequenceId, [contactId])).refused[0]?.reason

const cohortsOf = (sequenceId: string) =>
  database.as(
    organisationId,
    (tx) => tx<{ id: string; size: number; isClosed: boolean; seats: number[] }[]>`
      select id, size, closed_at is not null as is_closed,
        array(select seat from enrolments where cohort_id = cohorts.id order by seat) as seats
      from cohorts where sequence_id = ${sequenceId} order by created_at, id`,
  )
const signalsOf = (sequenceId: string) =>
  system<{ workflowId: string; name: string; signal: string; signalArgs: unknown }[]>`
    select workflow_id, name, signal, signal_args from outbox where subject_id = ${sequenceId} order by id`

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n + 1)

async function endAll(sequenceId: string, status: 'completed' | 'exited') {
  await database.as(
    organisationId,
    (tx) => tx`update enrolments set status = ${status} where sequence_id = ${sequenceId}`,
  )
}

test('who enters takes a seat in the open cohort at the newest version, due now, and its story is told', async () => {
  const id = await sequence()
  const [contactId = ''] = await people(1)
  await database.as(organisationId, (tx) =>
    saveSequenceVersion(tx, id, { definition: { ...welcome, senderId: contactId }, actor: 'key:1', now }),
  )
  const { enrolled, refused, workflowIds } = await enrol(id, [contactId], { source: 'campaign/1' })
  expect([enrolled, refused]).toEqual([[{ contactId, enrolmentId: expect.any(String) }], []])
  const [row] = await database.as(organisationId, (tx) => tx`select * from enrolments where sequence_id = ${id}`)
  expect(row).toMatchObject({
    contactId,
    seat: 1,
    version: 2,
    status: 'active',
    stepKey: null,
    visited: [],
    source: 'campaign/1',
    dueAt: now,
    createdAt: now,
  })
  const [cohort] = await cohortsOf(id)
  expect(workflowIds).toEqual([`drip/${id}/${cohort?.id}`])
  expect(await signalsOf(id)).toEqual([
    { workflowId: workflowIds[0], name: 'dripSequence', signal: 'seatsTaken', signalArgs: { upTo: 1 } },
  ])
})

test('5,000 enter at once, each once however often named, in ten cohorts that are told up to where they are taken', async () => {
  const id = await sequence()
  const contactIds = await people(5_000)
  const { enrolled, refused, workflowIds } = await enrol(id, [...contactIds, ...contactIds.slice(0, 100)])
  expect([enrolled.length, refused.length, workflowIds.length]).toEqual([5_000, 0, 10])
  expect(enrolled.map(({ contactId }) => contactId).sort()).toEqual(contactIds)
  for (const cohort of await cohortsOf(id)) {
    expect(cohort).toMatchObject({ size: cohortSize, isClosed: true, seats: upTo(cohortSize) })
  }
  expect((await signalsOf(id)).map(({ signalArgs }) => signalArgs)).toEqual(
    Array.from({ length: 10 }, () => ({ upTo: cohortSize })),
  )
})

test('people who enter one by one, many requests at once, share the open cohort', async () => {
  const id = await sequence()
  const contactIds = await people(60)
  const results = await Promise.all(contactIds.map((contactId) => enrol(id, [contactId])))
  expect(new Set(results.flatMap(({ workflowIds }) => workflowIds)).size).toBe(1)
  expect(await cohortsOf(id)).toMatchObject([{ size: 60, isClosed: false, seats: upTo(60) }])
})

test('the same people in requests at the same moment, in any order, enter once', async () => {
  const id = await sequence()
  const contactIds = await people(700)
  const requests = [contactIds, contactIds.toReversed(), contactIds.slice(300), contactIds.slice(0, 400).toReversed()]
  const results = await Promise.all(requests.map((ids) => enrol(id, ids)))
  const enrolled = results.flatMap((result) => result.enrolled.map(({ contactId }) => contactId))
  expect(enrolled.sort()).toEqual(contactIds)
  expect(new Set(results.flatMap(({ refused }) => refused.map(({ reason }) => reason)))).toEqual(
    new Set(['already_under_way']),
  )
  expect(await cohortsOf(id)).toMatchObject([
    { size: 500, isClosed: true, seats: upTo(500) },
    { size: 200, isClosed: false, seats: upTo(200) },
  ])
})

test('a cohort older than a day takes nobody, one that its story has closed neither', async () => {
  const id = await sequence()
  const [first = '', second = '', third = ''] = await people(3)
  await enrol(id, [first])
  await enrol(id, [second], { now: new Date('2026-01-06T12:00:00Z') })
  await database.as(organisationId, (tx) => tx`update cohorts set closed_at = now() where sequence_id = ${id}`)
  await enrol(id, [third], { now: new Date('2026-01-06T12:00:01Z') })
  expect((await cohortsOf(id)).map(({ size, isClosed }) => [size, isClosed])).toEqual([
    [1, true],
    [1, true],
    [1, false],
  ])
})

test('whoever is unknown, erased or of another organisation is not found', async () => {
  const id = await sequence()
  const [erased = ''] = await people(1)
  await database.as(organisationId, (tx) => tx`update contacts set erased_at = now() where id = ${erased}`)
  const neighbour = await createOrganisation(system, 'Neighbour', 'GB')
  const [foreign = ''] = await peopleRows(database, neighbour.id, 1)
  const { enrolled, refused } = await enrol(id, [erased, foreign, crypto.randomUUID()])
  expect([enrolled, refused.map(({ reason }) => reason)]).toEqual([[], ['not_found', 'not_found', 'not_found']])
  expect(await cohortsOf(id)).toEqual([])
})

test('never while under way, and again only where the sequence says so', async () => {
  const once = await sequence({ entry: 'once' })
  const again = await sequence({ entry: 'again' })
  const [contactId = ''] = await people(1)
  for (const id of [once, again]) {
    await enrol(id, [contactId])
    expect(await refusal(id, contactId)).toBe('already_under_way')
    await endAll(id, 'completed')
  }
  expect(await refusal(once, contactId)).toBe('entered_before')
  expect(await refusal(again, contactId)).toBeUndefined()
  await endAll(again, 'exited')
  expect(await refusal(again, contactId)).toBeUndefined()
})

test('who has no address for its messages is refused, though not by a sequence that writes none', async () => {
  const [contactId = ''] = await people(1)
  await database.as(
    organisationId,
    (tx) => tx`update contacts set email = null, email_hash = null where id = ${contactId}`,
  )
  expect(await refusal(await sequence(), contactId)).toBe('no_address')
  expect(await refusal(await sequence({ steps: [{ key: 'out', type: 'exit' }] }), contactId)).toBeUndefined()
})

test('a suppressed address is refused by the purpose that it is suppressed for', async () => {
  const marketing = await sequence()
  const notices = await sequence({ purpose: 'transactional' })
  const [unsubscribed = '', bounced = '', lifted = ''] = await people(3)
  const hashes = await database.as(
    organisationId,
    (tx) => tx<{ id: string; emailHash: Buffer }[]>`select id, email_hash from contacts`,
  )
  const hashOf = (id: string) => hashes.find((row) => row.id === id)?.emailHash ?? Buffer.alloc(32)
  await database.as(organisationId, async (tx) => {
    const unsubscribe = { channel: 'email', purpose: 'marketing', reason: 'unsubscribed', actor: 'key:1' } as const
    await suppress(tx, { ...unsubscribe, addressHash: hashOf(unsubscribed) })
    await suppress(tx, { ...unsubscribe, addressHash: hashOf(lifted) })
    await suppress(tx, { ...unsubscribe, purpose: null, reason: 'hard_bounce', addressHash: hashOf(bounced) })
    await tx`update suppressions set lifted_at = now(), lifted_by = 'key:1' where address_hash = ${hashOf(lifted)}`
  })
  expect(await refusal(marketing, unsubscribed)).toBe('suppressed')
  expect(await refusal(notices, unsubscribed)).toBeUndefined()
  expect(await refusal(marketing, bounced)).toBe('suppressed')
  expect(await refusal(notices, bounced)).toBe('suppressed')
  expect(await refusal(marketing, lifted)).toBeUndefined()
})

test('only a live sequence takes people in', async () => {
  const contactIds = await people(1)
  for (const status of ['draft', 'paused', 'archived'] as const) {
    await expect(enrol(await sequence({ status }), contactIds)).rejects.toThrow(new SequenceTakesNobody(status))
  }
  await expect(enrol(crypto.randomUUID(), contactIds)).rejects.toThrow(new SequenceTakesNobody(null))
})

test('claims that refer to the sequence do not wait for those who enter it', async () => {
  const id = await sequence()
  const [first = '', second = ''] = await people(2)
  await enrol(id, [first])
  await database.as(organisationId, async (tx) => {
    await enrolContacts(tx, { sequenceId: id, contactIds: [second], source: 'key:1', requestId: 'request', now })
    await database.as(
      organisationId,
      (claim) => claim`
        insert into messages (act_key, contact_id, channel, purpose, sequence_id, status, created_at)
        values ('drip/1/hello', ${first}, 'email', 'marketing', ${id}, 'planned', ${now})`,
    )
  })
})
