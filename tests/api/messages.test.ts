import { expect, test } from 'vitest'
import { z } from 'zod'
import { dripSequenceId, lookAgain } from '../../workflows/contracts/drip-sequence.ts'
import type { EnrolmentStatus } from '../../workflows/contracts/sequences.ts'
import { testApi } from '../support/api.ts'
import { messageRow } from '../support/message-rows.ts'
import { contactRow, journeyRow } from '../support/people-rows.ts'

const { ask, database, organisationId, neighbour, system, keyWith } = await testApi()

const Listed = z.object({ data: z.array(z.object({ id: z.uuid() })), nextCursor: z.string().nullable() })
const list = async (query: string) => Listed.parse(await (await ask('GET', `/messages?${query}`)).json())
const idsOf = async (query: string) => (await list(query)).data.map(({ id }) => id)
const resolve = (id: string, as: string, key?: string) =>
  ask('POST', `/messages/${id}/resolve`, { body: { as }, ...(key && { key }) })

async function message(status: 'sent' | 'unconfirmed', journey: EnrolmentStatus = 'active') {
  const email = `${crypto.randomUUID()}@people.test`
  const contactId = await contactRow(database, organisationId, { email })
  const { enrolmentId, sequenceId, cohortId } = await journeyRow(database, organisationId, contactId, {
    status: journey,
  })
  const id = await messageRow(database, organisationId, { contactId, email, enrolmentId, sequenceId, status })
  return { id, email, contactId, enrolmentId, sequenceId, workflowId: dripSequenceId(sequenceId, cohortId) }
}

const rowOf = async (id: string) =>
  (await system`select status, claim, claimed_at, batch_id, unconfirmed_at, sent_at from messages where id = ${id}`)[0]
const eventsOf = (contactId: string) =>
  database.as(
    organisationId,
    (tx) => tx`select type, data, message_id from contact_events where contact_id = ${contactId}`,
  )
const toldOf = (workflowId: string) => system`select signal, signal_args from outbox where workflow_id = ${workflowId}`

test('messages are listed by status, person, sequence and journey, in pages, the newest first', async () => {
  const [one, other] = [await message('sent'), await message('unconfirmed')]
  const again = await messageRow(database, organisationId, { contactId: one.contactId, email: one.email })
  expect(await idsOf(`contactId=${one.contactId}`)).toEqual([again, one.id])
  expect(await idsOf(`sequenceId=${one.sequenceId}`)).toEqual([one.id])
  expect(await idsOf(`enrolmentId=${other.enrolmentId}`)).toEqual([other.id])
  expect(await idsOf(`status=unconfirmed&contactId=${one.contactId}`)).toEqual([])
  const first = await list(`contactId=${one.contactId}&limit=1`)
  expect(await idsOf(`contactId=${one.contactId}&limit=1&cursor=${first.nextCursor}`)).toEqual([one.id])
  expect((await ask('GET', '/messages?status=lost')).status).toBe(400)
})

test('an unconfirmed message tells since when and what the provider said, and what it says', async () => {
  const { id, email } = await message('unconfirmed')
  const read: unknown = await (await ask('GET', `/messages/${id}`)).json()
  expect(read).toMatchObject({
    status: 'unconfirmed',
    unconfirmedAt: '2026-01-05T12:00:00.000Z',
    lookUp: 'not_possible',
    content: { to: email, subject: 'Hello', text: 'Hello' },
  })
  expect(JSON.stringify(read)).not.toContain('List-Unsubscribe')
})

test('one that is known to have gone is sent, once, and its journey is told', async () => {
  const { id, contactId, workflowId } = await message('unconfirmed')
  const answers = await Promise.all([resolve(id, 'sent'), resolve(id, 'sent'), resolve(id, 'send_again')])
  expect(answers.map(({ status }) => String(status)).sort()).toEqual(['200', '409', '409'])
  expect(await eventsOf(contactId)).toMatchObject([{ type: 'message.resolved', messageId: id }])
  expect(await toldOf(workflowId)).toEqual([{ signal: lookAgain.name, signalArgs: { seats: [1] } }])
})

test('one that is known to have gone counts as sent when it was claimed', async () => {
  const { id } = await message('unconfirmed')
  await resolve(id, 'sent')
  expect(await rowOf(id)).toMatchObject({ status: 'sent', sentAt: new Date('2026-01-05T12:00:00Z') })
})

test.each(['active', 'completed'] as const)(
  'one to be sent again is planned as if never tried, its journey %s',
  async (journey) => {
    const { id, contactId, workflowId } = await message('unconfirmed', journey)
    expect((await resolve(id, 'send_again')).status).toBe(200)
    expect(await rowOf(id)).toEqual({
      status: 'planned',
      claim: null,
      claimedAt: null,
      batchId: null,
      unconfirmedAt: null,
      sentAt: null,
    })
    const data = { as: 'send_again', actor: expect.stringMatching(/^key:/) }
    expect(await eventsOf(contactId)).toMatchObject([
      { type: 'message.unconfirmed' },
      { type: 'message.resolved', data },
    ])
    expect(await toldOf(workflowId)).toMatchObject([{ signal: lookAgain.name }])
  },
)

test('whoever has left a journey gets nothing of it sent again', async () => {
  const { id } = await message('unconfirmed', 'exited')
  const refused = await resolve(id, 'send_again')
  expect([refused.status, await refused.json()]).toMatchObject([409, { code: 'wrong_state' }])
  expect((await resolve(id, 'sent')).status).toBe(200)
})

test("only an unconfirmed message can be resolved, by a key that may send, and nobody's else", async () => {
  const { id } = await message('sent')
  expect((await resolve(id, 'sent')).status).toBe(409)
  const unknown = await message('unconfirmed')
  const { key } = await neighbour()
  expect((await resolve(unknown.id, 'sent', key)).status).toBe(404)
  expect((await ask('GET', `/messages/${unknown.id}`, { key })).status).toBe(404)
  const reading = await keyWith(organisationId, ['messages:read'])
  expect((await resolve(unknown.id, 'sent', reading)).status).toBe(403)
  expect((await resolve(unknown.id, 'lost')).status).toBe(400)
})
