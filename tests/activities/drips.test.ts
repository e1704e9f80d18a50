import { expect, test } from 'vitest'
import { addressHash } from '../../db/addresses.ts'
import { builtInPolicy } from '../../workflows/contracts/sending.ts'
import { aMessage } from '../support/drip-rows.ts'
import { allDay, dripTurns, seatsOf } from '../support/drip-turns.ts'

const { organisationId, as, sandbox, now, later, setClock, drip, activities, advance, taken, statusesOf } =
  await dripTurns()

test('a whole journey: sent, waited a day, sent again, over', async () => {
  const rows = await drip()
  const first = await advance(rows)
  expect(seatsOf(first.outcomes, 'due')).toEqual([1, 2, 3])
  expect(first.moves).toMatchObject({ sent: { first: 3 }, entered: { first: 3, pause: 3 } })
  later(86_400_000)
  const second = await advance(rows)
  expect(seatsOf(second.outcomes, 'ended')).toEqual([1, 2, 3])
  expect(second.moves).toMatchObject({ sent: { second: 3 }, ended: { completed: 3 } })
  expect((await taken()).toSorted()).toEqual(rows.people.flatMap(({ email }) => [email, email]).toSorted())
  const batches = (await sandbox().requests({ provider: 'resend' })).filter(
    ({ operation }) => operation === 'emails.batch',
  )
  expect(batches).toHaveLength(2)
})

test('looked at before it is time, nobody moves and nothing goes', async () => {
  const rows = await drip()
  await advance(rows)
  later(3_600_000)
  const { outcomes } = await advance(rows)
  expect(seatsOf(outcomes, 'due')).toEqual([1, 2, 3])
  expect(await taken()).toHaveLength(3)
})

test('the same turn taken twice at once sends once', async () => {
  const rows = await drip({ people: 20 })
  await Promise.all([advance(rows), advance(rows), advance(rows)])
  expect(await taken()).toHaveLength(20)
})

test('a message carries the one-click header, its ids and the postal address', async () => {
  const rows = await drip({ people: 1 })
  await advance(rows)
  const [message] = await as(
    (tx) => tx<{ id: string; rendered: { headers: Record<string, string>; text: string; tags: object } }[]>`
    select id, rendered from messages where sequence_id = ${rows.sequenceId}`,
  )
  expect(message?.rendered.headers['List-Unsubscribe-Post']).toBe('List-Unsubscribe=One-Click')
  expect(message?.rendered.headers['List-Unsubscribe']).toMatch(/^<https:\/\/throughline\.test\/u\/[\w-]{22}>$/)
  expect(message?.rendered.text).toContain('1 Main Street')
  expect((await sandbox().messages('resend')).at(-1)?.tags).toMatchObject({ message_id: message?.id })
})

test('an address that is suppressed gets nothing, and the journey says why', async () => {
  const rows = await drip({ people: 2 })
  const [first] = rows.people
  await as(
    (tx) =>
      tx`insert into suppressions (channel, address_hash, reason, actor)
      values ('email', ${addressHash(organisationId, 'email', first?.email ?? '')}, 'manual', 'key:1')`,
  )
  await advance(rows)
  expect(await taken()).toEqual([rows.people[1]?.email])
  expect(
    await as((tx) => tx`select status, reason from messages where enrolment_id = ${first?.enrolmentId ?? ''}`),
  ).toEqual([{ status: 'skipped', reason: 'suppressed' }])
})

test('messages that are left out stand in the order of all', async () => {
  const rows = await drip({ people: 1 })
  const { contactId = '', enrolmentId = '' } = rows.people[0] ?? {}
  await as((tx) => tx`update contacts set email = null, email_hash = null where id = ${contactId}`)
  const idNow = async () => (await as((tx) => tx<{ id: string }[]>`select uuidv7() as id`))[0]?.id ?? ''
  const before = await idNow()
  await advance(rows)
  const [skipped] = await as(
    (tx) => tx<{ id: string }[]>`select id from messages where enrolment_id = ${enrolmentId} and status = 'skipped'`,
  )
  expect(skipped?.id && skipped.id > before && skipped.id < (await idNow())).toBe(true)
})

test('a variable that is not known holds that person and nobody else', async () => {
  const rows = await drip({ steps: [aMessage('hello', { text: 'Dear {{ contact.properties.firstName }}' })] })
  await as(
    (tx) => tx`update contacts set properties = '{"firstName": "Ann"}' where id = ${rows.people[0]?.contactId ?? ''}`,
  )
  const { outcomes } = await advance(rows)
  expect(seatsOf(outcomes, 'ended')).toEqual([1])
  expect(seatsOf(outcomes, 'held')).toEqual([2, 3])
  const [held] = await as(
    (tx) => tx<{ data: { detail: string } }[]>`
    select data from contact_events where type = 'enrolment.held' and enrolment_id = ${rows.people[1]?.enrolmentId ?? ''}`,
  )
  expect(held?.data.detail).toContain('contact.properties.firstName')
})

test('outside the window it is deferred to the opening hour of the person, with the reason on record', async () => {
  setClock(new Date('2026-03-02T05:00:00Z'))
  const rows = await drip({ people: 1, timeZone: 'America/Chicago', policy: builtInPolicy })
  const { outcomes, moves } = await advance(rows)
  expect(outcomes).toEqual([{ seat: 1, now: 'due', dueAt: Date.parse('2026-03-02T14:00:00Z') }])
  expect(moves.notSent).toEqual({ outside_window: 1 })
  expect(await taken()).toEqual([])
  const decisions = await as(
    (tx) => tx`select type, data from contact_events where enrolment_id = ${rows.people[0]?.enrolmentId ?? ''}`,
  )
  expect(decisions).toMatchObject([
    { type: 'message.deferred', data: { reason: 'outside_window', zone: 'America/Chicago' } },
  ])
})

test('two sequences keep the gap between messages to one person', async () => {
  setClock(new Date('2026-03-02T12:00:00Z'))
  const policy = { ...allDay, minGap: 'PT4H' }
  const one = await drip({ people: 1, policy })
  const other = await drip({ people: 1, policy })
  const [person] = one.people
  await as(
    (tx) =>
      tx`update enrolments set contact_id = ${person?.contactId ?? ''} where id = ${other.people[0]?.enrolmentId ?? ''}`,
  )
  const outcomes = await Promise.all([advance(one), advance(other)])
  expect(await taken()).toHaveLength(1)
  const deferred = outcomes.flatMap(({ moves }) => moves.notSent.min_gap ?? [])
  expect(deferred).toEqual([1])
})

test('a provider that is too busy surely took nothing: it is tried later, and everybody waits', async () => {
  const rows = await drip()
  await sandbox().addFault({
    provider: 'resend',
    kind: 'status',
    status: 429,
    retryAfterSeconds: 20,
    rate: 1,
    count: 1,
  })
  const { outcomes, moves } = await advance(rows)
  expect(
    outcomes.map((outcome) => outcome.now === 'due' && Math.round((outcome.dueAt - now().getTime()) / 10_000)),
  ).toEqual([2, 2, 2])
  expect(moves.notSent).toEqual({ sender_rate: 3 })
  expect(await statusesOf(rows)).toEqual(['planned', 'planned', 'planned'])
  await advance(rows)
  expect(await taken()).toEqual([])
  later(21_000)
  await advance(rows)
  expect(await taken()).toHaveLength(3)
})

test('a sender sends exactly at its rate, whoever asks', async () => {
  const rows = await drip({ people: 30, ratePerSecond: 10 })
  const seats = rows.people.map(({ seat }) => seat)
  const run = (some: number[]) => advance(rows, some, {}, () => new Date())
  await Promise.all([run(seats.slice(0, 10)), run(seats.slice(10, 20)), run(seats.slice(20))])
  const times = (await sandbox().messages('resend')).map(({ at }) => Date.parse(at))
  expect(times).toHaveLength(30)
  const first = times[0] ?? 0
  for (const [index, at] of times.entries()) expect(at - first).toBeGreaterThanOrEqual((index - 10) * 100 - 50)
})

test('who is held by their story is held in the rows, and their history says why', async () => {
  const rows = await drip({ people: 2 })
  const { sequenceId, cohortId } = rows
  const cohort = { organisationId, sequenceId, cohortId }
  await activities().holdSeats({ ...cohort, seats: [1], reason: 'internal_error', now: now().getTime() })
  expect(
    await as((tx) => tx`select seat, status, reason from enrolments where cohort_id = ${cohortId} order by seat`),
  ).toEqual([
    { seat: 1, status: 'held', reason: 'internal_error' },
    { seat: 2, status: 'active', reason: null },
  ])
  expect(
    await as((tx) => tx`select data from contact_events where enrolment_id = ${rows.people[0]?.enrolmentId ?? ''}`),
  ).toMatchObject([{ data: { reason: 'internal_error' } }])
})

test('a paused sequence keeps everyone where they are', async () => {
  const rows = await drip()
  await as((tx) => tx`update sequences set status = 'paused' where id = ${rows.sequenceId}`)
  const { outcomes } = await advance(rows)
  expect(seatsOf(outcomes, 'asleep')).toEqual([1, 2, 3])
  await as((tx) => tx`update sequences set status = 'live' where id = ${rows.sequenceId}`)
  await advance(rows)
  expect(await taken()).toHaveLength(3)
})

test('an address that the provider will never take costs that person a message and nobody else', async () => {
  const rows = await drip()
  const [first] = rows.people
  await as(
    (tx) => tx`
    update contacts set email = 'nobody@nowhere', email_hash = ${addressHash(organisationId, 'email', 'nobody@nowhere')}
    where id = ${first?.contactId ?? ''}`,
  )
  const { moves } = await advance(rows)
  expect((await statusesOf(rows)).toSorted()).toEqual(['rejected', 'sent', 'sent'])
  expect(moves).toMatchObject({ sent: { first: 2 }, notSent: { rejected: 1 } })
  expect(await taken()).toHaveLength(2)
})

test("a key that the provider does not know is nobody's fault: it is tried again later, and not once for each", async () => {
  const rows = await drip({ people: 30 })
  const { outcomes, moves } = await advance(rows, undefined, { apiKey: 'wrong' })
  expect(seatsOf(outcomes, 'due')).toHaveLength(30)
  expect(Object.keys(moves.notSent)).toEqual(['resend:invalid_key'])
  expect(await sandbox().requests({ provider: 'resend' })).toHaveLength(2)
  later(301_000)
  await advance(rows)
  expect(await taken()).toHaveLength(30)
})

test('archived while on their way, people leave', async () => {
  const rows = await drip()
  await as((tx) => tx`update sequences set status = 'archived' where id = ${rows.sequenceId}`)
  const { outcomes, moves } = await advance(rows)
  expect(seatsOf(outcomes, 'ended')).toEqual([1, 2, 3])
  expect(moves.ended).toEqual({ sequence_archived: 3 })
})

test('what somebody does while their message is on its way is not missed by the wait behind it', async () => {
  const wait = {
    key: 'answer',
    type: 'wait',
    event: { firstOf: [{ type: 'custom.booked', next: 'end' }], timeout: 'P7D' },
  } as const
  const rows = await drip({
    people: 1,
    steps: [
      aMessage('first'),
      { ...wait, event: { ...wait.event, firstOf: [...wait.event.firstOf] } },
      aMessage('second'),
    ],
  })
  const [person] = rows.people
  await advance(rows)
  await as(
    (tx) => tx`
    insert into contact_events (contact_id, type, source_key, occurred_at)
    values (${person?.contactId ?? ''}, 'custom.booked', ${crypto.randomUUID()}, ${now()})`,
  )
  const { outcomes } = await advance(rows)
  expect(seatsOf(outcomes, 'ended')).toEqual([1])
  expect(await taken()).toHaveLength(1)
})

test('a message that was put off is given up when its person leaves, with the reason on record', async () => {
  const rows = await drip({ people: 1 })
  await sandbox().addFault({ provider: 'resend', kind: 'status', status: 429, count: 1 })
  await advance(rows)
  expect(await statusesOf(rows)).toEqual(['planned'])
  await as((tx) => tx`update enrolments set status = 'exited' where sequence_id = ${rows.sequenceId}`)
  later(60_000)
  const { outcomes, moves } = await advance(rows)
  expect(seatsOf(outcomes, 'ended')).toEqual([1])
  expect(moves.notSent).toEqual({ exited: 1 })
  expect(await statusesOf(rows)).toEqual(['skipped'])
})
