import { array, asyncProperty, boolean, constantFrom, assert as holds, record } from 'fast-check'
import { expect, test } from 'vitest'
import { campaignCounts } from '../../db/campaigns.ts'
import { type Finding, recordFindings } from '../../db/findings.ts'
import { claimSearchPage } from '../../db/searches.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, organisationId } = await testOrganisation()

const now = new Date('2026-01-05T12:00:00Z')

interface Shown extends Partial<Pick<Finding, 'position' | 'name' | 'phone' | 'isAd'>> {
  domain?: string | undefined
  place?: string | undefined
}

/** A finding as sifting makes it of a business with this domain, at this place, or with both. */
function found({ domain, place, position = 0, name = null, phone = null, isAd = false }: Shown): Finding {
  const keys: Finding['keys'] = [
    ...(domain === undefined ? [] : [{ kind: 'domain' as const, value: domain }]),
    ...(place === undefined ? [] : [{ kind: 'place' as const, value: place }]),
  ]
  return { position, keys, name, website: domain ?? null, phone, address: null, isAd }
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

const urlsOf = async (campaignId: string) =>
  (
    await database.as(
      organisationId,
      (tx) => tx<{ url: string | null }[]>`
        select url from site_visits where campaign_id = ${campaignId} order by prospect_id`,
    )
  ).map(({ url }) => url)

test('a business found three times is one prospect with three sightings and one visit', async () => {
  const campaignId = await campaignRow(database, organisationId)
  await recordPage(
    campaignId,
    'one',
    [0, 1].map((position) => found({ position, domain: 'bakery.test' })),
  )
  await recordPage(campaignId, 'two', [found({ position: 4, domain: 'bakery.test', phone: '+15125550100' })])
  expect(await countsOf(campaignId)).toMatchObject({ sightings: 3, prospects: 1 })
})

test('what one search does not know another adds; what is known stays', async () => {
  const campaignId = await campaignRow(database, organisationId)
  await recordPage(campaignId, 'one', [found({ domain: 'cafe.test', name: 'The Café' })])
  await recordPage(campaignId, 'two', [found({ domain: 'cafe.test', name: 'cafe', phone: '+15125550101' })])
  const [prospect] = await database.as(
    organisationId,
    (tx) => tx<{ name: string; phone: string }[]>`select name, phone from prospects where website = 'cafe.test'`,
  )
  expect(prospect).toEqual({ name: 'The Café', phone: '+15125550101' })
})

test('across campaigns a business stays one prospect, visited by each', async () => {
  const first = await campaignRow(database, organisationId)
  const second = await campaignRow(database, organisationId)
  await recordPage(first, 'one', [found({ domain: 'florist.test' })])
  await recordPage(second, 'one', [found({ domain: 'florist.test' })])
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
        order.map((domain, position) => found({ position, domain })),
      )
    }),
  )
  expect(await countsOf(campaignId)).toMatchObject({ sightings: 12 * 40, prospects: 40 })
})

test('a place without a website that three searches find is one prospect', async () => {
  const campaignId = await campaignRow(database, organisationId)
  for (const search of ['one', 'two', 'three']) await recordPage(campaignId, search, [found({ place: 'stall' })])
  expect(await countsOf(campaignId)).toMatchObject({ sightings: 3, prospects: 1, withoutSite: 1 })
})

test('a place whose website another search tells is one prospect, and its site is read', async () => {
  const campaignId = await campaignRow(database, organisationId)
  await recordPage(campaignId, 'maps', [found({ place: 'kiosk' })])
  await recordPage(campaignId, 'later', [found({ place: 'kiosk', domain: 'kiosk.test' })])
  await recordPage(campaignId, 'organic', [found({ domain: 'kiosk.test' })])
  expect(await countsOf(campaignId)).toMatchObject({ sightings: 3, prospects: 1, withoutSite: 0 })
  expect(await urlsOf(campaignId)).toEqual(['kiosk.test'])
})

test('where a campaign sees only the place, the site that is known from another one is read', async () => {
  const first = await campaignRow(database, organisationId)
  const second = await campaignRow(database, organisationId)
  await recordPage(first, 'maps', [found({ place: 'tailor', domain: 'tailor.test' })])
  await recordPage(second, 'maps', [found({ place: 'tailor' })])
  expect(await urlsOf(second)).toEqual(['tailor.test'])
})

test('a visit that has begun keeps its address', async () => {
  const campaignId = await campaignRow(database, organisationId)
  await recordPage(campaignId, 'maps', [found({ place: 'baker' })])
  await database.as(
    organisationId,
    (tx) => tx`update site_visits set status = 'done' where campaign_id = ${campaignId}`,
  )
  await recordPage(campaignId, 'later', [found({ place: 'baker', domain: 'baker.test' })])
  expect(await urlsOf(campaignId)).toEqual([null])
})

test('a place gives its business to one domain only: the next to come with it is another business', async () => {
  const campaignId = await campaignRow(database, organisationId)
  await recordPage(campaignId, 'one', [
    found({ position: 0, place: 'mall' }),
    found({ position: 1, place: 'mall', domain: 'first.test' }),
    found({ position: 2, place: 'mall', domain: 'second.test' }),
    found({ position: 3, place: 'mall' }),
  ])
  expect(await urlsOf(campaignId)).toEqual(['first.test', 'second.test'])
})

let runs = 0

/** Records each page as a search of a campaign, all at the same moment or one after the other. */
async function recordAll(pages: readonly Finding[][], atOnce: boolean): Promise<string> {
  const campaignId = await campaignRow(database, organisationId)
  const recordOne = (findings: Finding[], page: number) => recordPage(campaignId, `page-${page}`, positioned(findings))
  if (atOnce) await Promise.all(pages.map(recordOne))
  else for (const [page, findings] of pages.entries()) await recordOne(findings, page)
  return campaignId
}

const positioned = (findings: Finding[]) => findings.map((finding, position) => ({ ...finding, position }))

test('branches of one domain are one prospect, in whatever order and company they are found', async () => {
  const sighting = constantFrom<Shown>(
    { domain: 'chain.test', place: 'north' },
    { domain: 'chain.test', place: 'south' },
    { domain: 'chain.test' },
  )
  const pages = array(array(sighting, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 })
  await holds(
    asyncProperty(pages, boolean(), async (shown, atOnce) => {
      const campaignId = await recordAll(ofThisRun(shown), atOnce)
      expect(await countsOf(campaignId)).toMatchObject({ prospects: 1, sightings: shown.flat().length })
    }),
    { numRuns: 25 },
  )
})

test('a domain is one business and a place without a website is one, whatever else is found at the same moment', async () => {
  const sighting = record(
    { domain: constantFrom('a.test', 'b.test', 'c.test'), place: constantFrom('p', 'q', 'r') },
    { requiredKeys: [] },
  ).filter(({ domain, place }) => domain !== undefined || place !== undefined)
  const pages = array(array(sighting, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 5 })
  await holds(
    asyncProperty(pages, boolean(), async (shown, atOnce) => {
      const all = ofThisRun(shown)
      const campaignId = await recordAll(all, atOnce)
      const keys = await keysOf(all.flat())
      expect(keys.size).toBe(new Set(all.flat().flatMap((finding) => finding.keys.map(keyText))).size)
      const domainsOfEach = Map.groupBy(
        [...keys].filter(([key]) => key.startsWith('domain:')),
        ([, owner]) => owner,
      )
      expect([...domainsOfEach.values()].every((domains) => domains.length === 1)).toBe(true)
      const seen = await sightingsOf(campaignId)
      const expected = all.flatMap((findings, page) =>
        positioned(findings).map(({ position, keys: [strongest] }) => {
          const prospectId = strongest && keys.get(keyText(strongest))
          return { fingerprint: `page-${page}`, position, prospectId }
        }),
      )
      expect(seen).toEqual(expected)
    }),
    { numRuns: 40 },
  )
})

/** Findings of businesses that no earlier run knows. */
function ofThisRun(pages: readonly Shown[][]): Finding[][] {
  runs += 1
  const own = (text: string | undefined) => (text === undefined ? undefined : `run-${runs}-${text}`)
  return pages.map((page) => page.map(({ domain, place }) => found({ domain: own(domain), place: own(place) })))
}

async function keysOf(findings: readonly Finding[]): Promise<Map<string, string>> {
  const wanted = new Set(findings.flatMap(({ keys }) => keys.map(({ value }) => value)))
  const rows = await database.as(
    organisationId,
    (tx) => tx<{ kind: string; value: string; prospectId: string }[]>`
      select kind, value, prospect_id from prospect_keys where value = any(${[...wanted]})`,
  )
  return new Map(rows.map((row) => [keyText(row), row.prospectId]))
}

const sightingsOf = async (campaignId: string) => [
  ...(await database.as(
    organisationId,
    (tx) => tx<{ fingerprint: string; position: number; prospectId: string }[]>`
      select fingerprint, position, prospect_id from sightings join searches on searches.id = sightings.search_id
      where sightings.campaign_id = ${campaignId} order by fingerprint, position`,
  )),
]

const keyText = ({ kind, value }: { kind: string; value: string }): string => `${kind}:${value}`
