import { expect, test, vi } from 'vitest'
import { resolveMessage } from '../../db/message-resolutions.ts'
import { recordLookUp } from '../../db/messages.ts'
import { suppressAddress } from '../../db/suppressing.ts'
import { builtInPolicy } from '../../workflows/contracts/sending.ts'
import { aMessage } from '../support/drip-rows.ts'
import { dripTurns, seatsOf } from '../support/drip-turns.ts'

const { organisationId, as, sandbox, now, later, setClock, drip, advance, taken, statusesOf } = await dripTurns()

test('an answer that got lost is asked for again under the same key', async () => {
  const rows = await drip()
  await sandbox().addFault({ provider: 'resend', kind: 'accept-then-drop', rate: 1, count: 1 })
  const first = await advance(rows)
  expect(seatsOf(first.outcomes, 'due')).toEqual([1, 2, 3])
  expect(await statusesOf(rows)).toEqual(['sending', 'sending', 'sending'])
  later(5_000)
  await advance(rows)
  await advance(rows)
  expect(await statusesOf(rows)).toEqual(['sent', 'sent', 'sent'])
  expect(await taken()).toHaveLength(3)
})

test('once the provider has forgotten the key, nothing is repeated: the message is looked up', async () => {
  const rows = await drip()
  await sandbox().addFault({ provider: 'resend', kind: 'accept-then-drop', rate: 1, count: 1 })
  await advance(rows, undefined, { keyLifetimeMs: 0 })
  later(60_000)
  await advance(rows, undefined, { keyLifetimeMs: 0 })
  expect(await statusesOf(rows)).toEqual(['unconfirmed', 'unconfirmed', 'unconfirmed'])
  await advance(rows, undefined, { keyLifetimeMs: 0 })
  expect(await statusesOf(rows)).toEqual(['sent', 'sent', 'sent'])
  expect(await taken()).toHaveLength(3)
})

test('a message that was never taken is sent again after the look-up', async () => {
  const rows = await drip({ people: 1 })
  await sandbox().addFault({ provider: 'resend', kind: 'timeout', rate: 1, count: 1 })
  await advance(rows, undefined, { keyLifetimeMs: 0, timeoutMs: 300 })
  later(60_000)
  for (let turn = 1; turn <= 3; turn += 1) await advance(rows, undefined, { keyLifetimeMs: 0 })
  expect(await statusesOf(rows)).toEqual(['sent'])
  expect(await taken()).toHaveLength(1)
})

test('somebody who opts out while a call is unclear is not in its repetition', async () => {
  const rows = await drip({ people: 2 })
  await sandbox().addFault({ provider: 'resend', kind: 'timeout', rate: 1, count: 1 })
  await advance(rows, undefined, { timeoutMs: 300 })
  const address = rows.people[0]?.email ?? ''
  await as((tx) =>
    suppressAddress(
      tx,
      {
        organisationId,
        channel: 'email',
        address,
        purpose: 'marketing',
        reason: 'unsubscribed',
        actor: 'test',
        sourceKey: 'test/1',
        occurredAt: now(),
      },
      { requestId: 'test', now: now() },
    ),
  )
  for (let turn = 1; turn <= 6; turn += 1) {
    later(30_000)
    await advance(rows)
  }
  expect(await taken()).toEqual([rows.people[1]?.email])
})

test('a call that comes too long after its claim is not made', async () => {
  const rows = await drip()
  const thaw = freezeBefore('deliveries.ts')
  await advance(rows)
  thaw()
  expect(await taken()).toEqual([])
  expect(await statusesOf(rows)).toEqual(['planned', 'planned', 'planned'])
  await advance(rows)
  expect(await taken()).toHaveLength(3)
})

test('a repetition that comes too long after its claim is not made', async () => {
  const rows = await drip({ people: 1 })
  await sandbox().addFault({ provider: 'resend', kind: 'timeout', rate: 1, count: 1 })
  await advance(rows, undefined, { timeoutMs: 300 })
  const thaw = freezeBefore('unclear.ts')
  await advance(rows)
  thaw()
  expect(await taken()).toEqual([])
  await advance(rows)
  expect(await taken()).toHaveLength(1)
})

test('what a look-up says of one call is not believed of the next', async () => {
  const rows = await drip({ people: 1 })
  const forgetful = { keyLifetimeMs: 0, timeoutMs: 300 }
  await sandbox().addFault({ provider: 'resend', kind: 'timeout', rate: 1, count: 1 })
  await advance(rows, undefined, forgetful)
  const [first] = await callsOf(rows)
  later(60_000)
  for (let turn = 1; turn <= 3; turn += 1) await advance(rows, undefined, forgetful)
  expect(await statusesOf(rows)).toEqual(['sent'])
  await as((tx) => tx`update messages set status = 'unconfirmed' where id = ${first?.id ?? ''}`)
  const late = { id: first?.id ?? '', batchId: first?.batchId ?? '' }
  await as((tx) => recordLookUp(tx, late, { is: 'not_found', mayGoAgain: true }, now()))
  expect(await statusesOf(rows)).toEqual(['unconfirmed'])
})

test('a pause keeps new messages back and still finds out about those that may have gone', async () => {
  const rows = await drip({ people: 2 })
  await sandbox().addFault({ provider: 'resend', kind: 'accept-then-drop', rate: 1, count: 1 })
  await advance(rows)
  await as((tx) => tx`update sequences set status = 'paused' where id = ${rows.sequenceId}`)
  for (let turn = 1; turn <= 3; turn += 1) {
    later(30_000)
    await advance(rows)
  }
  expect(await statusesOf(rows)).toEqual(['sent', 'sent'])
  expect(await taken()).toHaveLength(2)
})

test('a message that nobody can tell of lets the journey go on after the time that the policy gives', async () => {
  const rows = await drip({ people: 1 })
  const onlySends = { keyLifetimeMs: 0, apiKey: 'sending' }
  await sandbox().addFault({ provider: 'resend', kind: 'accept-then-drop', rate: 1, count: 1 })
  for (let turn = 1; turn <= 3; turn += 1) {
    await advance(rows, undefined, onlySends)
    later(60_000)
  }
  expect(await statusesOf(rows)).toEqual(['unconfirmed'])
  later(3_600_000)
  const { moves } = await advance(rows, undefined, onlySends)
  expect(moves.entered).toEqual({ first: 1, pause: 1 })
  expect(await statusesOf(rows)).toEqual(['unconfirmed'])

  const messageId = (
    await as((tx) => tx<{ id: string }[]>`select id from messages where sequence_id = ${rows.sequenceId}`)
  )[0]?.id
  await as((tx) => resolveMessage(tx, messageId ?? '', 'send_again', { actor: 'key:1', requestId: 'test', now: now() }))
  const { outcomes } = await advance(rows)
  expect(await taken()).toHaveLength(2)
  expect(outcomes).toMatchObject([{ now: 'due' }])
  expect((await as((tx) => tx`select step_key from enrolments where sequence_id = ${rows.sequenceId}`))[0]).toEqual({
    stepKey: 'pause',
  })
})

test('a look-up goes back to the first call, however often it was repeated since', async () => {
  const rows = await drip({ people: 1 })
  await sandbox().addFault({ provider: 'resend', kind: 'accept-then-drop', rate: 1, count: 1 })
  await advance(rows)
  await sandbox().addFault({ provider: 'resend', kind: 'timeout', rate: 1, count: 1 })
  later(3_600_000)
  await advance(rows, undefined, { timeoutMs: 300 })
  later(60_000)
  for (let turn = 1; turn <= 3; turn += 1) await advance(rows, undefined, { keyLifetimeMs: 0 })
  expect(await statusesOf(rows)).toEqual(['sent'])
  expect(await taken()).toHaveLength(1)
})

test('a message that is unclear for a second time is looked up for a second time, though its journey has ended', async () => {
  const rows = await drip({ people: 1 })
  const forgetful = { keyLifetimeMs: 0, timeoutMs: 300 }
  await sandbox().addFault({ provider: 'resend', operation: 'emails.send', kind: 'timeout', count: 1 })
  await advance(rows, undefined, forgetful)
  later(60_000)
  for (let turn = 1; turn <= 2; turn += 1) await advance(rows, undefined, forgetful)
  expect(await statusesOf(rows)).toEqual(['planned'])

  await sandbox().addFault({ provider: 'resend', operation: 'emails.send', kind: 'accept-then-drop', count: 1 })
  await advance(rows, undefined, forgetful)
  await as((tx) => tx`update enrolments set status = 'exited' where sequence_id = ${rows.sequenceId}`)
  later(60_000)
  for (let turn = 1; turn <= 2; turn += 1) await advance(rows, undefined, forgetful)
  expect(await statusesOf(rows)).toEqual(['sent'])
  expect(await taken()).toHaveLength(1)
})

test('messages that are looked up together are read from one list', async () => {
  const rows = await drip()
  await sandbox().addFault({ provider: 'resend', kind: 'accept-then-drop', count: 1 })
  await advance(rows, undefined, { keyLifetimeMs: 0 })
  later(60_000)
  for (let turn = 1; turn <= 2; turn += 1) await advance(rows, undefined, { keyLifetimeMs: 0 })
  expect(await statusesOf(rows)).toEqual(['sent', 'sent', 'sent'])
  const requests = await sandbox().requests({ provider: 'resend' })
  expect(requests.filter(({ operation }) => operation === 'emails.list')).toHaveLength(1)
})

test('a message that is wanted again after the journey, at night, goes in the morning and is followed up like any other', async () => {
  const hello = { steps: [aMessage('hello')], people: 1, policy: builtInPolicy, timeZone: 'UTC' }
  setClock(new Date('2026-03-02T12:00:00Z'))
  const rows = await drip(hello)
  await advance(rows)
  setClock(new Date('2026-03-02T23:00:00Z'))
  await as(
    (tx) => tx`
    update messages set status = 'planned', claim = null, claimed_at = null, batch_id = null, look_up = null
    where sequence_id = ${rows.sequenceId}`,
  )
  const night = await advance(rows)
  expect(night.outcomes).toEqual([{ seat: 1, now: 'due', dueAt: Date.parse('2026-03-03T08:00:00Z') }])
  setClock(new Date('2026-03-03T08:00:00Z'))
  await sandbox().addFault({ provider: 'resend', kind: 'timeout', rate: 1, count: 1 })
  const unclear = await advance(rows, undefined, { timeoutMs: 300 })
  expect(seatsOf(unclear.outcomes, 'due')).toEqual([1])
  for (let turn = 1; turn <= 4; turn += 1) {
    later(60_000)
    await advance(rows)
  }
  // The provider knows the message, if only by its first copy: it is out.
  expect(await statusesOf(rows)).toEqual(['sent'])
})

/** The claims of a sequence's messages. */
function callsOf({ sequenceId }: { sequenceId: string }) {
  return as(
    (tx) => tx<{ id: string; batchId: string }[]>`select id, batch_id from messages where sequence_id = ${sequenceId}`,
  )
}

/** As if the process had been frozen just before this file makes its call. Returns what ends that. */
function freezeBefore(file: string): () => void {
  const { now: realNow } = performance
  let asked = 0
  const frozenMs = () => (new Error('who asks').stack?.includes(file) ? (asked += 10_001) : 0)
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => realNow.call(performance) + frozenMs())
  return () => clock.mockRestore()
}
