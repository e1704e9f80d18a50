import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressHash } from '../../db/addresses.ts'
import { lockPersons } from '../../db/person-locks.ts'
import { eventually } from '../support/eventually.ts'
import { inboundWorld, soon } from '../support/inbound-world.ts'
import { messageRow } from '../support/message-rows.ts'
import { contactRow } from '../support/people-rows.ts'
import { senderRow } from '../support/sender-rows.ts'
import { signed } from '../support/webhooks.ts'

const { url, database, system, organisationId, neighbour, stories, ...world } = await inboundWorld()
const { lines, newEmail, post, say, recipient, factOf } = world
const { messageOf, eventsOf, suppressionsOf, journeyOf, inboundOf } = world

const countInbound = async () => (await system<{ n: number }[]>`select count(*)::int as n from inbound_events`)[0]?.n

test('what is not signed, signed for another body, or too old is refused and leaves no trace but a counter', async () => {
  const before = await countInbound()
  const { body, headers } = signed({ id: 'forged', fact: null })
  const old = String(Number(headers['webhook-timestamp']) - 3_600)
  const attempts = [
    await post(body, {}),
    await post(`${body} `, headers),
    await post(body, { ...headers, 'webhook-timestamp': old }),
    await post(body, { ...headers, 'webhook-signature': 'v1,AAAA' }),
    await post('x'.repeat(999_999), headers),
  ]
  for (const response of attempts) {
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ code: 'unauthenticated' })
  }
  expect(await countInbound()).toBe(before)
  expect(lines.filter((line) => line.includes('"refused":5'))).toHaveLength(1)
})

test('garbage of more than a megabyte is refused before anything is made of it, packed garbage too', async () => {
  const before = await countInbound()
  const { headers } = signed({ id: 'garbage', fact: null })
  expect((await post('\0'.repeat(1_000_001), headers)).status).toBe(413)
  expect((await post('x', { ...headers, 'content-encoding': 'gzip' })).status).toBe(400)
  expect(await countInbound()).toBe(before)
})

test('without its secret a provider is told to come back, and operators what to set', async () => {
  const response = await post('{}', {}, 'unset')
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '300'])
  expect(await response.json()).toMatchObject({ detail: expect.stringContaining('UNSET_WEBHOOK_SECRET') })
  expect((await post('{}', {}, 'stripe')).status).toBe(404)
  expect((await fetch(`${url}/webhooks/resend`)).status).toBe(405)
})

test('what we do not go by is kept as it came and answered like the rest', async () => {
  await say({ id: 'domain', type: 'domain.created', fact: null, words: 'NUL \0, half \ud800, \\u0000', 'a\0b': 1 })
  expect(await inboundOf('domain')).toEqual([
    {
      organisationId: null,
      type: 'domain.created',
      status: 'ignored',
      payload: expect.objectContaining({ words: 'NUL \ufffd, half \ufffd, \\u0000', 'a\ufffdb': 1 }),
    },
  ])
})

test.each([
  ['an organisation that there is not', { organisationId: crypto.randomUUID() }],
  ['no ids at all', { organisationId: 'x', messageId: "'; drop table messages" }],
  ['a message that there is not', { messageId: crypto.randomUUID() }],
  ['an id of the provider that nobody knows', { organisationId: null, messageId: null }],
])('a fact about %s changes nothing and is kept as unmatched', async (_name, changes) => {
  const { messageId, contactId } = await recipient()
  const before = await messageOf(messageId)
  const id = crypto.randomUUID()
  await say({ id, fact: factOf(messageId, 'complained', changes) })
  expect(await inboundOf(id)).toMatchObject([{ organisationId: null, status: 'unmatched' }])
  expect(await messageOf(messageId)).toEqual(before)
  expect(await eventsOf(contactId)).toEqual([])
})

test("a message under another organisation's name is nobody's", async () => {
  const { messageId } = await recipient()
  const other = await neighbour()
  await say({ id: 'foreign', fact: factOf(messageId, 'complained', { organisationId: other.organisationId }) })
  expect(await inboundOf('foreign')).toMatchObject([{ status: 'unmatched' }])
  expect(await messageOf(messageId)).toMatchObject({ complainedAt: null })
})

test("without our ids a message is found by the provider's own", async () => {
  const email = newEmail()
  const contactId = await contactRow(database, organisationId, { email })
  const senderId = await senderRow(database, organisationId)
  const messageId = await messageRow(database, organisationId, { contactId, email, senderId, providerMessageId: 'p-1' })
  const fact = factOf(messageId, 'delivered', { organisationId: null, messageId: null, providerMessageId: 'p-1' })
  await say({ id: 'by-provider-id', fact })
  expect(await messageOf(messageId)).toMatchObject({ deliveredAt: expect.any(Date) })
})

const recently = Date.now() - 10 * 60_000
const story = [
  ['sent', 1],
  ['delivered', 2],
  ['opened', 3],
  ['opened', 4],
  ['clicked', 5],
  ['complained', 6],
  ['bounced', 7],
  ['rejected', 8],
] as const

test('in whatever order and however often facts come, the rows are the same in the end', async () => {
  const seen = new Set<string>()
  const orders = fc.uniqueArray(fc.nat(story.length - 1), { minLength: story.length, maxLength: story.length })
  const repeats = fc.array(fc.nat(story.length - 1), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(orders, repeats, fc.boolean(), async (order, again, atOnce) => {
      const { messageId, contactId, enrolmentId } = await recipient({ status: 'unconfirmed', exitOn: ['bounce'] })
      const told = [...order, ...again].map((index) => {
        const [event, minute] = story[index] ?? ['sent', 1]
        return () =>
          say({
            id: `${messageId}-${index}`,
            occurredAt: new Date(recently + minute * 1_000),
            fact: factOf(messageId, event),
          })
      })
      if (atOnce) await Promise.all(told.map((tell) => tell()))
      else for (const tell of told) await tell()
      const events = (await eventsOf(contactId)).map(({ type, occurredAt }) => [type, occurredAt])
      const rows = {
        message: { ...(await messageOf(messageId)), providerMessageId: '' },
        events: events
          .filter(([type]) => type !== 'suppression.added')
          .sort((a, b) => String(a).localeCompare(String(b))),
        suppressed: (await suppressionsOf(contactId)).length,
        journey: (await journeyOf(enrolmentId))?.status,
      }
      seen.add(JSON.stringify(rows))
    }),
    { numRuns: 25 },
  )
  expect([...seen].map((rows): unknown => JSON.parse(rows))).toEqual([
    {
      message: {
        status: 'rejected',
        reason: 'failed_at_provider',
        providerMessageId: '',
        sentAt: new Date(recently + 1_000).toISOString(),
        deliveredAt: new Date(recently + 2_000).toISOString(),
        openedAt: new Date(recently + 3_000).toISOString(),
        clickedAt: new Date(recently + 5_000).toISOString(),
        complainedAt: new Date(recently + 6_000).toISOString(),
        bouncedAt: new Date(recently + 7_000).toISOString(),
        repliedAt: null,
      },
      events: expect.toSatisfy((events: unknown[]) => events.length === story.length),
      suppressed: 1,
      journey: 'exited',
    },
  ])
})

test('a message nobody knew the outcome of is sent once the provider speaks of it, and its journey goes on', async () => {
  for (const event of ['sent', 'delivered', 'opened', 'clicked'] as const) {
    const { messageId, workflowId } = await recipient({ status: 'unconfirmed' })
    await say({ id: crypto.randomUUID(), fact: factOf(messageId, event) })
    const sent = { status: 'sent', sentAt: expect.any(Date), providerMessageId: `provider-${messageId}` }
    expect(await messageOf(messageId)).toMatchObject(sent)
    await eventually(() => expect(stories.delivered.map((row) => row.workflowId)).toContain(workflowId), soon)
  }
  const { messageId } = await recipient({ status: 'unconfirmed' })
  await say({ id: crypto.randomUUID(), fact: factOf(messageId, 'rejected') })
  expect(await messageOf(messageId)).toMatchObject({ status: 'rejected', sentAt: null })
})

test('a message that is to be sent again is not once it turns out to have gone', async () => {
  const { messageId } = await recipient({ status: 'planned' })
  await say({ id: crypto.randomUUID(), fact: factOf(messageId, 'opened') })
  expect(await messageOf(messageId)).toMatchObject({ status: 'sent' })
})

test('a message that was given up when it could not be found is sent, or has failed, once the provider says so', async () => {
  for (const [event, status] of [
    ['delivered', 'sent'],
    ['rejected', 'rejected'],
  ] as const) {
    const { messageId } = await recipient({ status: 'skipped' })
    await say({ id: crypto.randomUUID(), fact: factOf(messageId, event) })
    expect(await messageOf(messageId)).toMatchObject({ status })
  }
})

test('a message that was never handed over stays skipped, whatever is said of it', async () => {
  const { messageId } = await recipient({ status: 'skipped' })
  await database.as(organisationId, (tx) => tx`update messages set claimed_at = null where id = ${messageId}`)
  await say({ id: crypto.randomUUID(), fact: factOf(messageId, 'delivered') })
  expect(await messageOf(messageId)).toMatchObject({ status: 'skipped' })
})

test('a message that is being sent is settled by whoever sends it, who finds the proof that it was taken', async () => {
  const { messageId } = await recipient({ status: 'sending' })
  await say({ id: crypto.randomUUID(), fact: factOf(messageId, 'delivered') })
  const taken = { providerMessageId: `provider-${messageId}`, deliveredAt: expect.any(Date) }
  expect(await messageOf(messageId)).toMatchObject({ status: 'sending', ...taken })
})

test('a mailbox that is full for a while suppresses nobody', async () => {
  const { messageId, contactId, enrolmentId } = await recipient({ exitOn: ['bounce'] })
  await say({ id: crypto.randomUUID(), fact: factOf(messageId, 'bounced', { isPermanent: false }) })
  expect(await messageOf(messageId)).toMatchObject({ status: 'sent', bouncedAt: null })
  expect([await eventsOf(contactId), await suppressionsOf(contactId)]).toEqual([[], []])
  expect(await journeyOf(enrolmentId)).toMatchObject({ status: 'active' })
})

test.each([
  ['bounced', 'hard_bounce', 'bounce'],
  ['complained', 'complaint', 'complaint'],
] as const)(
  'a message that %s suppresses its address for everything and ends the journeys',
  async (event, why, end) => {
    const { email, messageId, contactId, enrolmentId } = await recipient({ exitOn: ['bounce'] })
    const sharing = await contactRow(database, organisationId, { email: email.toUpperCase() })
    await say({ id: crypto.randomUUID(), fact: factOf(messageId, event) })
    expect(await suppressionsOf(contactId)).toEqual([{ reason: why, purpose: null }])
    expect(await journeyOf(enrolmentId)).toEqual({ status: 'exited', reason: end })
    const types = async (id: string) => (await eventsOf(id)).map(({ type }) => String(type)).sort()
    expect(await types(contactId)).toEqual([`message.${event}`, 'suppression.added'])
    expect(await types(sharing)).toEqual(['suppression.added'])
  },
)

test('the bounce of an address that somebody has left ends nothing at the one they have now; a complaint does', async () => {
  const { messageId, contactId, enrolmentId } = await recipient({ exitOn: ['bounce'] })
  const hash = addressHash(organisationId, 'email', 'new@people.test')
  await database.as(
    organisationId,
    (tx) => tx`update contacts set email = 'new@people.test', email_hash = ${hash} where id = ${contactId}`,
  )
  await say({ id: crypto.randomUUID(), fact: factOf(messageId, 'bounced') })
  expect(await suppressionsOf(contactId)).toEqual([{ reason: 'hard_bounce', purpose: null }])
  expect(await eventsOf(contactId)).toMatchObject([{ type: 'message.bounced' }])
  expect(await journeyOf(enrolmentId)).toMatchObject({ status: 'active' })
  await say({ id: crypto.randomUUID(), fact: factOf(messageId, 'complained') })
  expect(await journeyOf(enrolmentId)).toEqual({ status: 'exited', reason: 'complaint' })
})

test('a claim that waits for its turn sees the suppression of the complaint that had it before', async () => {
  const { messageId, contactId } = await recipient()
  let claim = Promise.resolve(0)
  await database.as(organisationId, async (holder) => {
    await lockPersons(holder, { contactIds: [contactId] })
    const told = say({ id: crypto.randomUUID(), fact: factOf(messageId, 'complained') })
    const waiting = () => system<{ n: number }[]>`
      select count(*)::int as n from pg_locks where locktype = 'advisory' and not granted
        and database = (select oid from pg_database where datname = current_database())`
    await eventually(async () => expect((await waiting())[0]?.n).toBe(1), soon)
    claim = database.as(organisationId, async (tx) => {
      await lockPersons(tx, { contactIds: [contactId] })
      return (await tx`select 1 from suppressions where contact_id = ${contactId}`).length
    })
    await eventually(async () => expect((await waiting())[0]?.n).toBe(2), soon)
    void told
  })
  expect(await claim).toBe(1)
})

test.each(['9999-01-01T00:00:00Z', '-100000-01-01T00:00:00Z', 'never'])(
  'what happened %s, as the provider says, is taken to happen now',
  async (occurredAt) => {
    const began = Date.now()
    const { messageId } = await recipient()
    await say({ id: crypto.randomUUID(), occurredAt, fact: factOf(messageId, 'delivered') })
    const { deliveredAt } = (await messageOf(messageId)) ?? {}
    expect(Number(deliveredAt)).toBeGreaterThanOrEqual(began)
    expect(Number(deliveredAt)).toBeLessThanOrEqual(Date.now())
  },
)

test('nothing became of a message before it was claimed, whatever the clock of the provider says', async () => {
  const email = newEmail()
  const contactId = await contactRow(database, organisationId, { email })
  const claimedAt = new Date(Date.now() - 1_000)
  const messageId = await messageRow(database, organisationId, { contactId, email, claimedAt })
  const occurredAt = new Date(claimedAt.getTime() - 60_000)
  await say({ id: crypto.randomUUID(), occurredAt, fact: factOf(messageId, 'delivered') })
  expect(await messageOf(messageId)).toMatchObject({ deliveredAt: claimedAt, sentAt: claimedAt })
})

test('no line of the log holds an address or what was said', () => {
  expect(lines.length).toBeGreaterThan(50)
  expect(lines.filter((line) => /@|people\.test/.test(line))).toEqual([])
})
