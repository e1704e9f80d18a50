import { expect, test } from 'vitest'
import { z } from 'zod'
import { testApi } from '../support/api.ts'
import { peopleRows, sequenceRow } from '../support/sequence-rows.ts'

const { ask, database, organisationId, neighbour, stories, system } = await testApi()

const Enrolled = z.object({
  counts: z.object({ enrolled: z.int(), refused: z.int() }),
  enrolled: z.array(z.object({ contactId: z.string(), externalId: z.string().optional(), enrolmentId: z.string() })),
  refused: z.array(
    z.object({ contactId: z.string().nullable(), externalId: z.string().optional(), reason: z.string() }),
  ),
})
const Enrolment = z.looseObject({ id: z.string(), status: z.string(), dueAt: z.string().nullable() })

const people = (count: number) => peopleRows(database, organisationId, count)
const sequence = (changes?: Parameters<typeof sequenceRow>[2]) => sequenceRow(database, organisationId, changes)
const post = (id: string, body: unknown, headers: Record<string, string> = {}) =>
  ask('POST', `/sequences/${id}/enrolments`, { body, headers })
const enrol = async (id: string, body: unknown) => Enrolled.parse(await (await post(id, body)).json())
const steer = async (id: string, action: string) => {
  const response = await ask('POST', `/enrolments/${id}/${action}`)
  return { status: response.status, body: z.record(z.string(), z.unknown()).parse(await response.json()) }
}
const read = async (id: string) => Enrolment.parse(await (await ask('GET', `/enrolments/${id}`)).json())

/** Somebody under way in a sequence of their own. */
async function journey() {
  const sequenceId = await sequence()
  const [contactId = ''] = await people(1)
  const { enrolled } = await enrol(sequenceId, { contactId })
  return { sequenceId, contactId, id: enrolled[0]?.enrolmentId ?? '' }
}
const set = (id: string, columns: Record<string, unknown>) =>
  database.as(organisationId, (tx) => tx`update enrolments set ${tx(columns)} where id = ${id}`)
const eventsOf = (contactId: string) =>
  database.as(
    organisationId,
    (tx) => tx<{ type: string; enrolmentId: string; data: unknown }[]>`
      select type, enrolment_id, data from contact_events where contact_id = ${contactId} order by id`,
  )
const wakesOf = (sequenceId: string) =>
  system<{ signalArgs: unknown }[]>`
    select signal_args from outbox where subject_id = ${sequenceId} and signal = 'lookAgain' order by id`

test('one person is enrolled as many are, and their story is told right after', async () => {
  const id = await sequence()
  const [contactId = ''] = await people(1)
  const response = await post(id, { contactId })
  expect(response.status).toBe(202)
  const answer = Enrolled.parse(await response.json())
  expect(answer).toEqual({
    counts: { enrolled: 1, refused: 0 },
    enrolled: [{ contactId, enrolmentId: expect.any(String) }],
    refused: [],
  })
  await expect
    .poll(() => stories.delivered.filter(({ subjectId }) => subjectId === id))
    .toMatchObject([{ name: 'dripSequence', signal: 'seatsTaken', signalArgs: { upTo: 1 } }])
  expect(await read(answer.enrolled[0]?.enrolmentId ?? '')).toMatchObject({
    sequenceId: id,
    contactId,
    status: 'active',
  })
})

test('5,000 are enrolled at once, and one more is too many', async () => {
  const id = await sequence()
  const contactIds = await people(5_000)
  expect((await enrol(id, { contactIds })).counts).toEqual({ enrolled: 5_000, refused: 0 })
  expect((await post(id, { contactIds: [...contactIds, crypto.randomUUID()] })).status).toBe(400)
})

test('people are named by external ids, too, and each answer by what it was asked for', async () => {
  const id = await sequence()
  const [contactId = ''] = await people(1)
  const [row] = await database.as(
    organisationId,
    (tx) => tx<{ externalId: string }[]>`select external_id from contacts where id = ${contactId}`,
  )
  const externalId = row?.externalId ?? ''
  expect(await enrol(id, { externalIds: [externalId, 'nobody', externalId, 'nobody'] })).toEqual({
    counts: { enrolled: 1, refused: 1 },
    enrolled: [{ contactId, externalId, enrolmentId: expect.any(String) }],
    refused: [{ contactId: null, externalId: 'nobody', reason: 'not_found' }],
  })
})

test.each([
  [{}],
  [{ contactIds: [] }],
  [{ contactId: crypto.randomUUID(), externalIds: ['x'] }],
  [{ contactIds: ['x'] }],
])('%j names nobody to enrol', async (body) => {
  expect((await post(await sequence(), body)).status).toBe(400)
})

test('says who was refused and why, and enrols the others', async () => {
  const id = await sequence()
  const [first = '', second = ''] = await people(2)
  await enrol(id, { contactId: first })
  const { key } = await neighbour()
  const foreign = await ask('POST', `/sequences/${id}/enrolments`, { body: { contactId: second }, key })
  expect(foreign.status).toBe(404)
  const unknown = crypto.randomUUID()
  const answer = await enrol(id, { contactIds: [first, second, unknown] })
  expect(answer).toMatchObject({ counts: { enrolled: 1, refused: 2 }, enrolled: [{ contactId: second }] })
  expect(answer.refused).toEqual(
    expect.arrayContaining([
      { contactId: first, reason: 'already_under_way' },
      { contactId: unknown, reason: 'not_found' },
    ]),
  )
})

test('under one key people are enrolled once, with one answer', async () => {
  const id = await sequence({ entry: 'again' })
  const [contactId = ''] = await people(1)
  const headers = { 'idempotency-key': 'enrol' }
  const first = Enrolled.parse(await (await post(id, { contactId }, headers)).json())
  await set(first.enrolled[0]?.enrolmentId ?? '', { status: 'completed' })
  expect(await (await post(id, { contactId }, headers)).json()).toEqual(first)
})

test.each(['draft', 'paused', 'archived'] as const)('nobody enters a sequence that is %s', async (status) => {
  const [contactId = ''] = await people(1)
  const response = await post(await sequence({ status }), { contactId })
  expect(response.status).toBe(409)
  expect(await response.json()).toMatchObject({
    code: 'wrong_state',
    detail: `The sequence is ${status}; people enter one that is live.`,
  })
})

test('enrolments are listed newest first, by status and by person', async () => {
  const id = await sequence()
  const contactIds = await people(3)
  const { enrolled } = await enrol(id, { contactIds })
  await set(enrolled[0]?.enrolmentId ?? '', { status: 'held', reason: 'missing_variable' })
  const Page = z.object({ data: z.array(Enrolment), nextCursor: z.string().nullable() })
  const page = async (query: string) =>
    Page.parse(await (await ask('GET', `/sequences/${id}/enrolments?${query}`)).json())
  const newest = await page('limit=2')
  const rest = await page(`limit=2&cursor=${newest.nextCursor}`)
  const ids = [...newest.data, ...rest.data].map((one) => one.id)
  expect(ids).toEqual(
    enrolled
      .map(({ enrolmentId }) => enrolmentId)
      .sort()
      .toReversed(),
  )
  expect(await page('status=held')).toMatchObject({
    data: [{ id: enrolled[0]?.enrolmentId, reason: 'missing_variable' }],
  })
  expect(await page(`contactId=${contactIds[1]}`)).toMatchObject({ data: [{ contactId: contactIds[1] }] })
})

test('a pause keeps the place and the wait, and going on tells the story', async () => {
  const { id, contactId, sequenceId } = await journey()
  const place = { stepKey: 'pause', arrivedAt: '2026-01-05T12:00:00.000Z', dueAt: '2026-01-08T12:00:00.000Z' }
  await set(id, { step_key: place.stepKey, arrived_at: place.arrivedAt, due_at: place.dueAt })
  expect(await steer(id, 'pause')).toMatchObject({ status: 200, body: { status: 'paused', ...place } })
  expect(await steer(id, 'pause')).toMatchObject({
    status: 409,
    body: { code: 'wrong_state', detail: 'The enrolment is paused; pause is for one that is active.' },
  })
  expect(await steer(id, 'resume')).toMatchObject({ status: 200, body: { status: 'active', ...place } })
  expect((await eventsOf(contactId)).map(({ type, enrolmentId }) => [type, enrolmentId])).toEqual([
    ['enrolment.paused', id],
    ['enrolment.resumed', id],
  ])
  expect(await wakesOf(sequenceId)).toEqual([{ signalArgs: { seats: [1] } }, { signalArgs: { seats: [1] } }])
})

test('whoever is held is due at once when resumed', async () => {
  const { id } = await journey()
  await set(id, { status: 'held', reason: 'missing_variable', due_at: null })
  expect(await steer(id, 'pause')).toMatchObject({ status: 409 })
  const { body } = await steer(id, 'resume')
  expect(body).toMatchObject({ status: 'active', reason: null, dueAt: expect.any(String) })
})

test('an exit ends the journey for good, and says by whom', async () => {
  const { id, contactId } = await journey()
  await set(id, { waiting_for: ['message.clicked'] })
  expect(await steer(id, 'exit')).toMatchObject({
    status: 200,
    body: { status: 'exited', reason: 'manual', dueAt: null, waitingFor: null, endedAt: expect.any(String) },
  })
  for (const action of ['pause', 'resume', 'exit']) expect(await steer(id, action)).toMatchObject({ status: 409 })
  expect(await eventsOf(contactId)).toEqual([
    {
      type: 'enrolment.exited',
      enrolmentId: id,
      data: { sequenceId: expect.any(String), actor: expect.stringMatching(/^key:/), reason: 'manual' },
    },
  ])
})

test('of many who steer a journey at once, each change happens once', async () => {
  const { id, contactId } = await journey()
  const results = await Promise.all(Array.from({ length: 10 }, () => steer(id, 'pause')))
  expect(results.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(results.filter(({ status }) => status === 409)).toHaveLength(9)
  expect(await eventsOf(contactId)).toHaveLength(1)
})

test('everybody who is held for one reason goes on at once, and nobody else', async () => {
  const sequenceId = await sequence()
  const [first = '', second = '', third = ''] = await people(3)
  const { enrolled } = await enrol(sequenceId, { contactIds: [first, second, third] })
  const idOf = (person: string) => enrolled.find(({ contactId }) => contactId === person)?.enrolmentId ?? ''
  for (const person of [first, second])
    await set(idOf(person), { status: 'held', reason: 'missing_variable', dueAt: null })
  await set(idOf(third), { status: 'held', reason: 'internal_error', dueAt: null })
  const resume = (body: object) => ask('POST', `/sequences/${sequenceId}/enrolments/resume`, { body })
  expect(await (await resume({ reason: 'missing_variable' })).json()).toEqual({ resumed: 2 })
  expect(await (await resume({ reason: 'missing_variable' })).json()).toEqual({ resumed: 0 })
  expect(await read(idOf(first))).toMatchObject({ status: 'active', reason: null, dueAt: expect.any(String) })
  expect(await read(idOf(third))).toMatchObject({ status: 'held', reason: 'internal_error' })
  expect(await eventsOf(second)).toMatchObject([{ type: 'enrolment.resumed', enrolmentId: idOf(second) }])
  expect(await wakesOf(sequenceId)).toMatchObject([{ signalArgs: { seats: [1, 2] } }])
})

test('whoever took back their consent to marketing does not enter', async () => {
  const sequenceId = await sequence()
  const [contactId = ''] = await people(1)
  const consent = (state: string) =>
    ask('POST', `/contacts/${contactId}/consents`, {
      body: { channel: 'email', purpose: 'marketing', state, source: 'form' },
    })
  expect((await consent('withdrawn')).status).toBe(200)
  expect((await enrol(sequenceId, { contactId })).refused).toMatchObject([{ reason: 'consent_withdrawn' }])
})
