import { parse } from 'csv-parse/sync'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { CampaignDefinition } from '../../workflows/contracts/prospect-campaign.schema.ts'
import { testApi } from '../support/api.ts'
import { type Seed, campaignWith as seedCampaign } from '../support/campaign-prospects.ts'

let transactions = 0
const { ask, database, organisationId } = await testApi({
  watch: (real) => ({
    ...real,
    as: (organisation, work) => {
      transactions += 1
      return real.as(organisation, work)
    },
  }),
})

const campaignWith = (seeds: readonly Seed[], changes: Partial<CampaignDefinition> = {}) =>
  seedCampaign(database, organisationId, seeds, changes)

const Row = z.record(z.string(), z.string())

async function csvOf(id: string, query = ''): Promise<z.infer<typeof Row>[]> {
  const response = await ask('GET', `/campaigns/${id}/export.csv${query}`)
  expect(response.status).toBe(200)
  return z.array(Row).parse(parse(await response.text(), { columns: true }))
}

test('the CSV has a header and a line for each prospect', async () => {
  const id = await campaignWith([{ website: 'one.com' }, { website: 'two.com', failure: 'timeout', score: 50 }])
  const response = await ask('GET', `/campaigns/${id}/export.csv`)
  expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8')
  expect(response.headers.get('content-disposition')).toBe(`attachment; filename="campaign-${id}.csv"`)
  expect(response.headers.get('throughline-campaign-status')).toBe('completed')
  const text = await response.text()
  expect(text.split('\n')[0]).toBe(
    'name,website,phone,address,emails,phones,title,https,viewport,cms,tracking,booking,socials,language,copyrightYear,score,reasons,sightings,runsAds,failure,failureDetail,prospectId,change,changed',
  )
  const [one, two] = await csvOf(id)
  expect(one).toMatchObject({
    website: 'one.com',
    emails: 'a@b.com; c@b.com',
    https: 'true',
    viewport: 'false',
    reasons: 'no mobile viewport (20)',
    sightings: '1',
    runsAds: 'false',
  })
  expect(two).toMatchObject({ website: 'two.com', title: '', https: '', failure: 'timeout' })
})

test.each(['=HYPERLINK("http://x")', '+1+1', '-1', '@SUM(A1)', '\t=1', '\r=1'])(
  'a name like %j is no formula in the CSV',
  async (name) => {
    const id = await campaignWith([{ website: 'one.com', name, title: name }])
    const [row] = await csvOf(id)
    expect(row?.name).toBe(`'${name}`)
    expect(row?.title).toBe(`'${name}`)
  },
)

test('an empty campaign exports its header and an empty list', async () => {
  const id = await campaignWith([])
  expect(await csvOf(id)).toEqual([])
  const json = await ask('GET', `/campaigns/${id}/export.json`)
  expect(await json.json()).toEqual({ campaign: { id, name: 'Test', status: 'completed', finished: true }, data: [] })
})

test('two thousand prospects are exported once each, in both formats, as the list shows them', async () => {
  const id = await campaignWith(Array.from({ length: 2_000 }, (_, n) => ({ website: `site-${n}.com` })))
  const csv = (await csvOf(id)).map((row) => row.prospectId)
  const Json = z.object({ data: z.array(z.looseObject({ id: z.string() })) })
  const json = Json.parse(await (await ask('GET', `/campaigns/${id}/export.json`)).json()).data
  expect(new Set(csv).size).toBe(2_000)
  expect(json.map((prospect) => prospect.id)).toEqual(csv)

  const listed: unknown[] = []
  const Page = z.object({ data: z.array(z.unknown()), nextCursor: z.string().nullable() })
  for (let cursor: string | null = ''; cursor !== null && listed.length < 300; ) {
    const page = Page.parse(
      await (await ask('GET', `/campaigns/${id}/prospects?limit=100${cursor && `&cursor=${cursor}`}`)).json(),
    )
    listed.push(...page.data)
    cursor = page.nextCursor
  }
  expect(listed).toEqual(json.slice(0, 300))
})

test('an export is read no faster than its reader takes it, and not further once the reader has gone', async () => {
  const id = await campaignWith(Array.from({ length: 6_000 }, (_, n) => ({ website: `long-${n}.com` })))
  await database.as(
    organisationId,
    (tx) => tx`
      update site_visits set analysis = jsonb_set(analysis, '{title}', to_jsonb(repeat('x', 6000)))
      where campaign_id = ${id}`,
  )
  const [gone, before] = [new AbortController(), transactions]
  const response = await ask('GET', `/campaigns/${id}/export.csv`, { signal: gone.signal })
  await response.body?.getReader().read()
  // Until it reads no more, with time enough between two looks for it to have read.
  for (let seen = 0; seen < transactions; ) {
    seen = transactions
    for (let n = 0; n < 200; n += 1) await ask('GET', '/nothing')
  }
  gone.abort()
  // One to find the campaign, and of the twelve pages those that fit into the buffers between.
  expect(transactions - before - 1).toBeLessThan(9)
})

test('the CSV tells what is new and what has changed', async () => {
  const id = await campaignWith([
    { website: 'changed.com', change: 'changed', changed: ['site', 'cms'] },
    { website: 'new.com', change: 'new' },
    { website: 'unread.com', score: null },
  ])
  expect(await csvOf(id)).toMatchObject([
    { change: 'changed', changed: 'site; cms' },
    { change: 'new', changed: '' },
    { change: '', changed: '' },
  ])
})

test('prospects below the wanted score are left out, and those without one yet', async () => {
  const seeds = [
    { website: 'low.com', score: 10 },
    { website: 'high.com', score: 70 },
    { website: 'open.com', score: null },
  ]
  const some = await campaignWith(seeds, { export: { formats: ['csv'], minScore: 50 } })
  expect((await csvOf(some)).map(({ website }) => website)).toEqual(['high.com'])
  expect(
    await csvOf(await campaignWith(seeds.map((seed) => ({ ...seed, website: `all-${seed.website}` })))),
  ).toHaveLength(3)
})

test("the exports take the filters of the list, and a score that is asked for stands in place of the campaign's own", async () => {
  const seeds = [
    { website: 'ad.com', score: 10, isAd: true },
    { website: 'better-ad.com', score: 60, isAd: true },
    { website: 'plain.com', score: 70 },
  ]
  const id = await campaignWith(seeds, { export: { formats: ['csv', 'json'], minScore: 50 } })
  const websites = (rows: { website?: unknown }[]) => rows.map(({ website }) => website)
  expect(websites(await csvOf(id, '?runsAds=true'))).toEqual(['better-ad.com'])
  expect(await csvOf(id, '?runsAds=true')).toMatchObject([{ runsAds: 'true' }])
  expect(websites(await csvOf(id, '?runsAds=true&minScore=0'))).toEqual(['ad.com', 'better-ad.com'])
  const json = await ask('GET', `/campaigns/${id}/export.json?minScore=65`)
  expect(await json.json()).toMatchObject({ data: [{ website: 'plain.com', runsAds: false }] })
  const refused = await ask('GET', `/campaigns/${id}/export.csv?limit=5`)
  expect(refused.status).toBe(400)
})

test('a format that was not asked for is answered 404 with the reason', async () => {
  const id = await campaignWith([], { export: { formats: ['csv'], minScore: 0 } })
  const response = await ask('GET', `/campaigns/${id}/export.json`)
  expect(response.status).toBe(404)
  expect(await response.json()).toMatchObject({ detail: expect.stringContaining('json') })
})

test('a prospect is read with what each campaign saw and found out', async () => {
  const id = await campaignWith([{ website: 'one.com' }])
  const [row] = await csvOf(id)
  const response = await ask('GET', `/prospects/${row?.prospectId}`)
  expect(await response.json()).toMatchObject({
    id: row?.prospectId,
    website: 'one.com',
    sightings: [{ campaignId: id, engine: 'list', page: 0, isAd: false }],
    visits: [{ campaignId: id, campaignName: 'Test', status: 'done', score: 40 }],
  })
})
