import { expect, test } from 'vitest'
import { creditWatch } from '../../db/credit-top-ups.ts'
import { grantCredits } from '../../db/credits.ts'
import { testApi } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'

const patience = { timeout: 5_000, interval: 20 }
const now = new Date('2026-11-21T12:00:00Z')
const stripePrices = { STRIPE_PRICE_CALLS_300: 'price_1Calls300' }
const { ask, database, organisationId, neighbour, keyWith, stories } = await testApi({ clock: () => now, stripePrices })

const wanted = {
  type: 'call_seconds',
  planKey: 'calls-300',
  priceKey: 'once',
  quantity: 2,
  threshold: 600,
  coolDown: 'PT30M',
  mostPerMonth: 5,
}
const set = (changes: object = {}, key?: string) =>
  ask('POST', '/credits/top-ups', { body: { ...wanted, ...changes }, ...(key && { key }) })
const list = async (key?: string) => (await ask('GET', '/credits/top-ups', key ? { key } : {})).json()
const watched = () => database.as(organisationId, (tx) => creditWatch(tx, now))

test('a type has one top-up, the last that was set; switched off it is kept, and nothing is bought by it', async () => {
  expect((await set()).status).toBe(200)
  expect(await (await set({ threshold: 900 })).json()).toMatchObject({ ...wanted, threshold: 900, enabled: true })
  expect(await list()).toMatchObject({ data: [{ ...wanted, threshold: 900, updatedAt: now.toISOString() }] })
  expect((await watched()).topUps).toMatchObject([{ ...wanted, threshold: 900 }])
  await set({ enabled: false })
  expect(await list()).toMatchObject({ data: [{ enabled: false }] })
  expect((await watched()).topUps).toEqual([])
  expect(await list((await neighbour()).key)).toEqual({ data: [] })
})

test.each([
  [{ planKey: 'unheard-of' }, '/planKey'],
  [{ planKey: 'scout', priceKey: 'monthly' }, '/planKey'],
  [{ type: 'searches' }, '/planKey'],
  [{ priceKey: 'twice' }, '/priceKey'],
  [{ planKey: 'calls-60' }, '/priceKey'],
  [{ coolDown: 'PT1M' }, '/coolDown'],
  [{ mostPerMonth: 0 }, '/mostPerMonth'],
  [{ threshold: 0 }, '/threshold'],
])('%j is refused at its place', async (changes, pointer) => {
  const answer = await set(changes)
  expect([answer.status, await answer.json()]).toMatchObject([400, { errors: [{ pointer }] }])
})

test('it needs a permission of its own', async () => {
  expect((await set({}, await keyWith(organisationId, ['credits:read']))).status).toBe(403)
})

test('the story of a customer is told at once; who has never bought anything has none', async () => {
  await set()
  expect(stories.delivered).toEqual([])
  await database.as(
    organisationId,
    (tx) => tx`insert into stripe_customers (stripe_id, created_at) values ('cus_1', ${now})`,
  )
  await set()
  await eventually(() => expect(stories.delivered).toMatchObject([{ signal: 'lookAgain', organisationId }]), patience)
})

test('what is decided by: balances without what has expired, and the top-ups that are over', async () => {
  const grant = { type: 'watched', source: 'plan', beginsPeriod: true } as const
  const attempt = (n: number, status: string) => ({
    act: { is: 'top_up', type: 'watched' },
    key: `billing/x/top-up/watched/${n}`,
    status,
  })
  await database.as(organisationId, async (tx) => {
    await grantCredits(tx, { ...grant, amount: 10, sourceKey: 'w/1', expiresAt: now }, new Date(now.getTime() - 1))
    for (const { act, key, status } of [attempt(1, 'done'), attempt(2, 'failed'), attempt(3, 'doing')]) {
      await tx`insert into billing_acts (act_key, act, status, begun_at, ended_at)
        values (${key}, ${tx.json(act)}, ${status}, ${now}, ${status === 'doing' ? null : now})`
    }
  })
  const { accounts, attempts } = await watched()
  expect(accounts.find(({ type }) => type === 'watched')).toMatchObject({
    balance: 0,
    periodGranted: 10,
    fallenTo: 100,
  })
  expect(attempts).toEqual([
    { type: 'watched', at: now.getTime(), hasFailed: false },
    { type: 'watched', at: now.getTime(), hasFailed: true },
  ])
})
