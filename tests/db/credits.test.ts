import { expect, test } from 'vitest'
import type { Tx } from '../../db/client.ts'
import { burnUse } from '../../db/credit-ledger.ts'
import { releaseReservation, reserveCredits, settleReservation } from '../../db/credit-reservations.ts'
import { clawBack, endGrant, giveBackClawed } from '../../db/credit-returns.ts'
import { saveTopUp } from '../../db/credit-top-ups.ts'
import { grantCredits, type NewGrant } from '../../db/credits.ts'
import { saveMeteredTypes } from '../../db/metered-usage.ts'
import { topUpCalls } from '../support/billing-situations.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, organisationId } = await testOrganisation()
const as = <T>(work: (tx: Tx) => Promise<T>) => database.as(organisationId, work)

const noon = new Date('2026-11-21T12:00:00Z')
const hoursOn = (hours: number) => new Date(noon.getTime() + hours * 3_600_000)

let made = 0
const keyOf = (what: string) => `${what}/${(made += 1)}`
const grant = (of: string, amount: number, more: Partial<NewGrant> = {}, now = noon) =>
  as((tx) =>
    grantCredits(tx, { type: of, amount, sourceKey: keyOf('test'), source: 'plan', beginsPeriod: false, ...more }, now),
  )
const burn = (of: string, amount: number, now = noon) =>
  as((tx) => burnUse(tx, { type: of, amount, key: keyOf('burn') }, now))

/** The balance three times: as the account caches it, as the grants have it, and as the ledger sums it up. */
async function balances(of: string): Promise<[number, number, number]> {
  const [row] = await as(
    (tx) => tx<{ cached: number; granted: number; summed: number }[]>`
      select balance as cached,
        (select coalesce(sum(remaining), 0)::bigint from credit_grants where account_id = accounts.id) - owed as granted,
        (select coalesce(sum(amount), 0)::bigint from credit_entries where account_id = accounts.id) as summed
      from credit_accounts as accounts where type = ${of}`,
  )
  return row ? [row.cached, row.granted, row.summed] : [0, 0, 0]
}

test('two hundred burns at the same moment take what is there, and not a unit more', async () => {
  await grant('hot', 700, { priority: 1 })
  await grant('hot', 303, { priority: 2 })
  const all = await Promise.all(Array.from({ length: 200 }, () => burn('hot', 10)))
  expect(all.filter(({ is }) => is === 'taken')).toHaveLength(100)
  expect(await balances('hot')).toEqual([3, 3, 3])
})

test('two hundred uses of a metered type at the same moment burn what is there, and the rest is metered to the unit', async () => {
  await grant('metered', 1_003)
  await as((tx) => saveMeteredTypes(tx, [{ type: 'metered', event: 'calls' }], noon))
  const all = await Promise.all(Array.from({ length: 200 }, () => burn('metered', 10)))
  expect(all.map(({ is }) => is)).toEqual(all.map(() => 'taken'))
  expect(all.reduce((sum, { metered }) => sum + metered, 0)).toBe(2_000 - 1_003)
  expect(await balances('metered')).toEqual([0, 0, 0])
  // The whole of it is told of once: that something waits, and each share.
  expect(all.filter(({ metered, crossed }) => metered > 0 && crossed)).toHaveLength(1)
})

test('a metered use told again is answered as it was, and no debt is paid by metering', async () => {
  await grant('owing', 10, { sourceKey: 'owing/bought' })
  await burn('owing', 10)
  await as((tx) => clawBack(tx, { grantKey: 'owing/bought', amount: 10, sourceKey: 'refund/owing' }, noon))
  await as((tx) => saveMeteredTypes(tx, [{ type: 'owing', event: 'calls' }], noon))
  const use = () => as((tx) => burnUse(tx, { type: 'owing', amount: 7, key: 'owing/use' }, noon))
  expect(await use()).toEqual({ is: 'taken', balance: -10, metered: 7, crossed: true })
  expect(await use()).toEqual({ is: 'known', balance: -10, metered: 7, crossed: false })
  await as((tx) => saveMeteredTypes(tx, [], noon))
  expect(await burn('owing', 1)).toMatchObject({ is: 'short', metered: 0 })
})

test('what is given under one key is given once, at the same moment too', async () => {
  const given = await Promise.all(Array.from({ length: 20 }, () => grant('once', 5, { sourceKey: 'the-one' })))
  expect(given.filter(({ isNew }) => isNew)).toHaveLength(1)
  expect(await balances('once')).toEqual([5, 5, 5])
})

test('grants burn by priority, then the one that expires first, then granted before purchased', async () => {
  const left = () =>
    as(
      (tx) => tx<{ sourceKey: string; remaining: number }[]>`
        select source_key, remaining from credit_grants where source_key like 'order/%' and remaining > 0 order by source_key`,
    )
  const give = (name: string, more: Partial<NewGrant>) => grant('order', 10, { sourceKey: `order/${name}`, ...more })
  await give('e-later', { priority: 10, expiresAt: hoursOn(9) })
  await give('d-purchased', { priority: 5, source: 'purchase', expiresAt: null })
  await give('c-granted', { priority: 5, source: 'plan', expiresAt: null })
  await give('b-soon', { priority: 5, source: 'purchase', expiresAt: hoursOn(2) })
  await give('a-sooner', { priority: 5, source: 'purchase', expiresAt: hoursOn(1) })
  for (const gone of ['a-sooner', 'b-soon', 'c-granted', 'd-purchased', 'e-later']) {
    const before = await left()
    expect(before[0]?.sourceKey).toBe(`order/${gone}`)
    await burn('order', 10)
  }
  expect(await left()).toEqual([])
})

test('what has expired is gone from its very moment on, and as much as was promised goes on', async () => {
  await grant('rolling', 100, { expiresAt: hoursOn(1), rollsOver: { most: 30, until: hoursOn(2) } })
  expect(await burn('rolling', 20, hoursOn(0.9))).toMatchObject({ balance: 80 })
  expect(await burn('rolling', 31, hoursOn(1))).toMatchObject({ is: 'short', balance: 30 })
  expect(await burn('rolling', 10, hoursOn(1))).toMatchObject({ balance: 20 })
  expect(await burn('rolling', 1, hoursOn(2))).toMatchObject({ is: 'short', balance: 0 })
  expect(await balances('rolling')).toEqual([0, 0, 0])
})

test('what is taken back is owed where nothing is left, and the next grant pays it first', async () => {
  await grant('refunded', 100, { sourceKey: 'bought', source: 'purchase' })
  await grant('refunded', 20)
  await burn('refunded', 90)
  const take = () => as((tx) => clawBack(tx, { grantKey: 'bought', amount: 100, sourceKey: 'refund/1' }, noon))
  expect(await take()).toMatchObject({ balance: -70 })
  expect(await take()).toEqual({ is: 'known' })
  expect(await burn('refunded', 1)).toMatchObject({ is: 'short', balance: -70 })
  await grant('refunded', 100)
  expect(await balances('refunded')).toEqual([30, 30, 30])
})

test('the lowest share that burning has brought a period to is kept, and the next period begins anew', async () => {
  await grant('low', 100, { beginsPeriod: true })
  const fallenTo = async (amount: number) => {
    await burn('low', amount)
    const [row] = await as((tx) => tx<{ fallenTo: number }[]>`select fallen_to from credit_accounts where type = 'low'`)
    return row?.fallenTo
  }
  expect([await fallenTo(49), await fallenTo(1), await fallenTo(49), await fallenTo(1)]).toEqual([100, 50, 20, 0])
  await grant('low', 100, { beginsPeriod: true })
  expect(await fallenTo(81)).toBe(20)
})

const hour = 3_600_000

test('whoever takes credits is told when a share is reached or a top-up is due, once each', async () => {
  await grant('watched', 100, { beginsPeriod: true })
  await as((tx) =>
    saveTopUp(tx, {
      ...topUpCalls({ type: 'watched', planKey: 'calls-300', threshold: 40 }),
      enabled: true,
      actor: 'key:1',
      updatedAt: noon,
    }),
  )
  const burned = async (amount: number) => (await burn('watched', amount)).crossed
  expect([await burned(49), await burned(1), await burned(10), await burned(1), await burned(1)]).toEqual([
    false, // 51 left
    true, // half
    false, // 40 is not below 40
    true,
    false,
  ])
  const reservation = { type: 'watched', amount: 18, actKey: 'watched/1', lastsMs: hour }
  expect(await as((tx) => reserveCredits(tx, reservation, noon))).toMatchObject({ is: 'reserved', crossed: true })
  expect(await as((tx) => settleReservation(tx, 'watched/1', 60, noon))).toEqual({ is: 'done', crossed: true })
  expect(await burn('watched', 1)).toMatchObject({ is: 'short', crossed: false })
})

test('a reservation holds what others may not use, and ends once', async () => {
  await grant('held', 100)
  const reserve = (actKey: string, amount: number) =>
    as((tx) => reserveCredits(tx, { type: 'held', amount, actKey, lastsMs: hour }, noon))
  expect(await reserve('call/1', 80)).toMatchObject({ is: 'reserved', balance: 20 })
  expect(await reserve('call/1', 80)).toMatchObject({ is: 'reserved', balance: 20 })
  expect(await reserve('call/1', 70)).toMatchObject({ is: 'other' })
  expect(await reserve('call/2', 21)).toMatchObject({ is: 'short', balance: 20 })
  const settle = (amount: number) => as((tx) => settleReservation(tx, 'call/1', amount, noon))
  expect([await settle(50), await settle(80)]).toMatchObject([{ is: 'done' }, { is: 'done' }])
  expect(await as((tx) => releaseReservation(tx, 'call/1', noon))).toBe('ended')
  expect(await reserve('call/1', 80)).toMatchObject({ is: 'ended' })
  expect(await balances('held')).toEqual([50, 50, 50])
})

test('an act that was used after its reservation had expired is paid for, on credit if need be', async () => {
  await grant('late', 10)
  const reservation = { type: 'late', amount: 10, actKey: 'call/late', lastsMs: hour }
  await as((tx) => reserveCredits(tx, reservation, noon))
  expect(await burn('late', 6, hoursOn(1))).toMatchObject({ balance: 4 })
  expect(await as((tx) => settleReservation(tx, 'call/late', 9, hoursOn(2)))).toMatchObject({ is: 'done' })
  expect(await balances('late')).toEqual([-5, -5, -5])
})

test('a debt is paid once of whatever a reservation gives back to several grants', async () => {
  const [one, two] = [keyOf('one'), keyOf('two')]
  await grant('several', 10, { sourceKey: one })
  await grant('several', 10, { sourceKey: two })
  await as((tx) => reserveCredits(tx, { type: 'several', amount: 20, actKey: 'several/1', lastsMs: hour }, noon))
  for (const grantKey of [one, two])
    await as((tx) => clawBack(tx, { grantKey, amount: 7, sourceKey: 'refund/several' }, noon))
  expect(await balances('several')).toEqual([-14, -14, -14])
  expect(await as((tx) => releaseReservation(tx, 'several/1', noon))).toBe('done')
  expect(await balances('several')).toEqual([6, 6, 6])
})

test('what has expired unused is not taken back once more, nor more than was granted', async () => {
  const january = keyOf('january')
  await grant('months', 100, { sourceKey: january, expiresAt: hoursOn(1) })
  await burn('months', 30)
  await grant('months', 100, {}, hoursOn(2))
  const refund = (sourceKey: string) =>
    as((tx) => clawBack(tx, { grantKey: january, amount: 100, sourceKey }, hoursOn(2)))
  expect(await refund('refund/january')).toEqual({ is: 'taken', amount: 30, balance: 70 })
  expect(await refund('dispute/january')).toEqual({ is: 'known' })
  expect(await as((tx) => clawBack(tx, { grantKey: 'none', amount: 1, sourceKey: 'r' }, noon))).toEqual({
    is: 'unknown',
  })
})

test('what has rolled over is taken back before what was paid for otherwise', async () => {
  const first = keyOf('first')
  await grant('rolled', 50, {
    sourceKey: first,
    expiresAt: hoursOn(1),
    rollsOver: { most: 50, until: hoursOn(9) },
    priority: 9,
  })
  await grant('rolled', 50, { priority: 1 }, hoursOn(2))
  await as((tx) => clawBack(tx, { grantKey: first, amount: 50, sourceKey: 'refund/rolled' }, hoursOn(2)))
  const left = await as(
    (tx) => tx<{ source: string }[]>`
    select source from credit_grants join credit_accounts on credit_accounts.id = account_id where type = 'rolled' and not is_spent`,
  )
  expect(left).toEqual([{ source: 'plan' }])
})

test('credits are burned by whole units alone', async () => {
  await grant('whole', 10)
  await expect(burn('whole', -5)).rejects.toThrow(/whole units/)
  expect(await balances('whole')).toEqual([10, 10, 10])
})

test('what has paid for what was taken back has it again, the newest first, and of what expired meanwhile what rolls over', async () => {
  const june = keyOf('june')
  const left = async () => {
    const rows = await as(
      (tx) => tx<{ source: string; remaining: number }[]>`
        select source, remaining from credit_grants join credit_accounts on credit_accounts.id = account_id
        where type = 'returning' and not is_spent order by source, remaining`,
    )
    return rows.map(({ source, remaining }) => [source, remaining])
  }
  await grant('returning', 100, { sourceKey: june, expiresAt: hoursOn(1), rollsOver: { most: 30, until: hoursOn(9) } })
  await burn('returning', 40)
  await as((tx) => clawBack(tx, { grantKey: june, amount: 100, sourceKey: 'refund/june' }, noon))
  expect(await balances('returning')).toEqual([-40, -40, -40])
  await grant('returning', 50, { source: 'purchase' }, hoursOn(2))
  expect(await left()).toEqual([['purchase', 10]])
  const giveBack = (amount: number, sourceKey: string) =>
    as((tx) => giveBackClawed(tx, { grantKey: june, amount, sourceKey }, hoursOn(3)))
  expect(await giveBack(50, 'failed/part')).toEqual({ is: 'given', amount: 50 })
  expect(await giveBack(50, 'failed/part')).toEqual({ is: 'known' })
  expect(await left()).toEqual([
    ['purchase', 50],
    ['rollover', 10],
  ])
  expect(await giveBack(80, 'failed/rest')).toEqual({ is: 'given', amount: 50 })
  expect(await giveBack(80, 'failed/more')).toEqual({ is: 'known' })
  expect(await left()).toEqual([
    ['purchase', 50],
    ['rollover', 10],
    ['rollover', 20],
  ])
  expect(await balances('returning')).toEqual([80, 80, 80])
})

test('a grant that is ended before its time rolls nothing over, and what is set aside of it ends when it comes back', async () => {
  const trial = keyOf('trial')
  await grant('tried', 100, { sourceKey: trial, expiresAt: hoursOn(5), rollsOver: { most: 30, until: hoursOn(9) } })
  await grant('tried', 7)
  await as((tx) => reserveCredits(tx, { type: 'tried', amount: 20, actKey: 'tried/1', lastsMs: hour }, noon))
  expect(await as((tx) => endGrant(tx, trial, noon))).toBe(true)
  expect(await balances('tried')).toEqual([7, 7, 7])
  await as((tx) => releaseReservation(tx, 'tried/1', noon))
  expect(await balances('tried')).toEqual([7, 7, 7])
  expect(await as((tx) => endGrant(tx, 'none', noon))).toBe(false)
})
