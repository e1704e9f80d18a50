import { expect, test } from 'vitest'
import { campaignCounts } from '../../db/campaigns.ts'
import { type Finding, recordFindings } from '../../db/findings.ts'
import { claimSearchPage } from '../../db/searches.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, organisationId } = await testOrganisation()

const now = new Date('2026-01-05T12:00:00Z')

function found(position: number, domain: string, facts: Partial<Finding> = {}): Finding {
  return {
    position,
    key: { kind: 'domain', value: domain },
    name: null,
    website: domain,
    phone: null,
    address: null,
    ...facts,
  }
}

/** Records a page of its own search. */
async function recordPage(campaignId: string, fingerprint: string, findings: Finding[]): Promise<void> {
  await database.as(organisationId, async (tx) => {
    const claimed = await claimSearchPage(tx, { campaignId, engine: 'google', fingerprint, page: 0 }, now)
    if (claimed.action !== 'ask') throw new Error('the page is new')
    await recordFindings(tx, { campaignId, searchId: claimed.searchId, findings })
    await recordFindings(tx, { campaignId, searchId: claimed.searchId, findings }) // as a repeated attempt would
  })
}

const countsOf = (campaignId: string) => database.as(organisationId, (tx) => campaignCounts(tx, campaignId))

test('a business found three times is one prospect with three sightings and one visit', async () => {
  const campaignId = await campaignRow(database, organisationId)
  await recordPage(campaignId, 'one', [found(0, 'bakery.test'), found(1, 'bakery.test')])
  await recordPage(campaignId, 'two', [found(4, 'bakery.test', { phone: '+15125550100' })])
  expect(await countsOf(campaignId)).toMatchObject({ sightings: 3, prospects: 1 })
})

test('what one search does not know another adds; what is known stays', async () => {
  const campaignId = await campaignRow(database, organisationId)
  await recordPage(campaignId, 'one', [found(0, 'cafe.test', { name: 'The Café' })])
  await recordPage(campaignId, 'two', [found(0, 'cafe.test', { name: 'cafe', phone: '+15125550101' })])
  const [prospect] = await database.as(
    organisationId,
    (tx) => tx<{ name: string; phone: string }[]>`select name, phone from prospects where website = 'cafe.test'`,
  )
  expect(prospect).toEqual({ name: 'The Café', phone: '+15125550101' })
})

test('across campaigns a business stays one prospect, visited by each', async () => {
  const first = await campaignRow(database, organisationId)
  const second = await campaignRow(database, organisationId)
  await recordPage(first, 'one', [found(0, 'florist.test')])
  await recordPage(second, 'one', [found(0, 'florist.test')])
  const prospects = await database.as(
    organisationId,
    (tx) => tx`select id from prospects where website = 'florist.test'`,
  )
  expect(prospects).toHaveLength(1)
  expect(await countsOf(second)).toMatchObject({ prospects: 1, done: 0 })
})

test('pages with the same businesses in other orders, recorded at the same moment, agree and do not deadlock', async () => {
  const campaignId = await campaignRow(database, organisationId)
  const domains = Array.from({ length: 40 }, (_, index) => `shop-${index}.test`)
  await Promise.all(
    Array.from({ length: 12 }, (_, page) => {
      const rotated = [...domains.slice(page * 3), ...domains.slice(0, page * 3)]
      const order = page % 2 === 0 ? rotated : rotated.toReversed()
      return recordPage(
        campaignId,
        `page-${page}`,
        order.map((domain, position) => found(position, domain)),
      )
    }),
  )
  expect(await countsOf(campaignId)).toMatchObject({ sightings: 12 * 40, prospects: 40 })
})

test('a place without a website is a prospect too', async () => {
  const campaignId = await campaignRow(database, organisationId)
  await recordPage(campaignId, 'maps', [
    { ...found(0, ''), key: { kind: 'place', value: 'ChIJ1' }, website: null, name: 'Stall' },
  ])
  expect(await countsOf(campaignId)).toMatchObject({ prospects: 1, withoutSite: 1 })
})
