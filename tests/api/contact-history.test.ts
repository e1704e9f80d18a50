import { expect, test } from 'vitest'
import { z } from 'zod'
import { recordContactEvent } from '../../db/contact-events.ts'
import { testApi } from '../support/api.ts'
import { contactRow, journeyRow } from '../support/people-rows.ts'

const { ask, database, organisationId } = await testApi()

const Entry = z.looseObject({ at: z.string(), type: z.string(), text: z.string(), reason: z.string().nullable() })
const Page = z.object({ data: z.array(Entry), nextCursor: z.string().nullable() })
const read = async (contactId: string, query = '') =>
  Page.parse(await (await ask('GET', `/contacts/${contactId}/history${query}`)).json())
const textsOf = async (contactId: string) =>
  (await read(contactId, '?limit=100')).data.map(({ text }) => text).filter((text) => text !== 'contact created')

let recorded = 0
function record(contactId: string, type: string, more: Partial<Parameters<typeof recordContactEvent>[1]> = {}) {
  recorded += 1
  const event = { contactId, type, sourceKey: `test/${recorded}`, occurredAt: at(1), ...more }
  return database.as(organisationId, (tx) => recordContactEvent(tx, event, { requestId: 'r', now: at(1) }))
}
/** Minutes after noon. */
const at = (minutes: number) => new Date(Date.parse('2026-01-05T12:00:00Z') + minutes * 60_000)

interface MessageRow {
  contactId: string
  journey?: { enrolmentId: string; sequenceId: string }
  status?: string
  reason?: string
  sentAt?: Date
  deliveredAt?: Date
  openedAt?: Date
}
const messageRow = ({ contactId, journey, status = 'sent', reason, sentAt, deliveredAt, openedAt }: MessageRow) =>
  database.as(organisationId, async (tx) => {
    const [row] = await tx<{ id: string }[]>`
      insert into messages (act_key, contact_id, channel, purpose, enrolment_id, sequence_id, step_key, status, reason, sent_at,
        delivered_at, opened_at, created_at)
      values (${crypto.randomUUID()}, ${contactId}, 'email', 'marketing', ${journey?.enrolmentId ?? null}, ${journey?.sequenceId ?? null},
        'welcome', ${status}, ${reason ?? null}, ${sentAt ?? null}, ${deliveredAt ?? null}, ${openedAt ?? null}, ${at(1)})
      returning id`
    return row?.id ?? ''
  })

test('the whole way of a person is told, the newest first, in plain sentences', async () => {
  const contactId = await contactRow(database, organisationId, { email: 'way@way.test' })
  const journey = await journeyRow(database, organisationId, contactId)
  const { enrolmentId } = journey
  await record(contactId, 'message.deferred', {
    enrolmentId,
    data: { stepKey: 'welcome', reason: 'outside_window', until: '2026-01-05T14:00:00.000Z', zone: 'America/Chicago' },
  })
  await messageRow({ contactId, journey, sentAt: at(120), deliveredAt: at(121), openedAt: at(130) })
  await record(contactId, 'enrolment.held', {
    enrolmentId,
    data: { stepKey: 'offer', reason: 'missing_variable', detail: 'contact.first_name' },
    occurredAt: at(200),
  })
  await messageRow({ contactId, journey, status: 'skipped', reason: 'suppressed' })
  await ask('POST', `/contacts/${contactId}/events`, { body: { type: 'signed_up', data: { plan: 'pro' } } })
  await ask('POST', '/suppressions', { body: { channel: 'email', contactId, purpose: 'marketing', reason: 'opt_out' } })
  const texts = await textsOf(contactId)
  for (const text of [
    'entered Onboarding',
    'not sent: window opens 08:00 America/Chicago',
    'sent: step welcome of Onboarding',
    'delivered: step welcome of Onboarding',
    'opened: step welcome of Onboarding',
    'held at step offer of Onboarding: a variable of the text is not known (contact.first_name)',
    'not sent: the address is suppressed (step welcome of Onboarding)',
    'event: signed_up',
    'suppressed for marketing messages by e-mail: said stop',
    'left Onboarding: wants no more messages',
  ]) {
    expect(texts).toContain(text)
  }
  expect(texts).toHaveLength(10)
  const { data } = await read(contactId, '?limit=100')
  const times = data.map((entry) => entry.at)
  expect(times).toEqual(times.toSorted().toReversed())
  expect(data.find(({ type }) => type === 'message.deferred')).toMatchObject({
    reason: 'outside_window',
    enrolmentId,
    sequenceId: journey.sequenceId,
    stepKey: 'welcome',
    data: null,
  })
  expect(data.find(({ type }) => type === 'custom.signed_up')).toMatchObject({ data: { plan: 'pro' } })
})

test.each([
  ['later that day', '2026-01-05T20:00:00.000Z', 'Europe/Berlin', '21:00 Europe/Berlin'],
  ['another day of the zone', '2026-01-06T05:00:00.000Z', 'Asia/Kolkata', '2026-01-06 10:30 Asia/Kolkata'],
  ['no zone', '2026-01-05T18:30:00.000Z', null, '18:30 UTC'],
  ['a zone that is none', '2026-01-05T18:30:00.000Z', 'Mars/Olympus', '18:30 UTC'],
])('the time of %s is told in the zone that decided', async (_, until, zone, time) => {
  const contactId = await contactRow(database, organisationId)
  await record(contactId, 'message.deferred', { data: { stepKey: 'a', reason: 'outside_window', until, zone } })
  await record(contactId, 'message.deferred', { data: { stepKey: 'a', reason: 'min_gap', until, zone } })
  expect((await textsOf(contactId)).sort()).toEqual([
    `not sent: too soon after the message before, again at ${time}`,
    `not sent: window opens ${time}`,
  ])
})

test('a fact that both a row and a record tell is told once, and each record by itself', async () => {
  const contactId = await contactRow(database, organisationId)
  const messageId = await messageRow({ contactId, sentAt: at(2), deliveredAt: at(3), openedAt: at(4) })
  await record(contactId, 'message.opened', { messageId, occurredAt: at(4) })
  await record(contactId, 'message.opened', { messageId, occurredAt: at(5) })
  const consent = { channel: 'email', purpose: 'marketing', state: 'granted', text: 'Yes.', source: 'form' }
  await ask('POST', `/contacts/${contactId}/consents`, { body: { ...consent, givenAt: at(6).toISOString() } })
  const { data } = await read(contactId)
  expect(data.map(({ type }) => type).filter((type) => type !== 'contact.created')).toEqual([
    'consent.granted',
    'message.opened',
    'message.opened',
    'message.delivered',
    'message.sent',
  ])
})

test('a suppression that is older than the contact is told, too', async () => {
  await ask('POST', '/suppressions', { body: { channel: 'email', address: 'before@before.test' } })
  const contactId = await contactRow(database, organisationId, { email: 'before@before.test' })
  expect(await textsOf(contactId)).toEqual(['suppressed for everything by e-mail: by a person'])
})

test('pages tell everything once, also what happened at one moment', async () => {
  const contactId = await contactRow(database, organisationId)
  for (let n = 0; n < 7; n += 1) await record(contactId, `custom.event_${n}`)
  const seen: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = await read(contactId, `?limit=3${cursor && `&cursor=${cursor}`}`)
    seen.push(...page.data.map(({ type }) => type))
    cursor = page.nextCursor
  }
  expect(seen).toHaveLength(8)
  expect(new Set(seen).size).toBe(8)
})

test('a cursor that is none is refused', async () => {
  const contactId = await contactRow(database, organisationId)
  const forged = Buffer.from(`99999999999999999999 x/${contactId}`).toString('base64url')
  for (const cursor of ['x', forged]) {
    const response = await ask('GET', `/contacts/${contactId}/history?cursor=${cursor}`)
    expect(response.status).toBe(400)
  }
})

test('what somebody else wrote into an event breaks no history', async () => {
  const contactId = await contactRow(database, organisationId)
  await record(contactId, 'message.deferred', { data: { reason: 5, until: 'soon', zone: [] } })
  await record(contactId, 'message.deferred', { data: 'text' })
  await record(contactId, 'something.new', { data: { reason: 'new_reason' } })
  expect((await textsOf(contactId)).sort()).toEqual([
    'not sent: no reason given',
    'not sent: no reason given',
    'something.new',
  ])
})

test('a message was sent when it was, not when the provider said so', async () => {
  const contactId = await contactRow(database, organisationId, { email: 'sent@way.test' })
  const messageId = await messageRow({ contactId, sentAt: at(120) })
  await record(contactId, 'suppression.added', { occurredAt: at(121) })
  await record(contactId, 'message.sent', { messageId, occurredAt: at(122) })
  const { data } = await read(contactId)
  expect(data.map(({ type }) => type).filter((type) => type !== 'contact.created')).toEqual([
    'suppression.added',
    'message.sent',
  ])
  expect(data.at(-1)?.at).toBe(at(120).toISOString())
})

test('what was unclear once stays told after it was sent again, and who stood still is named', async () => {
  const contactId = await contactRow(database, organisationId, { email: 'twice@way.test' })
  const journey = await journeyRow(database, organisationId, contactId)
  const { enrolmentId } = journey
  const messageId = await messageRow({ contactId, journey, status: 'unconfirmed' })
  await database.as(organisationId, (tx) => tx`update messages set unconfirmed_at = ${at(2)} where id = ${messageId}`)
  expect((await ask('POST', `/messages/${messageId}/resolve`, { body: { as: 'send_again' } })).status).toBe(200)
  await record(contactId, 'message.deferred', {
    enrolmentId,
    data: { stepKey: 'welcome', reason: 'paused', detail: 'sender' },
  })
  await record(contactId, 'message.auto_replied', { enrolmentId, messageId })
  const texts = await textsOf(contactId)
  for (const text of [
    'perhaps sent, which nobody knows yet: step welcome of Onboarding',
    'settled by a person, to be sent again: step welcome of Onboarding',
    'not sent: the sender is paused',
    'answered by a machine: step welcome of Onboarding',
  ]) {
    expect(texts).toContain(text)
  }
})
