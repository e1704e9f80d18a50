import { describe, expect, test, vi } from 'vitest'
import { findSheetExport } from '../../db/sheet-exports.ts'
import {
  pauseCampaign,
  resumeCampaign,
  campaignId as workflowIdOf,
} from '../../workflows/contracts/prospect-campaign.ts'
import { valuesOf } from '../support/google.ts'
import { listOf, skippingCampaigns } from '../support/skipping-campaigns.ts'

const skipping = await skippingCampaigns()

describe.skipIf(!skipping)('on the time-skipping server (skipped where none can be had)', () => {
  if (!skipping) return
  const { environment, organisation, sandbox, world, countsOf, eventsOf } = skipping
  const { database, organisationId } = organisation

  test('searches and an own list become prospects that are read, scored and counted', async () => {
    await using _ = await world.work()
    const id = await world.start({
      searches: [
        { engine: 'google', query: 'dentist', location: 'Austin, Texas', limit: 20 },
        { engine: 'google_maps', query: 'dentist', location: 'Austin, Texas', limit: 20 },
      ],
      websites: [
        { website: 'corner-bakery.test', name: null },
        { website: 'http://www.corner-bakery.test/about', name: null },
        { website: 'redirects-forever.test', name: null },
        { website: 'https://www.yelp.com/biz/somebody', name: null },
      ],
      exclusions: ['excluded.test'],
    })
    await world.ended(id)
    const counts = await countsOf(id)
    expect(await world.campaign(id)).toMatchObject({ status: 'completed', stage: 'score', problem: null })
    expect(counts.done).toBe(counts.prospects)
    expect(counts.prospects).toBeGreaterThan(20)
    expect(counts.sightings).toBeGreaterThan(counts.prospects)
    expect(counts.droppedDirectories).toBeGreaterThan(0)
    expect(counts.sitesFailed).toBeGreaterThan(0)
    expect(counts.sitesRead + counts.sitesFailed + counts.withoutSite).toBe(counts.prospects)
    const events = await eventsOf(id)
    expect(events[0]).toBe('campaign.started')
    expect(events.at(-1)).toBe('campaign.completed')
    expect(events).toContain('prospect.found')
    expect(events).toContain('prospect.analysed')
    const billed = (await sandbox.requests({ provider: 'serpapi' })).filter((request) => request.billed)
    expect(counts.searchesPaid).toBe(billed.length)
  })

  test('pause begins no new site, resume reads the rest, and each site is read once', async () => {
    await using _ = await world.work()
    await sandbox.addFault({ provider: 'websites', kind: 'latency', latencyMs: 150, rate: 1 })
    const id = await world.start({ websites: listOf('paused', 60) })
    await vi.waitFor(async () => expect((await countsOf(id)).done).toBeGreaterThan(0), patience)
    expect(
      await world.stories.update(workflowIdOf(id), pauseCampaign, { updateId: 'p1', args: ['system'] }),
    ).toMatchObject({ status: 'paused' })
    await vi.waitFor(async () => expect(await inFlight(id)).toBe(0), patience)
    const { done } = await countsOf(id)
    expect(done).toBeLessThan(60)
    expect(await readsOf('paused')).toHaveLength(done)
    expect(await world.campaign(id)).toMatchObject({ status: 'paused' })
    await world.stories.update(workflowIdOf(id), resumeCampaign, { updateId: 'r1', args: ['system'] })
    await world.ended(id)
    await sandbox.control('DELETE', '/_sandbox/faults')
    expect(new Set(await readsOf('paused')).size).toBe(60)
    expect(await readsOf('paused')).toHaveLength(60)
  })

  test('cancelling in Temporal itself ends the campaign as cancelled, with what it has found', async () => {
    await using _ = await world.work()
    await sandbox.addFault({ provider: 'websites', kind: 'latency', latencyMs: 150, rate: 1 })
    const id = await world.start({ websites: listOf('stopped', 40) })
    await vi.waitFor(async () => expect((await countsOf(id)).done).toBeGreaterThan(0), patience)
    await environment.client.workflow.getHandle(workflowIdOf(id)).cancel()
    await expect(world.ended(id)).rejects.toThrow()
    await sandbox.control('DELETE', '/_sandbox/faults')
    expect(await world.campaign(id)).toMatchObject({ status: 'cancelled' })
    expect((await eventsOf(id)).at(-1)).toBe('campaign.cancelled')
  })

  test('a refusal of the provider parks the campaign with its problem until it is mended and resumed', async () => {
    await using _ = await world.work()
    await sandbox.addFault({ provider: 'serpapi', operation: 'search', kind: 'status', status: 401, rate: 1, count: 1 })
    const id = await world.start({
      searches: [{ engine: 'google', query: 'plumber', location: 'Austin, Texas', limit: 10 }],
    })
    await vi.waitFor(async () => expect((await world.campaign(id)).status).toBe('waiting'), patience)
    expect(await world.campaign(id)).toMatchObject({ waitingFor: 'repair', problem: 'serpapi:invalid_key' })
    await world.stories.update(workflowIdOf(id), resumeCampaign, { updateId: 'mended', args: ['system'] })
    await world.ended(id)
    expect(await world.campaign(id)).toMatchObject({ status: 'completed', problem: null })
    expect((await countsOf(id)).searchesPaid).toBe(1)
  })

  test('an answer lost on its way is asked for again and paid once', async () => {
    await using _ = await world.work()
    await sandbox.addFault({ provider: 'serpapi', operation: 'search', kind: 'accept-then-drop', rate: 1, count: 1 })
    const search = { engine: 'google', query: 'locksmith', location: 'Austin, Texas', limit: 10 } as const
    const id = await world.start({ searches: [search] })
    await world.ended(id)
    const asked = (await sandbox.requests({ provider: 'serpapi' })).filter(({ path }) => path.includes('locksmith'))
    expect(asked.map(({ billed }) => billed)).toEqual([true, false])
    expect((await countsOf(id)).searchesPaid).toBe(1)
  })

  test('the list goes to a spreadsheet, each prospect in one row, though answers get lost', async () => {
    await using _ = await world.work()
    await sandbox.addFault({
      provider: 'google',
      operation: 'sheets.batchUpdate',
      kind: 'accept-then-drop',
      rate: 1,
      count: 1,
    })
    const people = [{ emailAddress: 'sales@our-shop.test', role: 'reader' as const }]
    const id = await world.start({
      websites: listOf('sheet', 40),
      export: { formats: ['csv'], minScore: 0, sheet: { people } },
    })
    await world.ended(id)
    expect(await world.campaign(id)).toMatchObject({ status: 'completed', stage: 'export' })
    const sheet = await database.as(organisationId, (tx) => findSheetExport(tx, id))
    const [header, ...keys] = (await valuesOf(sandbox, sheet?.spreadsheet?.id ?? '', 'A:A')).flat()
    expect(header).toBe('Key')
    expect(keys).toHaveLength(40)
    expect(new Set(keys).size).toBe(40)
  })

  test('a refused spreadsheet parks the campaign until access is given', async () => {
    await using _ = await world.work()
    await sandbox.control('POST', '/_sandbox/events', { provider: 'google', type: 'access.withdrawn' })
    const id = await world.start({
      websites: listOf('refused', 3),
      export: { formats: ['csv'], minScore: 0, sheet: { people: [] } },
    })
    await vi.waitFor(async () => expect((await world.campaign(id)).status).toBe('waiting'), patience)
    expect(await world.campaign(id)).toMatchObject({
      stage: 'export',
      waitingFor: 'repair',
      problem: expect.stringMatching(/^google:/),
    })
    await sandbox.control('POST', '/_sandbox/events', { provider: 'google', type: 'access.restored' })
    await world.stories.update(workflowIdOf(id), resumeCampaign, { updateId: 'mended', args: ['system'] })
    await world.ended(id)
    expect(await world.campaign(id)).toMatchObject({ status: 'completed', problem: null })
  })

  test('three hundred sites leave a short history', async () => {
    await using _ = await world.work()
    const id = await world.start({ websites: listOf('many', 300) })
    await world.ended(id)
    const { events } = await environment.client.workflow.getHandle(workflowIdOf(id)).fetchHistory()
    expect(events?.length).toBeLessThan(120)
    expect(await readsOf('many')).toHaveLength(300)
  })

  test('a campaign resumed in vain a hundred times continues as new, and books its search once', async () => {
    await using _ = await world.work()
    await sandbox.addFault({ provider: 'serpapi', operation: 'search', kind: 'status', status: 401, rate: 1 })
    const search = { engine: 'google', query: 'florist', location: 'Austin, Texas', limit: 10 } as const
    const id = await world.start({ searches: [search], websites: listOf('patient', 10) })
    const handle = environment.client.workflow.getHandle(workflowIdOf(id))
    const { runId } = await handle.describe()
    const isWaiting = async () => expect((await world.campaign(id)).status).toBe('waiting')
    for (let round = 0; (await handle.describe()).runId === runId; round += 1) {
      await vi.waitFor(isWaiting, { ...patience, interval: 5 })
      await world.stories.update(workflowIdOf(id), resumeCampaign, { updateId: `resume-${round}`, args: ['system'] })
      expect(round).toBeLessThan(300)
    }
    await vi.waitFor(isWaiting, patience)
    await sandbox.control('DELETE', '/_sandbox/faults')
    await world.stories.update(workflowIdOf(id), resumeCampaign, { updateId: 'mended', args: ['system'] })
    await world.ended(id)
    expect(await countsOf(id)).toMatchObject({ searchesPaid: 1 })
    expect(await readsOf('patient')).toHaveLength(10)
  })

  const readsOf = async (name: string) =>
    (await sandbox.requests({ provider: 'websites', limit: '10000' }))
      .filter(({ path }) => path === '/robots.txt') // what a visit begins with
      .map(({ host }) => host)
      .filter((host) => host?.startsWith(`${name}-`))
  const inFlight = async (id: string) =>
    (
      await database.as(
        organisationId,
        (tx) => tx`select 1 from site_visits where campaign_id = ${id} and status = 'reading'`,
      )
    ).length
})

const patience = { timeout: 15_000, interval: 50 }
