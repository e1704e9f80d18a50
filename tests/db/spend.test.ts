import { expect, test } from 'vitest'
import { allowSearches, createOrganisation } from '../../db/organisations.ts'
import { bookSearch, CeilingReached, spendCeiling } from '../../db/spend.ts'
import { usageByMonth } from '../../db/usage.ts'
import type { GrantedLimit } from '../../workflows/contracts/entitlements.ts'
import type { Access } from '../../workflows/contracts/subscriptions.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { entitle, limitOf } from '../support/entitlement-rows.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, system } = await testOrganisation()

/** An organisation of its own, which may pay for `monthly` searches. */
async function organisation(monthly: number | null) {
  const { id } = await createOrganisation(system, 'Spender', 'US')
  await allowSearches(system, id, monthly)
  const campaign = (budgetSearches: number | null) => campaignRow(database, id, {}, {}, { budgetSearches })
  const book = (campaignId: string, key: string, now = november) =>
    database.as(id, (tx) => bookSearch(tx, { sourceKey: key, campaignId }, now))
  return { id, campaign, book }
}

const november = new Date('2026-11-30T23:59:59.999Z')
const december = new Date('2026-12-01T00:00:00.000Z')

const outcomes = async (bookings: Promise<boolean>[]) =>
  (await Promise.allSettled(bookings)).map((booking) =>
    booking.status === 'fulfilled' ? booking.value : booking.reason instanceof CeilingReached && booking.reason.ceiling,
  )

test('of thirty bookings at the same moment a budget of ten lets ten through', async () => {
  const { campaign, book } = await organisation(null)
  const id = await campaign(10)
  const all = await outcomes(Array.from({ length: 30 }, (_, n) => book(id, `search/${n}/1`)))
  expect(all.filter((outcome) => outcome === true)).toHaveLength(10)
  expect(all.filter((outcome) => outcome === 'campaign_budget')).toHaveLength(20)
})

test('two campaigns at the same moment share what their organisation may pay for in a month', async () => {
  const { campaign, book } = await organisation(7)
  const ids = [await campaign(null), await campaign(100)]
  const all = await outcomes(ids.flatMap((id) => Array.from({ length: 10 }, (_, n) => book(id, `search/${id}/${n}`))))
  expect(all.filter((outcome) => outcome === true)).toHaveLength(7)
  expect(all.filter((outcome) => outcome === 'monthly_allowance')).toHaveLength(13)
})

test('what was booked is booked once, at the ceiling too', async () => {
  const { campaign, book } = await organisation(null)
  const id = await campaign(1)
  expect(await book(id, 'search/a/1')).toBe(true)
  expect(await book(id, 'search/a/1')).toBe(false)
  await expect(book(id, 'search/b/1')).rejects.toThrow(CeilingReached)
})

test('the allowance begins anew with the month, by UTC; a budget does not', async () => {
  const { id: organisationId, campaign, book } = await organisation(1)
  const [first, second] = [await campaign(null), await campaign(1)]
  expect(await book(first, 'search/a/1', november)).toBe(true)
  const ceiling = (id: string, now: Date) => database.as(organisationId, (tx) => spendCeiling(tx, id, now))
  expect(await ceiling(first, november)).toBe('monthly_allowance')
  expect(await ceiling(first, december)).toBeNull()
  expect(await book(second, 'search/b/1', december)).toBe(true)
  expect(await ceiling(second, new Date('2027-01-01T00:00:00Z'))).toBe('campaign_budget')
})

test('plans are one more ceiling: of twenty bookings at the same moment what is left of the month goes through', async () => {
  const { id, campaign, book } = await organisation(null)
  const campaignId = await campaign(null)
  expect(await book(campaignId, 'search/before/1')).toBe(true)
  const month = { from: november.getTime(), until: december.getTime() }
  const limited = (limits: GrantedLimit[], access: Access = 'full') => entitle(database, id, { access, limits })
  await limited([limitOf('searches', 6, 'period', month), limitOf('searches', 8, 'total')])
  const all = await outcomes(Array.from({ length: 20 }, (_, n) => book(campaignId, `search/${n}/1`)))
  expect(all.filter((outcome) => outcome === true)).toHaveLength(5)
  expect(all.filter((outcome) => outcome === 'plan_limit')).toHaveLength(15)
  // The month after has two of the eight in all.
  const next = await outcomes(Array.from({ length: 4 }, (_, n) => book(campaignId, `search/next/${n}`, december)))
  expect(next.filter((outcome) => outcome === 'plan_limit')).toHaveLength(2)
  await limited([], 'reduced')
  expect(await outcomes([book(campaignId, 'search/last/1')])).toEqual(['no_access'])
  await limited([])
  expect(await book(campaignId, 'search/last/1')).toBe(true)
})

test("a neighbour's searches are no use of ours, and each month shows its own", async () => {
  const ours = await organisation(5)
  const neighbour = await organisation(5)
  await neighbour.book(await neighbour.campaign(null), 'search/a/1')
  const id = await ours.campaign(null)
  await ours.book(id, 'search/a/1', november)
  await ours.book(id, 'search/b/1', december)
  await ours.book(id, 'search/c/1', december)
  const used = await database.as(ours.id, (tx) =>
    usageByMonth(tx, new Date('2026-11-01T00:00:00Z'), new Date('2027-01-01T00:00:00Z')),
  )
  expect(used.map(({ month, searches }) => [month.toISOString().slice(0, 7), searches])).toEqual([
    ['2026-11', 1],
    ['2026-12', 2],
  ])
})
