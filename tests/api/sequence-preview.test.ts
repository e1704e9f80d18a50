import { expect, test } from 'vitest'
import { z } from 'zod'
import { addressHash } from '../../db/addresses.ts'
import { suppress } from '../../db/suppressions.ts'
import type { MessageStep, Step } from '../../workflows/contracts/sequences.ts'
import { testApi } from '../support/api.ts'
import { senderRow } from '../support/sender-rows.ts'
import { peopleRows, sequenceRow } from '../support/sequence-rows.ts'

const { ask, database, organisationId, neighbour } = await testApi()
const senderId = await senderRow(database, organisationId)

const Planned = z.looseObject({ stepKey: z.string().nullable(), what: z.string(), reason: z.string().nullable() })
const Preview = z.object({ version: z.int().nullable(), zones: z.array(z.string()), plan: z.array(Planned) })

const chicago = { email: 'sam@example.test', timeZone: 'America/Chicago', properties: { firstName: 'Sam' } }
const night = '2026-01-05T05:00:00Z'

const hello: MessageStep = {
  key: 'hello',
  type: 'message',
  channel: 'email',
  subject: 'Hello {{ contact.properties.firstName }}',
  text: 'Hi {{ contact.properties.firstName }}',
}
const reminder = { ...hello, key: 'reminder', subject: 'Again', text: 'You are at {{ contact.properties.company }}' }
const steps: Step[] = [hello, { key: 'pause', type: 'wait', for: 'P3D' }, reminder]

const preview = (id: string, body: object, key?: string) =>
  ask('POST', `/sequences/${id}/preview`, { body, ...(key && { key }) })
const planOf = async (id: string, body: object) => Preview.parse(await (await preview(id, body)).json())

test('the plan is dated by the clocks of the person, with every reason and each message as they would get it', async () => {
  const id = await sequenceRow(database, organisationId, { senderId, steps })
  const contact = { ...chicago, properties: { firstName: 'Sam', company: 'Fixit' } }
  const { version, zones, plan } = await planOf(id, { contact, at: night })
  expect([version, zones]).toEqual([1, ['America/Chicago']])
  expect(plan).toMatchObject([
    {
      stepKey: 'hello',
      what: 'wait',
      at: '2026-01-05T05:00:00.000Z',
      reason: 'outside_window',
      until: '2026-01-05T14:00:00.000Z',
      zone: 'America/Chicago',
      message: null,
    },
    {
      stepKey: 'hello',
      what: 'send',
      at: '2026-01-05T14:00:00.000Z',
      reason: null,
      fault: null,
      message: { subject: 'Hello Sam', text: expect.stringMatching(/^Hi Sam\n\n-- \n1 Main Street\nUnsubscribe: /) },
    },
    { stepKey: 'pause', what: 'wait', until: '2026-01-08T14:00:00.000Z' },
    { stepKey: 'reminder', what: 'send', at: '2026-01-08T14:00:00.000Z', message: { subject: 'Again' } },
    { stepKey: null, what: 'end', reason: 'completed' },
  ])
})

test('a variable that is not known holds the person there, and the preview says which and where', async () => {
  const id = await sequenceRow(database, organisationId, { senderId, steps })
  const { plan } = await planOf(id, { contact: chicago, at: '2026-01-05T15:00:00Z' })
  expect(plan.at(-1)).toMatchObject({
    stepKey: 'reminder',
    what: 'hold',
    reason: 'missing_variable',
    message: null,
    fault: {
      missing: ['contact.properties.company'],
      detail: 'text, line 1: contact.properties.company is not known of this person.',
    },
  })
})

test('a contact is met as a message would meet them: suppressed, without consent, written to lately', async () => {
  const id = await sequenceRow(database, organisationId, { senderId, steps: [{ ...hello, subject: 'Hi', text: 'Hi' }] })
  const [suppressed = '', refusing = '', recent = ''] = await peopleRows(database, organisationId, 3)
  await database.as(organisationId, async (tx) => {
    const [row] = await tx<{ email: string }[]>`select email from contacts where id = ${suppressed}`
    const hash = addressHash(organisationId, 'email', row?.email ?? '')
    await suppress(tx, { channel: 'email', addressHash: hash, purpose: null, reason: 'manual', actor: 'key:1' })
    await tx`insert into consents (contact_id, channel, purpose, state, source, given_at, actor)
      values (${refusing}, 'email', 'marketing', 'withdrawn', 'form', now(), 'key:1')`
    await tx`insert into messages (act_key, contact_id, channel, purpose, status, claimed_at, created_at)
      values ('x', ${recent}, 'email', 'marketing', 'sent', '2026-01-05T14:00:00Z', now())`
    await tx`update contacts set time_zone = 'UTC' where id = ${recent}`
    await tx`insert into policies (policy, actor, updated_at) values (${tx.json({ minGap: 'P1D' })}, 'key:1', now())`
  })
  const first = async (contactId: string) => (await planOf(id, { contactId, at: '2026-01-05T15:00:00Z' })).plan[0]
  expect(await first(suppressed)).toMatchObject({ what: 'skip', reason: 'suppressed' })
  expect(await first(refusing)).toMatchObject({ what: 'skip', reason: 'no_consent' })
  expect(await first(recent)).toMatchObject({ what: 'wait', reason: 'min_gap', until: '2026-01-06T14:00:00.000Z' })
  await database.as(organisationId, (tx) => tx`update policies set policy = '{}'`)
})

test('of somebody who is no contact it is known whether their address is suppressed for such messages', async () => {
  const marketing = await sequenceRow(database, organisationId, { senderId, steps: [hello] })
  const notice = await sequenceRow(database, organisationId, { senderId, steps: [hello], purpose: 'transactional' })
  const contact = { ...chicago, email: 'stranger@example.test' }
  const first = async (id: string) => (await planOf(id, { contact, at: '2026-01-05T15:00:00Z' })).plan[0]
  expect(await first(marketing)).toMatchObject({ what: 'send' })
  const by = { channel: 'email', purpose: 'marketing', reason: 'manual', actor: 'key:1' } as const
  const hash = addressHash(organisationId, 'email', contact.email)
  await database.as(organisationId, (tx) => suppress(tx, { ...by, addressHash: hash }))
  expect(await first(marketing)).toMatchObject({ what: 'skip', reason: 'suppressed' })
  expect(await first(notice)).toMatchObject({ what: 'send' })
})

test('a definition is tried before it is saved, and checked like one that is', async () => {
  const id = await sequenceRow(database, organisationId, { senderId, steps })
  const definition = {
    purpose: 'transactional',
    senderId,
    steps: [{ ...hello, text: 'Code {{ contact.externalId }}' }],
  }
  const contact = { ...chicago, externalId: '17' }
  expect(await planOf(id, { contact, definition, at: night })).toMatchObject({
    version: null,
    plan: [{ what: 'send', at: '2026-01-05T05:00:00.000Z', message: { text: 'Code 17' } }, { what: 'end' }],
  })
  const wrong = { ...definition, steps: [{ ...hello, text: '{{ firstName }}' }] }
  const response = await preview(id, { contact, definition: wrong })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ errors: [{ pointer: '/definition/steps/0/text' }] })
})

test('a definition of which every message takes too long is refused before all of them are tried', async () => {
  const id = await sequenceRow(database, organisationId, { senderId, steps })
  const text = '{% for i in (1..500) %}{% for j in (1..500) %}{{ i }}{{ j }}{{ i }}{{ j }}{% endfor %}{% endfor %}'
  const slow = Array.from({ length: 100 }, (_, index) => ({ ...hello, key: `m${index}`, text, html: text }))
  const response = await preview(id, {
    contact: chicago,
    definition: { purpose: 'transactional', senderId, steps: slow },
  })
  expect(response.status).toBe(400)
  const { errors } = z.object({ errors: z.array(z.looseObject({ pointer: z.string() })) }).parse(await response.json())
  expect(errors[0]).toEqual({
    pointer: '/definition/steps/0/text',
    detail: 'Line 1: It takes more than 50 ms to render.',
  })
  expect(errors.at(-1)).toEqual({ pointer: '/definition/steps', detail: expect.stringMatching(/more than 2 seconds/) })
  expect(errors.length).toBeLessThan(100)
})

test('nothing is stored and nobody is written to', async () => {
  const id = await sequenceRow(database, organisationId, { senderId, steps })
  const [contactId = ''] = await peopleRows(database, organisationId, 1)
  const counts = () =>
    database.as(
      organisationId,
      (tx) => tx`
        select (select count(*) from messages) as messages, (select count(*) from enrolments) as enrolments,
          (select count(*) from contacts) as contacts, (select count(*) from contact_events) as events`,
    )
  const before = await counts()
  await planOf(id, { contactId })
  await planOf(id, { contact: chicago })
  expect(await counts()).toEqual(before)
})

test.each([
  [{}],
  [{ contactId: crypto.randomUUID(), contact: {} }],
  [{ contact: { timeZone: 'Mars' } }],
  [{ contact: {}, at: 'x' }],
])('%j is refused', async (body) => {
  const id = await sequenceRow(database, organisationId, { senderId })
  expect((await preview(id, body)).status).toBe(400)
})

test("another organisation's contacts are not found", async () => {
  const id = await sequenceRow(database, organisationId, { senderId })
  const { organisationId: theirs } = await neighbour()
  const [foreign = ''] = await peopleRows(database, theirs, 1)
  for (const contactId of [foreign, crypto.randomUUID()]) expect((await preview(id, { contactId })).status).toBe(404)
})

test('it tells what stands still, and takes no time that plans could not count from', async () => {
  const id = await sequenceRow(database, organisationId, { senderId, steps: [hello] })
  const pausedBy = async () =>
    z.object({ pausedBy: z.string().nullable() }).parse(await (await preview(id, { contact: chicago })).json()).pausedBy
  expect(await pausedBy()).toBeNull()
  await ask('POST', `/senders/${senderId}/pause`)
  expect(await pausedBy()).toBe('sender')
  await ask('POST', '/policy/pause')
  expect(await pausedBy()).toBe('organisation')
  await ask('POST', '/policy/resume')
  await ask('POST', `/senders/${senderId}/resume`)
  const far = await preview(id, { contact: chicago, at: '9999-12-31T23:59:59Z' })
  expect([far.status, await far.json()]).toMatchObject([400, { errors: [{ pointer: '/at' }] }])
})
