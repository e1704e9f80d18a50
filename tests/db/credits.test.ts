import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Tx } from '../../db/client.ts'
import { releaseReservation, reserveCredits, settleReservation } from '../../db/credit-reservations.ts'
import { burnCredits, clawBack, grantCredits, type NewGrant } from '../../db/credits.ts'
import { createOrganisation } from '../../db/organisations.ts'
import { creditModel } from '../support/credit-model.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, system, organisationId } = await testOrganisation()
const as = <T>(work: (tx: Tx) => Promise<T>) => database.as(organisationId, work)

const noon = new Date('2026-11-21T12:00:00Z')
const hoursOn = (hours: number) => new Date(noon.getTime() + hours * 3_600_000)
const type = 'calls'

let made = 0
const keyOf = (what: string) => `${what}/${(made += 1)}`
const grant = (of: string, amount: number, more: Partial<NewGrant> = {}, now = noon) =>
  as((tx) =>
    grantCredits(tx, { type: of, amount, sourceKey: keyOf('test'), source: 'plan', beginsPeriod: false, ...more }, now),
  )
const burn = (of: string, amount: number, now = noon) =>
  as((tx) => burnCredits(tx, { type: of, amount, sourceKey: keyOf('burn') }, now))

/** The balance three times: as the account caches it, as the grants have it, and as the ledger sums it up. */
async function balances(of: string, id = organisationId): Promise<[number, number, number]> {
  const [row] = await database.as(
    id,
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

test('what is given under one key is given once, at the same moment too', async () => {
  const given = await Promise.all(Array.from({ length: 20 }, () => grant('once', 5, { sourceKey: 'the-one' })))
  expect(given.filter(Boolean)).toHaveLength(1)
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
  expect(await take()).toBeNull()
  expect(await burn('refunded', 1)).toMatchObject({ is: 'short', balance: -70 })
  await grant('refunded', 100)
  expect(await balances('refunded')).toEqual([30, 30, 30])
})

test('a share of a period is told once, the lowest where several are passed at once, and again in the next period', async () => {
  await grant('low', 100, { beginsPeriod: true })
  const fellTo = async (amount: number) => {
    const burned = await burn('low', amount)
    return burned.is === 'taken' ? burned.fellTo : 'short'
  }
  expect([await fellTo(49), await fellTo(1), await fellTo(1)]).toEqual([null, 50, null])
  expect([await fellTo(49), await fellTo(1)]).toEqual([0, 'short'])
  await grant('low', 100, { beginsPeriod: true })
  expect(await fellTo(81)).toBe(20)
})

test('a reservation holds what others may not use, and ends once', async () => {
  await grant('held', 100)
  const reserve = (actKey: string, amount: number) =>
    as((tx) => reserveCredits(tx, { type: 'held', amount, actKey, expiresAt: hoursOn(1) }, noon))
  expect(await reserve('call/1', 80)).toMatchObject({ is: 'reserved', balance: 20 })
  expect(await reserve('call/1', 80)).toMatchObject({ is: 'reserved', balance: 20 })
  expect(await reserve('call/2', 21)).toMatchObject({ is: 'short', balance: 20 })
  const settle = (amount: number) => as((tx) => settleReservation(tx, 'call/1', amount, noon))
  expect([await settle(50), await settle(80)]).toEqual([true, true])
  expect(await as((tx) => releaseReservation(tx, 'call/1', noon))).toBe(false)
  expect(await balances('held')).toEqual([50, 50, 50])
})

test('an act that was used after its reservation had expired is paid for, on credit if need be', async () => {
  await grant('late', 10)
  const reservation = { type: 'late', amount: 10, actKey: 'call/late', expiresAt: hoursOn(1) }
  await as((tx) => reserveCredits(tx, reservation, noon))
  expect(await burn('late', 6, hoursOn(1))).toMatchObject({ balance: 4 })
  expect(await as((tx) => settleReservation(tx, 'call/late', 9, hoursOn(2)))).toBe(true)
  expect(await balances('late')).toEqual([-5, -5, -5])
})

const act = fc.constantFrom('a', 'b', 'c', 'd')
const amount = fc.integer({ min: 1, max: 120 })
const command = fc.oneof(
  fc.record({
    do: fc.constant('grant' as const),
    key: fc.constantFrom('g1', 'g2', 'g3', 'g4', 'g5', 'g6'),
    amount,
    priority: fc.integer({ min: 1, max: 3 }),
    isPurchased: fc.boolean(),
    lasts: fc.option(fc.integer({ min: 1, max: 40 })),
    most: fc.integer({ min: 0, max: 60 }),
  }),
  fc.record({ do: fc.constant('burn' as const), amount }),
  fc.record({ do: fc.constant('reserve' as const), act, amount, lasts: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ do: fc.constant('settle' as const), act, amount }),
  fc.record({ do: fc.constant('release' as const), act }),
  fc.record({ do: fc.constant('clawBack' as const), key: fc.constantFrom('g1', 'g2', 'g3'), amount }),
  fc.record({ do: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 15 }) }),
)

test('whatever happens in whatever order, the balance is what one would keep in one’s head, and the sum of the entries', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40 }), async (commands) => {
      const { id } = await createOrganisation(system, 'Ledger', 'US')
      const own = <T>(work: (tx: Tx) => Promise<T>) => database.as(id, work)
      const model = creditModel()
      const granted = new Set<string>()
      let hours = 0
      let clawed = 0
      for (const one of commands) {
        const now = hoursOn(hours)
        if (one.do === 'wait') hours += one.hours
        else if (one.do === 'grant') {
          const { key, priority, isPurchased, lasts, most } = one
          const end = lasts === null ? null : hours + lasts
          const rollsOver = end === null || most === 0 ? null : { most, until: end + 10 }
          granted.add(key)
          model.grant({ key, remaining: one.amount, priority, expiresAt: end, isPurchased, rollsOver }, hours)
          const source = isPurchased ? 'purchase' : 'plan'
          const rolls = rollsOver && { most, until: hoursOn(rollsOver.until) }
          const expiresAt = end === null ? null : hoursOn(end)
          const terms = { type, source, priority, expiresAt, rollsOver: rolls, beginsPeriod: false } as const
          await own((tx) => grantCredits(tx, { ...terms, amount: one.amount, sourceKey: key }, now))
        } else if (one.do === 'burn') {
          const burned = await own((tx) => burnCredits(tx, { type, amount: one.amount, sourceKey: keyOf('burn') }, now))
          expect(burned.is === 'taken').toBe(model.burn(one.amount, hours))
        } else if (one.do === 'reserve') {
          const reservation = { type, amount: one.amount, actKey: one.act, expiresAt: hoursOn(hours + one.lasts) }
          const reserved = await own((tx) => reserveCredits(tx, reservation, now))
          expect(reserved.is === 'reserved').toBe(model.reserve(one.act, one.amount, hours + one.lasts, hours))
        } else if (one.do === 'settle') {
          const settled = await own((tx) => settleReservation(tx, one.act, one.amount, now))
          expect(settled).toBe(model.settle(one.act, one.amount, hours))
        } else if (one.do === 'release') {
          expect(await own((tx) => releaseReservation(tx, one.act, now))).toBe(model.release(one.act, hours))
        } else if (granted.has(one.key)) {
          clawed += 1
          const claim = { grantKey: one.key, amount: one.amount, sourceKey: `refund/${clawed}` }
          await own((tx) => clawBack(tx, claim, now))
          model.clawBack(one.key, one.amount, hours)
        }
        if (granted.size === 0) continue
        // A burn that nothing covers changes nothing, and has written down what expired.
        await own((tx) => burnCredits(tx, { type, amount: 1e12, sourceKey: keyOf('none') }, hoursOn(hours)))
        const expected = model.balance(hours)
        expect(await balances(type, id)).toEqual([expected, expected, expected])
      }
    }),
    { numRuns: 60 },
  )
})
