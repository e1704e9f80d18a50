import { describe, expect, test, vi } from 'vitest'
import { listCampaignProspects, prospectSightings } from '../../db/prospects.ts'
import { createSerpapi } from '../../providers/serpapi/client.ts'
import { resumeCampaign, campaignId as workflowIdOf } from '../../workflows/contracts/prospect-campaign.ts'
import { startTestSandbox } from '../support/sandbox.ts'
import { skippingCampaigns } from '../support/skipping-campaigns.ts'

const skipping = await skippingCampaigns()

describe.skipIf(!skipping)('on the time-skipping server (skipped where none can be had)', () => {
  if (!skipping) return
  const { environment, organisation, sandbox, world, countsOf } = skipping
  const { database, organisationId } = organisation

  test('businesses that run ads are found beside the results that were wanted, and said to run them', async () => {
    await using _ = await world.work()
    const search = { engine: 'google', query: 'florist', location: 'Boise, Idaho', limit: 20 } as const
    const id = await world.start({ searches: [search] })
    await world.ended(id)
    const prospects = await database.as(organisationId, (tx) =>
      listCampaignProspects(tx, id, { after: null, limit: 100 }),
    )
    const advertisers = prospects.filter(({ runsAds }) => runsAds)
    const sightings = await Promise.all(
      advertisers.map((prospect) => database.as(organisationId, (tx) => prospectSightings(tx, prospect.id, 100))),
    )
    expect(advertisers.length).toBeGreaterThan(1)
    expect(advertisers.length).toBeLessThan(prospects.length)
    expect(sightings.every((seen) => seen.some(({ isAd, engine }) => isAd && engine === 'google'))).toBe(true)
    const [{ results } = { results: 0 }] = await database.as(
      organisationId,
      (tx) => tx<{ results: number }[]>`select sum(results)::int as results from searches where campaign_id = ${id}`,
    )
    expect(results).toBe(20)
    expect((await countsOf(id)).searchesPaid).toBe(2)
  })

  test('a search whose pages bring few results costs no more pages than it may', async () => {
    await using _ = await world.work({
      search: createSerpapi({ apiKey: 'test', baseUrl: 'http://serpapi.test', fetch: fewResults }),
    })
    const search = { engine: 'google', query: 'hatter', location: 'Austin, Texas', limit: 30, pages: 3 } as const
    const id = await world.start({ searches: [search] })
    await world.ended(id)
    expect(await countsOf(id)).toMatchObject({ searchesPaid: 3, sightings: 6 })
  })

  test('a provider that is away is asked again after pauses that double, one that is busy when it says', async () => {
    const askedAt: number[] = []
    const watched: typeof fetch = async (...request) => {
      askedAt.push(await environment.currentTimeMs())
      return fetch(...request)
    }
    const search = createSerpapi({ apiKey: 'test', baseUrl: sandbox.urls.serpapi, fetch: watched })
    await using _ = await world.work({ search })
    const fault = { provider: 'serpapi', operation: 'search', kind: 'status' } as const
    await sandbox.addFault({ ...fault, status: 503, count: 3 })
    await sandbox.addFault({ ...fault, status: 429, count: 1 })
    await sandbox.addFault({ ...fault, status: 429, retryAfterSeconds: 0, count: 1 })
    await sandbox.addFault({ ...fault, status: 429, retryAfterSeconds: 300, count: 1 })
    const wanted = { engine: 'google', query: 'cobbler', location: 'Austin, Texas', limit: 10 } as const
    const id = await world.start({ searches: [wanted] })
    await world.ended(id)
    const pauses = askedAt.slice(1).map((at, index) => (at - (askedAt[index] ?? 0)) / 1000)
    expect(pauses).toHaveLength(6)
    for (const [index, least] of [1, 2, 4, 8, 15, 300].entries()) expect(pauses[index]).toBeGreaterThanOrEqual(least)
    expect((await countsOf(id)).searchesPaid).toBe(1)
  })

  test('a campaign whose provider has no searches left waits for more, and pays for no page twice', async () => {
    await using poor = await startTestSandbox({ serpapi: { searchesPerMonth: 1 } })
    await using _ = await world.work({ search: createSerpapi({ apiKey: 'test', baseUrl: poor.urls.serpapi }) })
    const search = { engine: 'google', query: 'glazier', location: 'Austin, Texas', limit: 20 } as const
    const id = await world.start({ searches: [search] })
    await vi.waitFor(async () => expect((await world.campaign(id)).status).toBe('waiting'), patience)
    expect(await world.campaign(id)).toMatchObject({ waitingFor: 'repair', problem: 'serpapi:searches_used_up' })
    await poor.control('DELETE', '/_sandbox') // a month later
    await world.stories.update(workflowIdOf(id), resumeCampaign, { updateId: 'more', args: ['system'] })
    await world.ended(id)
    expect((await countsOf(id)).searchesPaid).toBe(2)
    expect((await poor.requests()).filter(({ billed }) => billed)).toHaveLength(1) // the second page, after the reset
  })
})

/** Answers each page with two results, and promises another. */
const fewResults: typeof fetch = async (input) => {
  const start = new URL(input instanceof Request ? input.url : input).searchParams.get('start') ?? '0'
  return Response.json({
    search_metadata: { status: 'Success' },
    organic_results: ['a', 'b'].map((name) => ({ title: name, link: `http://hatter-${name}-${start}.test/` })),
    serpapi_pagination: { next: 'http://serpapi.test/search' },
  })
}

const patience = { timeout: 15_000, interval: 50 }
