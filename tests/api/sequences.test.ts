import { expect, test } from 'vitest'
import { z } from 'zod'
import { enrolContacts } from '../../db/cohorts.ts'
import { testApi } from '../support/api.ts'
import { senderRow } from '../support/sender-rows.ts'
import { peopleRows, sequenceRow, welcome } from '../support/sequence-rows.ts'

const { ask, database, organisationId, neighbour, stories, system } = await testApi()
const now = new Date('2026-01-05T12:00:00Z')
const senderId = await senderRow(database, organisationId)
const definition = { ...welcome, senderId }

const Sequence = z.object({ id: z.string(), status: z.string(), version: z.int(), definition: z.unknown() })
const Problem = z.object({
  code: z.string(),
  detail: z.string(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
})

const create = async (changes: object = {}, name = 'Welcome') => {
  const response = await ask('POST', '/sequences', { body: { name, definition: { ...definition, ...changes } } })
  return Sequence.parse(await response.json())
}
const read = async (id: string) => Sequence.parse(await (await ask('GET', `/sequences/${id}`)).json())
const act = async (id: string, action: string) => {
  const response = await ask('POST', `/sequences/${id}/${action}`)
  return { status: response.status, body: z.record(z.string(), z.unknown()).parse(await response.json()) }
}
const problemOf = async (response: Response) => ({ status: response.status, ...Problem.parse(await response.json()) })
const saveVersion = (id: string, changes: object) =>
  ask('POST', `/sequences/${id}/versions`, { body: { definition: { ...definition, ...changes } } })
const message = (changes: object) => ({
  key: 'one',
  type: 'message',
  channel: 'email',
  subject: 'Hi',
  text: 'Hi',
  ...changes,
})

const enrolSome = (sequenceId: string, contactIds: string[]) =>
  database.as(organisationId, (tx) =>
    enrolContacts(tx, { sequenceId, contactIds, source: 'key:1', requestId: 'enrolling', now }),
  )

test('a sequence begins as a draft with its first version, and is read as it was saved', async () => {
  const response = await ask('POST', '/sequences', { body: { name: 'Welcome', definition } })
  const created = Sequence.parse(await response.json())
  expect(created).toMatchObject({ status: 'draft', version: 1, definition })
  expect(response.headers.get('location')).toBe(`/api/v1/sequences/${created.id}`)
  expect(await read(created.id)).toEqual(created)
})

test('under one key it is created once', async () => {
  const headers = { 'idempotency-key': 'create' }
  const body = { name: 'Once', definition }
  const [first, again] = [
    await ask('POST', '/sequences', { body, headers }),
    await ask('POST', '/sequences', { body, headers }),
  ]
  expect(await again.json()).toEqual(await first.json())
  const rows = await database.as(organisationId, (tx) => tx`select id from sequences where name = 'Once'`)
  expect(rows).toHaveLength(1)
})

test.each([
  [
    { text: 'Hi\n{{ contact.firstName }}' },
    '/definition/steps/1/text',
    /^Line 2: There is no variable contact.firstName/,
  ],
  [{ subject: '{{ contact.email | shout }}' }, '/definition/steps/1/subject', /^Line 1: Undefined filter: shout/],
  [{ html: '{% if contact.email %}' }, '/definition/steps/1/html', /^Line 1: .*not closed/],
])('the template %j is refused with its line', async (changes, pointer, detail) => {
  const steps = [{ key: 'zero', type: 'wait', for: 'P1D' }, message(changes)]
  const body = { name: 'Wrong', definition: { ...definition, steps } }
  const problem = await problemOf(await ask('POST', '/sequences', { body }))
  expect(problem).toMatchObject({ status: 400, errors: [{ pointer, detail: expect.stringMatching(detail) }] })
})

test("a sender of another channel, of another organisation or nobody's is refused", async () => {
  const { organisationId: theirs } = await neighbour()
  const wrong = [
    [await senderRow(database, organisationId, { channel: 'sms' }), 'This sender is for sms, not email.'],
    [await senderRow(database, theirs), 'There is no such sender.'],
    [crypto.randomUUID(), 'There is no such sender.'],
  ] as const
  for (const [sender, detail] of wrong) {
    const body = { name: 'Wrong', definition: { ...definition, senderId: sender } }
    const problem = await problemOf(await ask('POST', '/sequences', { body }))
    expect(problem.errors).toEqual([{ pointer: '/definition/senderId', detail }])
  }
})

test('each save is a version, which stays as it was, and pages of them come newest first', async () => {
  const { id } = await create()
  for (const text of ['two', 'three']) {
    expect((await saveVersion(id, { steps: [message({ text })] })).status).toBe(200)
  }
  expect(await read(id)).toMatchObject({ version: 3, definition: { steps: [{ text: 'three' }] } })
  const first: unknown = await (await ask('GET', `/sequences/${id}/versions/1`)).json()
  expect(first).toMatchObject({ version: 1, definition })
  expect((await ask('GET', `/sequences/${id}/versions/4`)).status).toBe(404)

  const Page = z.object({ data: z.array(z.object({ version: z.int() })), nextCursor: z.string().nullable() })
  const page = async (query: string) =>
    Page.parse(await (await ask('GET', `/sequences/${id}/versions?${query}`)).json())
  const newest = await page('limit=2')
  expect(newest.data).toMatchObject([{ version: 3 }, { version: 2 }])
  expect(await page(`limit=2&cursor=${newest.nextCursor}`)).toMatchObject({ data: [{ version: 1 }], nextCursor: null })
})

test('versions saved at once follow each other', async () => {
  const { id } = await create()
  const saved = await Promise.all(Array.from({ length: 8 }, () => saveVersion(id, {})))
  const versions = await Promise.all(
    saved.map(async (one) => z.object({ version: z.int() }).parse(await one.json()).version),
  )
  expect(new Set(versions)).toEqual(new Set([2, 3, 4, 5, 6, 7, 8, 9]))
})

test('a sequence goes from draft to live, is paused, resumed and archived, and refuses the rest with a sentence', async () => {
  const { id } = await create()
  for (const action of ['pause', 'resume']) {
    expect(await act(id, action)).toMatchObject({ status: 409, body: { code: 'wrong_state' } })
  }
  for (const [action, status] of [
    ['publish', 'live'],
    ['pause', 'paused'],
    ['resume', 'live'],
  ] as const) {
    expect(await act(id, action)).toMatchObject({ status: 200, body: { status } })
  }
  expect(await act(id, 'publish')).toMatchObject({
    status: 409,
    body: { detail: 'The sequence is live; publish is for one that is draft.' },
  })
  expect(await act(id, 'archive')).toMatchObject({ status: 200, body: { status: 'archived' } })
  expect(await act(id, 'archive')).toMatchObject({ status: 200, body: { status: 'archived' } })
  for (const action of ['publish', 'pause', 'resume']) expect(await act(id, action)).toMatchObject({ status: 409 })
  expect(await problemOf(await saveVersion(id, {}))).toMatchObject({ status: 409, code: 'wrong_state' })
})

test('marketing without a postal address does not go live, neither by publishing nor by a new version', async () => {
  const nowhere = await senderRow(database, organisationId, { postalAddress: null })
  const { id } = await create({ senderId: nowhere })
  const refused = { status: 422, body: { code: 'not_allowed_now', detail: expect.stringContaining('postal address') } }
  expect(await act(id, 'publish')).toMatchObject(refused)
  const live = await sequenceRow(database, organisationId, { senderId })
  expect(await problemOf(await saveVersion(live, { senderId: nowhere }))).toMatchObject({ status: 422 })
  const notices = await create({ senderId: nowhere, purpose: 'transactional' })
  expect(await act(notices.id, 'publish')).toMatchObject({ status: 200 })
})

test('resuming tells every cohort with people under way to look again', async () => {
  const id = await sequenceRow(database, organisationId, { status: 'paused', senderId })
  await database.as(organisationId, (tx) => tx`update sequences set status = 'live' where id = ${id}`)
  const { workflowIds } = await enrolSome(id, await peopleRows(database, organisationId, 501))
  await database.as(organisationId, (tx) => tx`update sequences set status = 'paused' where id = ${id}`)
  await act(id, 'resume')
  const signals = await system<{ workflowId: string; signalArgs: unknown }[]>`
    select workflow_id, signal_args from outbox where subject_id = ${id} and signal = 'lookAgain'`
  expect(signals.map(({ workflowId }) => workflowId).sort()).toEqual([...workflowIds].sort())
  expect(signals.map(({ signalArgs }) => signalArgs)).toEqual([{}, {}])
  await expect
    .poll(() => stories.delivered.map(({ workflowId }) => workflowId))
    .toEqual(expect.arrayContaining(workflowIds))
})

test('archiving ends everybody who is under way, whatever their state, and tells their cohorts', async () => {
  const id = await sequenceRow(database, organisationId, { senderId })
  const { enrolled } = await enrolSome(id, await peopleRows(database, organisationId, 503))
  const [paused, held, completed] = enrolled.map(({ enrolmentId }) => enrolmentId)
  await database.as(organisationId, async (tx) => {
    await tx`update enrolments set status = 'paused' where id = ${paused ?? ''}`
    await tx`update enrolments set status = 'held', reason = 'missing_variable' where id = ${held ?? ''}`
    await tx`update enrolments set status = 'completed' where id = ${completed ?? ''}`
  })
  expect(await act(id, 'archive')).toMatchObject({ status: 200 })
  const counts = await database.as(
    organisationId,
    (tx) => tx`
      select status, reason, count(*)::int as people from enrolments where sequence_id = ${id}
      group by status, reason order by people`,
  )
  expect(counts).toEqual([
    { status: 'completed', reason: null, people: 1 },
    { status: 'exited', reason: 'sequence_archived', people: 502 },
  ])
  const told = await system`select 1 from outbox where subject_id = ${id} and signal = 'lookAgain'`
  expect(told).toHaveLength(2)
})

test('archiving ends what an archiving that was cut off has left', async () => {
  const id = await sequenceRow(database, organisationId, { senderId })
  await enrolSome(id, await peopleRows(database, organisationId, 2))
  await database.as(organisationId, (tx) => tx`update sequences set status = 'archived' where id = ${id}`)
  await act(id, 'archive')
  const open = await database.as(
    organisationId,
    (tx) => tx`select 1 from enrolments where sequence_id = ${id} and status = 'active'`,
  )
  expect(open).toEqual([])
})

test('people of one sequence exit while others reply at the same moment, and nobody waits for somebody who waits', async () => {
  const id = await sequenceRow(database, organisationId, { senderId })
  const { enrolled } = await enrolSome(id, await peopleRows(database, organisationId, 100))
  const results = await Promise.all([
    act(id, 'archive'),
    ...enrolled.slice(0, 20).map(({ enrolmentId }) => ask('POST', `/enrolments/${enrolmentId}/exit`)),
  ])
  expect(results.map(({ status }) => status).filter((status) => status >= 500)).toEqual([])
})
