import { expect, test } from 'vitest'
import { z } from 'zod'
import { dripSequenceId } from '../../workflows/contracts/drip-sequence.ts'
import { testApi } from '../support/api.ts'
import { contactRow, journeyRow } from '../support/people-rows.ts'

const now = new Date('2026-01-05T12:00:00Z')
const { ask, database, system, organisationId, keyWith } = await testApi({ clock: () => now })

const newContact = () => contactRow(database, organisationId)
const say = (contactId: string, body: object, headers = {}) =>
  ask('POST', `/contacts/${contactId}/consents`, { body: { ...granted, ...body }, headers })
const granted = {
  channel: 'email',
  purpose: 'marketing',
  state: 'granted',
  text: 'Send me the newsletter.',
  textVersion: '7',
  source: 'form /signup',
}
const Consents = z.object({
  data: z.array(z.looseObject({ state: z.string() })),
  nextCursor: z.string().nullable(),
  current: z.array(z.looseObject({ channel: z.string(), state: z.string() })),
})
const read = async (contactId: string, query = '') =>
  Consents.parse(await (await ask('GET', `/contacts/${contactId}/consents${query}`)).json())

test('a consent is kept with its proof, and counts', async () => {
  const id = await newContact()
  const response = await say(id, { givenAt: '2026-01-01T13:00:00+01:00' })
  const consent = await response.json()
  expect(consent).toMatchObject({ ...granted, givenAt: '2026-01-01T12:00:00.000Z' })
  expect(await read(id)).toMatchObject({
    data: [consent],
    current: [{ channel: 'email', purpose: 'marketing', state: 'granted' }],
  })
})

test('what was given last counts, of each channel and purpose, in whatever order it is told', async () => {
  const id = await newContact()
  await say(id, { state: 'withdrawn', text: undefined, givenAt: '2026-01-03T00:00:00Z' })
  await say(id, { givenAt: '2026-01-02T00:00:00Z' })
  await say(id, { channel: 'sms' })
  const { data, current } = await read(id)
  expect(data.map(({ state }) => state)).toEqual(['granted', 'granted', 'withdrawn'])
  expect(current).toMatchObject([
    { channel: 'email', state: 'withdrawn' },
    { channel: 'sms', state: 'granted' },
  ])
  const page = await read(id, '?limit=2')
  const rest = await read(id, `?limit=2&cursor=${page.nextCursor}`)
  expect([...page.data, ...rest.data]).toEqual(data)
})

test('granting and taking back are facts about the person', async () => {
  const id = await newContact()
  await say(id, {})
  await say(id, { state: 'withdrawn' })
  const events = await (await ask('GET', `/contacts/${id}/events`)).json()
  expect(events).toMatchObject({ data: [{ type: 'consent.withdrawn' }, { type: 'consent.granted' }] })
})

const withdrawn = { state: 'withdrawn', text: undefined }
test.each([
  ['of that purpose', withdrawn, { status: 'exited', reason: 'opt_out' }],
  ['of another purpose', { ...withdrawn, purpose: 'transactional' }, { status: 'active' }],
  ['of e-mails, withdrawn for SMS', { ...withdrawn, channel: 'sms' }, { status: 'active' }],
  ['withdrawn before it was granted again', { ...withdrawn, givenAt: '2026-01-01T00:00:00Z' }, { status: 'active' }],
])('a journey %s after %j is %j', async (_name, body, then) => {
  const id = await newContact()
  await say(id, { givenAt: '2026-01-02T00:00:00Z' })
  const { enrolmentId, sequenceId, cohortId } = await journeyRow(database, organisationId, id)
  await say(id, body)
  const [journey] = await database.as(
    organisationId,
    (tx) => tx`select status, reason from enrolments where id = ${enrolmentId}`,
  )
  expect(journey).toMatchObject(then)
  const told = await system`select 1 from outbox where workflow_id = ${dripSequenceId(sequenceId, cohortId)}`
  expect(told).toHaveLength(then.status === 'exited' ? 1 : 0)
})

test.each([
  [{ text: undefined }, '/text'],
  [{ source: ' ' }, '/source'],
  [{ givenAt: '2026-01-06T00:00:00Z' }, '/givenAt'],
  [{ givenAt: '0000-01-01T00:00:00Z' }, '/givenAt'],
  [{ channel: 'fax' }, '/channel'],
  [{ state: 'perhaps' }, '/state'],
])('a consent with %j is refused', async (wrong, pointer) => {
  const response = await say(await newContact(), wrong)
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ errors: [{ pointer }] })
})

test('repeated under its key it is recorded once, and never edited', async () => {
  const id = await newContact()
  const once = () => say(id, {}, { 'idempotency-key': 'once' })
  expect(await (await once()).text()).toBe(await (await once()).text())
  expect((await read(id)).data).toHaveLength(1)
  const edit = database.as(organisationId, (tx) => tx`update consents set text = 'other'`)
  await expect(edit).rejects.toMatchObject({ code: '42501' })
})

test('a key that may only read contacts records nothing', async () => {
  const key = await keyWith(organisationId, ['contacts:read'])
  const id = await newContact()
  const response = await ask('POST', `/contacts/${id}/consents`, { key, body: granted })
  expect(response.status).toBe(403)
  expect((await read(id)).data).toEqual([])
})
