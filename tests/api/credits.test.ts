import { expect, test } from 'vitest'
import { z } from 'zod'
import { grantCredits, type NewGrant } from '../../db/credits.ts'
import { saveMeteredTypes } from '../../db/metered-usage.ts'
import { testApi } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'

const now = new Date('2026-11-21T12:00:00Z')
const { ask, database, organisationId, neighbour, keyWith, stories } = await testApi({ clock: () => now })

let made = 0
function grant(type: string, amount: number, more: Partial<NewGrant> = {}) {
  made += 1
  const whole = { type, amount, sourceKey: `test/${made}`, source: 'plan', beginsPeriod: false, ...more } as const
  return database.as(organisationId, (tx) => grantCredits(tx, whole, now))
}
const use = (body: object, key?: string) => ask('POST', '/usage', { body, ...(key && { key }) })
const balanceOf = async (type: string) => {
  const { data } = z
    .object({ data: z.array(z.looseObject({ type: z.string() })) })
    .parse(await (await ask('GET', '/credits')).json())
  return data.find((one) => one.type === type)
}
const ledgerOf = async (type: string, query = '') =>
  z
    .object({ data: z.array(z.looseObject({ kind: z.string(), amount: z.int() })), nextCursor: z.string().nullable() })
    .parse(await (await ask('GET', `/credits/ledger?type=${type}${query}`)).json())

test('what was used is burned once under its key, and the first answer is given again', async () => {
  await grant('calls', 100)
  const report = { key: 'call/1', type: 'calls', amount: 30 }
  const first = await use(report)
  expect([first.status, await first.json()]).toEqual([200, { ...report, balance: 70, metered: 0 }])
  await use({ ...report, key: 'call/2' })
  expect(await (await use(report)).json()).toEqual({ ...report, balance: 70, metered: 0 })
  const other = await use({ ...report, amount: 31 })
  expect([other.status, await other.json()]).toMatchObject([409, { code: 'conflict' }])
  expect(await balanceOf('calls')).toMatchObject({ balance: 40 })
})

test('the same report at the same moment burns once', async () => {
  await grant('twice', 1_000)
  for (let round = 1; round <= 10; round += 1) {
    const report = { key: `once/${round}`, type: 'twice', amount: 30 }
    const all = await Promise.all(Array.from({ length: 10 }, () => use(report)))
    const answers = await Promise.all(all.map((answer) => answer.json()))
    expect(answers).toEqual(all.map(() => ({ ...report, balance: 1_000 - 30 * round, metered: 0 })))
  }
})

test('one key is one use, whatever type two reports at the same moment name', async () => {
  await grant('apples', 10)
  await grant('pears', 10)
  const both = await Promise.all(['apples', 'pears'].map((type) => use({ key: 'fruit', type, amount: 1 })))
  expect(both.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409])
  const left = await Promise.all(['apples', 'pears'].map(balanceOf))
  expect(new Set(left.map((one) => one?.['balance']))).toEqual(new Set([9, 10]))
})

test('what the balance does not cover is answered 402 with what is missing, and goes through once there is more', async () => {
  await grant('scarce', 10)
  const report = { key: 'too-much', type: 'scarce', amount: 11 }
  const refused = await use(report)
  expect([refused.status, await refused.json()]).toMatchObject([
    402,
    {
      code: 'payment_required',
      detail: expect.stringMatching(/^This takes 11 credits of the type scarce, with 10 left/),
    },
  ])
  const { key } = await neighbour()
  expect((await use({ key: 'sold', type: 'call_seconds', amount: 1 }, key)).status).toBe(402)
  await grant('scarce', 5, { source: 'purchase' })
  expect(await (await use(report)).json()).toEqual({ ...report, balance: 4, metered: 0 })
})

test('a type that there are no credits of is answered 400 with those that there are', async () => {
  const { organisationId: id, key } = await neighbour()
  const misspelt = async () => {
    const response = await use({ key: 'slip', type: 'call_second', amount: 1 }, key)
    return [response.status, await response.json()]
  }
  expect(await misspelt()).toMatchObject([
    400,
    { code: 'invalid_input', errors: [{ pointer: '/type', detail: expect.stringContaining(': call_seconds.') }] },
  ])
  const own = { type: 'own', amount: 1, sourceKey: 'own', source: 'manual', beginsPeriod: false } as const
  await database.as(id, (tx) => grantCredits(tx, own, now))
  expect(await misspelt()).toMatchObject([400, { detail: expect.stringContaining(': call_seconds, own.') }])
})

test('a balance tells its grants in the order in which they burn; what has expired is no more among them', async () => {
  const soon = new Date(now.getTime() + 1_000)
  await grant('mixed', 5, { source: 'purchase' })
  await grant('mixed', 7, { expiresAt: soon, beginsPeriod: true })
  await database.as(organisationId, (tx) => {
    const old = {
      type: 'mixed',
      amount: 9,
      sourceKey: 'old',
      source: 'plan',
      expiresAt: now,
      beginsPeriod: false,
    } as const
    return grantCredits(tx, old, new Date(now.getTime() - 1_000))
  })
  expect(await balanceOf('mixed')).toEqual({
    type: 'mixed',
    balance: 12,
    reserved: 0,
    period: { granted: 21, metered: 0, beganAt: now.toISOString() },
    grants: [
      expect.objectContaining({ source: 'plan', amount: 7, remaining: 7, expiresAt: soon.toISOString() }),
      expect.objectContaining({ source: 'purchase', amount: 5, remaining: 5, expiresAt: null }),
    ],
  })
  const { data } = await ledgerOf('mixed')
  expect(data.reduce((sum, { amount }) => sum + amount, 0)).toBe(12)
  expect(data[0]).toMatchObject({ kind: 'expired', amount: -9, at: now.toISOString() })
})

test('a use that reaches a share has the story of a customer look, and no other use does', async () => {
  await grant('told', 100, { beginsPeriod: true })
  const half = async (key: string) => (await use({ key, type: 'told', amount: 50 })).status
  expect(await half('told/1')).toBe(200)
  expect(stories.delivered).toEqual([])
  await database.as(
    organisationId,
    (tx) => tx`insert into stripe_customers (stripe_id, created_at) values ('cus_1', ${now})`,
  )
  await use({ key: 'told/2', type: 'told', amount: 1 })
  await use({ key: 'told/3', type: 'told', amount: 49 })
  await use({ key: 'told/3', type: 'told', amount: 49 })
  const patience = { timeout: 5_000, interval: 20 }
  await eventually(() => expect(stories.delivered).toMatchObject([{ signal: 'lookAgain', organisationId }]), patience)
  expect(await database.as(organisationId, (tx) => tx`select signal from outbox`)).toHaveLength(1)
})

test('what a subscription meters is answered with its share, wakes the story once, and shows in the period', async () => {
  const { organisationId: id, key } = await neighbour()
  const as = <T>(work: Parameters<typeof database.as<T>>[1]) => database.as(id, work)
  await as((tx) => tx`insert into stripe_customers (stripe_id, created_at) values ('cus_metered', ${now})`)
  await as((tx) => saveMeteredTypes(tx, [{ type: 'seconds', event: 'seconds' }], now))
  const report = { key: 'call/1', type: 'seconds', amount: 30 }
  expect(await (await use(report, key)).json()).toEqual({ ...report, balance: 0, metered: 30 })
  expect(await (await use(report, key)).json()).toEqual({ ...report, balance: 0, metered: 30 })
  await use({ ...report, key: 'call/2' }, key)
  expect(await as((tx) => tx`select signal from outbox`)).toHaveLength(1)
  expect(await (await ask('GET', '/credits', { key })).json()).toMatchObject({
    data: [{ type: 'seconds', balance: 0, period: { granted: 0, metered: 60 } }],
  })
})

test('the ledger is told in pages, newest first, each entry with the act that it came from', async () => {
  await grant('paged', 100)
  for (const key of ['a', 'b', 'c']) await use({ key: `paged/${key}`, type: 'paged', amount: 1 })
  const first = await ledgerOf('paged', '&limit=2')
  expect(first.data).toMatchObject([
    { source: 'usage/paged/c' },
    { source: 'usage/paged/b', kind: 'burned', amount: -1 },
  ])
  const rest = await ledgerOf('paged', `&limit=2&cursor=${first.nextCursor ?? ''}`)
  expect(rest).toMatchObject({
    data: [{ source: 'usage/paged/a' }, { kind: 'granted', amount: 100 }],
    nextCursor: null,
  })
})

test("a neighbour's credits are neither seen nor used, and a key may do what it may", async () => {
  await grant('own', 10)
  const { key } = await neighbour()
  expect(await (await ask('GET', '/credits', { key })).json()).toEqual({ data: [] })
  expect((await use({ key: 'theirs', type: 'own', amount: 1 }, key)).status).toBe(400)
  const reading = await keyWith(organisationId, ['credits:read'])
  expect((await use({ key: 'reading', type: 'own', amount: 1 }, reading)).status).toBe(403)
})

test.each([
  [{ type: 'Calls' }, '/type'],
  [{ amount: 0 }, '/amount'],
  [{ amount: 1.5 }, '/amount'],
  [{ amount: 1e15 }, '/amount'],
  [{ key: '' }, '/key'],
])('%j is refused at its place', async (changes, pointer) => {
  const answer = await use({ key: 'wrong', type: 'calls', amount: 1, ...changes })
  expect([answer.status, await answer.json()]).toMatchObject([400, { errors: [{ pointer }] }])
})
