import { randomUUID } from 'node:crypto'
import postgres from 'postgres'
import { expect, test } from 'vitest'
import { claimKey } from '../../db/idempotency-keys.ts'
import { ownList, testApi } from '../support/api.ts'
import { campaignRow } from '../support/campaign-rows.ts'

let now = new Date('2026-01-05T12:00:00Z')
const { ask, database, fresh, organisationId, stories, neighbour } = await testApi({ clock: () => now })

const start = (key: string, body: unknown = ownList('bakery.com')) =>
  ask('POST', '/campaigns', { body, headers: { 'idempotency-key': key } })

const campaignsNamed = (name: string) =>
  database.as(organisationId, (tx) => tx`select id from campaigns where name = ${name}`)

async function codeOf(response: Response): Promise<unknown> {
  const problem: unknown = await response.json()
  return typeof problem === 'object' && problem !== null && 'code' in problem ? problem.code : problem
}

test('twenty simultaneous requests with one key start one campaign', async () => {
  const [key, name] = [randomUUID(), randomUUID()]
  const responses = await Promise.all(Array.from({ length: 20 }, () => start(key, { ...ownList('a.com'), name })))
  const statuses = responses.map(({ status }) => status)
  expect(statuses).toContain(202)
  expect(statuses.filter((status) => status !== 202 && status !== 409)).toEqual([])
  expect(await campaignsNamed(name)).toHaveLength(1)
})

test('a repeated request gets the same answer to the byte, marked as repeated', async () => {
  const key = randomUUID()
  const first = await start(key)
  const again = await start(key)
  expect(again.status).toBe(202)
  expect(await again.text()).toBe(await first.text())
  expect(again.headers.get('location')).toBe(first.headers.get('location'))
  expect(first.headers.get('idempotency-replayed')).toBeNull()
  expect(again.headers.get('idempotency-replayed')).toBe('true')
})

test('the same key with another body is refused', async () => {
  const key = randomUUID()
  await start(key)
  const other = await start(key, ownList('cafe.com'))
  expect(other.status).toBe(422)
  expect(await codeOf(other)).toBe('idempotency_mismatch')
})

test('the same key of another organisation is another key', async () => {
  const key = randomUUID()
  const ours = await start(key)
  const { key: theirApiKey } = await neighbour()
  const headers = { 'idempotency-key': key }
  const theirs = await ask('POST', '/campaigns', { key: theirApiKey, body: ownList('bakery.com'), headers })
  expect(theirs.status).toBe(202)
  expect(await theirs.text()).not.toBe(await ours.text())
})

test('a refused request leaves its key free for a corrected one', async () => {
  const key = randomUUID()
  expect((await start(key, { name: 'Nothing to search' })).status).toBe(400)
  expect((await start(key, ownList('bakery.com'))).status).toBe(202)
})

test('while a request runs its key is in flight; killed, it frees the key after a minute', async () => {
  const id = await campaignRow(database, organisationId)
  const key = randomUUID()
  const pause = () => ask('POST', `/campaigns/${id}/pause`, { headers: { 'idempotency-key': key } })
  const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<never>()]
  stories.change = () => {
    asked.resolve()
    return answer.promise
  }
  const first = pause()
  await asked.promise
  expect(await codeOf(await pause())).toBe('idempotency_in_flight')

  now = new Date(now.getTime() + 61_000)
  stories.change = stoppedAt('paused')
  expect((await pause()).status).toBe(200)
  answer.reject(new Error('the first one died'))
  expect((await first).status).toBe(500)
  const replayed = await pause()
  expect(replayed.headers.get('idempotency-replayed')).toBe('true')
})

test('a request that was slower than its lock undoes its work when another has taken the key over', async () => {
  const [key, name] = [randomUUID(), randomUUID()]
  const body = { ...ownList('bakery.com'), name }
  // The work cannot be committed until the key has been taken over.
  const [locked, takenOver] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const owner = postgres(fresh.ownerUrl, { max: 1 })
  const blocker = owner.begin(async (tx) => {
    await tx`lock table outbox in exclusive mode`
    locked.resolve()
    await takenOver.promise
  })
  await locked.promise
  const slow = start(key, body)
  await expect
    .poll(() => database.as(organisationId, (tx) => tx`select 1 from idempotency_keys where key = ${key}`))
    .toHaveLength(1)
  const claimedLater = await database.as(organisationId, async (tx) => {
    const [row] = await tx<{ path: string; fingerprint: string }[]>`
      select path, fingerprint from idempotency_keys where key = ${key}`
    if (!row) throw new Error('the key is claimed')
    return claimKey(tx, { method: 'POST', key, ...row }, new Date(now.getTime() + 61_000))
  })
  expect(claimedLater.outcome).toBe('claimed')
  takenOver.resolve()
  await blocker
  await owner.end()
  expect((await slow).status).toBe(409)
  expect(await campaignsNamed(name)).toEqual([])
})

test('repeating an update sends the story the same update id, never the key itself, and another action another one', async () => {
  const id = await campaignRow(database, organisationId)
  const ids: string[] = []
  stories.change = async (_workflow, updateId) => {
    ids.push(updateId)
    throw new Error('no answer')
  }
  const headers = { 'idempotency-key': 'k-17' }
  await ask('POST', `/campaigns/${id}/pause`, { headers })
  await ask('POST', `/campaigns/${id}/pause`, { headers })
  await ask('POST', `/campaigns/${id}/cancel`, { headers })
  const [pause, again, cancel] = ids
  expect(pause).toMatch(/^pause\/[0-9a-f]{64}$/) // the key itself may be anything, a name too
  expect(again).toBe(pause)
  expect(cancel).toBe(pause?.replace('pause', 'cancel'))
})

test.each(['', 'x'.repeat(256), 'tab\there'])('the key %j is refused', async (key) => {
  const response = await start(key)
  expect(response.status).toBe(400)
})

function stoppedAt(status: 'paused') {
  return async () => ({ status, stage: 'search', waitingFor: null, problem: null, revision: 2 })
}
