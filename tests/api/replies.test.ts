import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { inboundWorld, soon } from '../support/inbound-world.ts'
import { messageRow } from '../support/message-rows.ts'
import { contactRow, journeyRow } from '../support/people-rows.ts'
import { senderRow } from '../support/sender-rows.ts'

const { database, organisationId, neighbour, stories, ...world } = await inboundWorld()
const { lines, newEmail, say, recipient, replyFrom, messageOf, eventsOf, journeyOf, inboundOf } = world

test('a reply ends the journey before it is answered, and whoever waits for it is told', async () => {
  await senderRow(database, organisationId, { address: 'Answers@Replies.test' })
  const { email, messageId, contactId, enrolmentId, workflowId } = await recipient({ exitOn: ['reply'] })
  await say({ id: 'reply-1', fact: replyFrom(email, 'answers@replies.test') })
  expect(await journeyOf(enrolmentId)).toEqual({ status: 'exited', reason: 'reply' })
  expect(await messageOf(messageId)).toMatchObject({ repliedAt: expect.any(Date) })
  expect(await eventsOf(contactId)).toMatchObject([{ type: 'message.received', sourceKey: 'inbound/resend/reply-1' }])
  await eventually(() => expect(stories.delivered.map((row) => row.workflowId)).toContain(workflowId), soon)
})

test('what a machine has answered is no reply', async () => {
  await senderRow(database, organisationId, { address: 'machines@replies.test' })
  const { email, messageId, contactId, enrolmentId } = await recipient({ exitOn: ['reply'] })
  await say({ id: 'auto', fact: replyFrom(email, 'machines@replies.test', { isAutomatic: true }) })
  expect(await journeyOf(enrolmentId)).toMatchObject({ status: 'active' })
  expect(await messageOf(messageId)).toMatchObject({ repliedAt: null })
  expect(await eventsOf(contactId)).toMatchObject([{ type: 'message.auto_replied' }])
})

test('a reply counts for the message that it names, else for the newest, also from an address that nobody has', async () => {
  await senderRow(database, organisationId, { address: 'named@replies.test' })
  const at = (minute: number) => new Date(Date.UTC(2026, 0, 5, 12, minute))
  const { email, contactId, messageId: first } = await recipient()
  const later = { contactId, email, claimedAt: at(30) }
  const second = await messageRow(database, organisationId, later)
  const third = await messageRow(database, organisationId, { ...later, claimedAt: at(40), providerMessageId: 'abc-3' })
  const reply = (from: string, inReplyTo: string[]) =>
    say({ id: crypto.randomUUID(), fact: replyFrom(from, 'named@replies.test', { inReplyTo }) })
  const replied = async () =>
    Promise.all([first, second, third].map(async (id) => (await messageOf(id))?.repliedAt !== null))
  await reply(email, [`<${first}@mail.test>`, 'garbage', '<>'])
  expect(await replied()).toEqual([true, false, false])
  await reply(email, ['<unknown@mail.test>'])
  expect(await replied()).toEqual([true, false, true])
  await reply('another@alias.test', [`<${second.toUpperCase()}@mail.test>`])
  expect(await replied()).toEqual([true, true, true])
})

test("nobody's message is answered by naming it from the address of somebody else whom we know", async () => {
  await senderRow(database, organisationId, { address: 'others@replies.test' })
  const [one, other] = [await recipient({ exitOn: ['reply'] }), await recipient({ exitOn: ['reply'] })]
  const inReplyTo = [`<${one.messageId}@mail.test>`]
  await say({ id: crypto.randomUUID(), fact: replyFrom(other.email, 'others@replies.test', { inReplyTo }) })
  expect((await journeyOf(one.enrolmentId))?.status).toBe('active')
  expect((await journeyOf(other.enrolmentId))?.status).toBe('exited')
})

/** Organisations that get their answers at one address, each of which knows the person. Those that have written to them have a message. */
async function sharing(address: string, hasWritten: readonly boolean[]) {
  const owners = await Promise.all(hasWritten.map(async () => (await neighbour()).organisationId))
  const email = newEmail()
  const sides = owners.map(async (owner, index) => {
    await senderRow(database, owner, { address })
    const contactId = await contactRow(database, owner, { email: email.toUpperCase() })
    const messageId = hasWritten[index] === true ? await messageRow(database, owner, { contactId, email }) : ''
    return { owner, contactId, messageId }
  })
  return { email, sides: await Promise.all(sides) }
}

const toldOf = async (id: string) => (await inboundOf(id)).map((row) => String(row.organisationId)).sort()

test('organisations that share an address each get the answer of whom they have written to, once each, and no other', async () => {
  const { email, sides } = await sharing('shared@replies.test', [true, true, false])
  const said = { id: 'shared', fact: replyFrom(email, 'shared@replies.test') }
  await Promise.all([say(said), say(said), say(said)])
  const written = sides.slice(0, 2)
  expect(await toldOf('shared')).toEqual(written.map(({ owner }) => owner).sort())
  for (const { contactId, owner } of written) expect(await eventsOf(contactId, owner)).toHaveLength(1)
  for (const { contactId, owner } of sides.slice(2)) expect(await eventsOf(contactId, owner)).toEqual([])
})

test('an answer that names a message goes to the organisation that has sent it, and is stored in no other', async () => {
  const { email, sides } = await sharing('mine@replies.test', [true, true])
  const [sent, other] = sides
  const inReplyTo = [`<${sent?.messageId}@mail.test>`]
  await say({ id: 'mine', fact: replyFrom(email, 'mine@replies.test', { inReplyTo }) })
  expect(await toldOf('mine')).toEqual([sent?.owner])
  expect(await eventsOf(sent?.contactId ?? '', sent?.owner)).toHaveLength(1)
  expect(await eventsOf(other?.contactId ?? '', other?.owner)).toEqual([])
  await say({ id: 'alias', fact: replyFrom('alias@replies.test', 'mine@replies.test', { inReplyTo }) })
  expect(await toldOf('alias')).toEqual([sent?.owner])
})

test('what was written to an address that the person has left makes nobody at the new one a writer', async () => {
  await senderRow(database, organisationId, { address: 'left@replies.test' })
  const email = newEmail()
  const contactId = await contactRow(database, organisationId, { email })
  await messageRow(database, organisationId, { contactId, email: 'before@people.test' })
  await say({ id: 'left', fact: replyFrom(email, 'left@replies.test') })
  expect(await inboundOf('left')).toMatchObject([{ organisationId: null, status: 'unmatched' }])
})

test('an answer from nobody whom we know, or to nobody, is kept as unmatched once', async () => {
  await senderRow(database, organisationId, { address: 'lonely@replies.test' })
  for (const [id, to] of [
    ['stranger', 'lonely@replies.test'],
    ['astray', 'nobody@replies.test'],
  ] as const) {
    const said = { id, fact: replyFrom('stranger@nowhere.test', to) }
    await Promise.all([say(said), say(said)])
    expect(await inboundOf(id)).toMatchObject([{ organisationId: null, status: 'unmatched' }])
  }
})

test('everyone who has the address a reply came from has replied', async () => {
  await senderRow(database, organisationId, { address: 'both@replies.test' })
  const one = await recipient({ exitOn: ['reply'] })
  const twin = await contactRow(database, organisationId, { email: one.email })
  const { enrolmentId } = await journeyRow(database, organisationId, twin, { exitOn: ['reply'] })
  await say({ id: 'both', fact: replyFrom(one.email, 'both@replies.test') })
  expect([await journeyOf(one.enrolmentId), await journeyOf(enrolmentId)]).toMatchObject([
    { reason: 'reply' },
    { reason: 'reply' },
  ])
})

test('no line of the log holds an address', () => {
  expect(lines.length).toBeGreaterThan(10)
  expect(lines.filter((line) => /@|people\.test|replies\.test/.test(line))).toEqual([])
})
