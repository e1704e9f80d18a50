import { expect, test } from 'vitest'
import { readEntitlements, usedOf } from '../../db/entitlements.ts'
import { countedOf, giveBackToLimits, takeFromLimits } from '../../db/limit-counts.ts'
import { createOrganisation } from '../../db/organisations.ts'
import type { GrantedLimit } from '../../workflows/contracts/entitlements.ts'
import { entitle, limitOf } from '../support/entitlement-rows.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, system } = await testOrganisation()

const noon = new Date('2026-06-10T12:00:00Z')
const nextDay = new Date('2026-06-11T00:00:00Z')
const june = { from: Date.parse('2026-06-01T10:00:00Z'), until: Date.parse('2026-07-01T10:00:00Z') }

/** An organisation of its own. */
async function organisation() {
  const { id } = await createOrganisation(system, 'Limited', 'US')
  const as = <T>(work: Parameters<typeof database.as<T>>[1]) => database.as(id, work)
  return {
    id,
    as,
    take: (wanted: number, limits: GrantedLimit[], now = noon) =>
      as((tx) => takeFromLimits(tx, { act: 'messages', wanted, limits }, now)),
    giveBack: (times: Date[]) => as((tx) => giveBackToLimits(tx, 'messages', times)),
    counted: (limit: GrantedLimit, now = noon) => as((tx) => countedOf(tx, limit, now)),
  }
}

test('what was saved is what is read, and whether it is another is told', async () => {
  const { id, as } = await organisation()
  expect(await as(readEntitlements)).toBeNull()
  const entitlements = {
    access: 'full',
    features: ['sequences'],
    limits: [limitOf('searches', 5, 'period', june)],
  } as const
  const same = () =>
    entitle(database, id, { ...entitlements, features: ['sequences'], limits: [...entitlements.limits] })
  expect(await same()).toBe(true)
  expect(await same()).toBe(false)
  expect(await as(readEntitlements)).toEqual(entitlements)
  expect(await entitle(database, id, { ...entitlements, features: [], limits: [] })).toBe(true)
  expect(await entitle(database, id, null)).toBe(true)
  expect(await entitle(database, id, null)).toBe(false)
  expect(await as(readEntitlements)).toBeNull()
})

test('of 200 that are taken at the same moment no more get through than a day has', async () => {
  const { take, counted } = await organisation()
  const day = limitOf('messages', 300, 'day')
  const all = await Promise.all(Array.from({ length: 200 }, (_, n) => take((n % 3) + 1, [day])))
  expect(all.reduce((sum, { taken }) => sum + taken, 0)).toBe(300)
  expect(await counted(day)).toBe(300)
})

test('of a day and a month the one with less room decides, and the one that ends last is told of', async () => {
  const { take, counted } = await organisation()
  const [day, month] = [limitOf('messages', 10, 'day'), limitOf('messages', 15, 'period', june)]
  expect(await take(8, [month, day])).toEqual({ taken: 8, refusal: null })
  expect(await take(8, [month, day])).toMatchObject({ taken: 2, refusal: { limit: day, used: 10, until: +nextDay } })
  expect(await take(8, [month, day], nextDay)).toMatchObject({
    taken: 5,
    refusal: { limit: month, used: 15, until: june.until },
  })
  expect(await counted(day, nextDay)).toBe(5)
  expect(await take(1, [month, day], new Date(june.until))).toEqual({ taken: 1, refusal: null })
})

test('what is given back counts in the windows in which it was taken, and in no other', async () => {
  const { take, giveBack, counted } = await organisation()
  const limits = [limitOf('messages', 10, 'day'), limitOf('messages', 15, 'period', june)] as const
  await take(10, [...limits])
  await take(2, [...limits], nextDay)
  await giveBack([noon, noon, noon])
  expect([await counted(limits[0]), await counted(limits[0], nextDay), await counted(limits[1])]).toEqual([7, 2, 9])
  expect(await take(9, [...limits])).toMatchObject({ taken: 3, refusal: { limit: limits[0] } })
  await giveBack(Array.from({ length: 50 }, () => nextDay))
  expect(await counted(limits[0], nextDay)).toBe(0)
})

test('a lower limit than what is used takes nothing, and gives nothing back', async () => {
  const { take, counted } = await organisation()
  await take(10, [limitOf('messages', 20, 'day')])
  const lower = limitOf('messages', 4, 'day')
  expect(await take(3, [lower])).toMatchObject({ taken: 0, refusal: { used: 10 } })
  expect(await counted(lower)).toBe(10)
})

test('whoever takes and gives back at once waits, and nobody for each other', async () => {
  const { take, giveBack, counted } = await organisation()
  const limits = [limitOf('messages', 1_000, 'day'), limitOf('messages', 1_000, 'period', june)]
  await take(500, limits)
  await Promise.all(
    Array.from({ length: 60 }, (_, n) => (n % 2 === 0 ? take(5, limits) : giveBack([noon, noon, noon, noon, noon]))),
  )
  expect(await counted(limits[0] ?? limitOf('messages', 0, 'day'))).toBe(500)
})

test('contacts are counted once, up to one more than the limit, and anew when the limit changes', async () => {
  const { id, as } = await organisation()
  const addPeople = (count: number) =>
    as((tx) => tx`insert into contacts (email) select null from generate_series(1, ${count})`)
  await addPeople(7)
  const used = (limit: GrantedLimit) => as((tx) => usedOf(tx, limit, noon))
  const [few, many] = [limitOf('contacts', 3, 'total'), limitOf('contacts', 10, 'total')]
  await entitle(database, id, { limits: [few] })
  expect(await used(few)).toBe(4)
  const take = (wanted: number, limit: GrantedLimit) =>
    as((tx) => takeFromLimits(tx, { act: 'contacts', wanted, limits: [limit] }, noon))
  expect(await take(1, few)).toMatchObject({ taken: 0, refusal: { used: 4, until: null } })
  await entitle(database, id, { limits: [many] })
  expect(await used(many)).toBe(7)
  expect(await take(5, many)).toMatchObject({ taken: 3, refusal: { used: 10 } })
})
