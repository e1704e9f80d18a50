import { Client, Connection } from '@temporalio/client'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { ApiClient } from '../../dev/api-client.ts'
import { campaignId as workflowIdOf } from '../../workflows/contracts/prospect-campaign.ts'
import { type SandboxRequest, type WholeSystem, wholeSystem } from '../support/whole-system.ts'

const siteCount = 300
const latencyMs = 250
const patience = { timeout: 120_000, interval: 100 }

const Accepted = z.object({ id: z.uuid(), status: z.string() })
const Campaign = z.object({ status: z.string(), counts: z.object({ done: z.number(), searchesPaid: z.number() }) })
const Export = z.object({ data: z.array(z.object({ website: z.string().nullable() })) })

const campaign = {
  name: 'Killed again and again',
  websites: Array.from({ length: siteCount }, (_, index) => `http://chaos-${index}.test/`),
  searches: [
    { engine: 'google', query: 'dentist', location: 'Austin, Texas', limit: 30 },
    { engine: 'google_maps', query: 'bakery', location: 'Austin, Texas', limit: 40 },
  ],
}

async function post(api: ApiClient): Promise<string> {
  return Accepted.parse(await api.post('/campaigns', campaign, 'chaos')).id
}

async function read(api: ApiClient, id: string) {
  return Campaign.parse(await api.get(`/campaigns/${id}`))
}

async function reaches(api: ApiClient, id: string, done: number): Promise<void> {
  await vi.waitFor(async () => expect((await read(api, id)).counts.done).toBeGreaterThanOrEqual(done), patience)
}

/** Hosts that were visited again although its first reading was not in flight at any of these moments. */
async function readAgainWithoutNeed(system: WholeSystem, blows: readonly number[]): Promise<string[]> {
  // A visit of a site begins with its robots.txt, and has up to three pages.
  const requests = (await system.requests('websites')).filter(
    ({ host, path }) => path === '/robots.txt' && host.startsWith('chaos-'),
  )
  const wasInFlight = ({ at }: SandboxRequest) =>
    blows.some((blow) => at.getTime() <= blow && blow - at.getTime() < 4 * latencyMs + 1000)
  return [...Map.groupBy(requests, ({ host }) => host)]
    .filter(([, [first, ...again]]) => again.length > 0 && first && !wasInFlight(first))
    .map(([host]) => host)
}

test('a worker killed, then everything killed: each site listed once, each search paid once, only what was in flight read again', async () => {
  await using system = await wholeSystem()
  await system.start()
  const api = await system.api()
  await system.slowSitesDown(latencyMs)
  const id = await post(api)
  const kills: number[] = []

  await reaches(api, id, 40)
  const worker = system.pid('worker')
  process.kill(worker, 'SIGKILL')
  kills.push(Date.now())
  await vi.waitFor(() => expect(system.pid('worker')).not.toBe(worker), patience)

  await reaches(api, id, 150)
  await system.killEverything()
  kills.push(Date.now())
  await system.start()

  expect(await post(api)).toBe(id) // the same key is the same campaign, also over the kill
  await vi.waitFor(async () => expect((await read(api, id)).status).toBe('completed'), patience)

  const { data } = Export.parse(await api.get(`/campaigns/${id}/export.json`))
  const listed = data.map(({ website }) => website).filter((website) => website?.includes('//chaos-'))
  expect(listed).toHaveLength(siteCount)
  expect(new Set(listed).size).toBe(siteCount)

  const billed = (await system.requests('serpapi')).filter((request) => request.billed)
  expect(billed.length).toBeGreaterThan(0)
  expect(new Set(billed.map(({ path }) => path)).size).toBe(billed.length)
  expect((await read(api, id)).counts.searchesPaid).toBe(billed.length)

  expect(await readAgainWithoutNeed(system, kills)).toEqual([])
}, 300_000)

test('a campaign posted while Temporal is frozen is accepted at once, and runs when Temporal is back', async () => {
  await using system = await wholeSystem()
  await system.start()
  const api = await system.api()
  const frozen = system.pid('temporal')
  process.kill(frozen, 'SIGSTOP')
  const id = await post(api)
  expect((await read(api, id)).status).toBe('queued')
  process.kill(frozen, 'SIGKILL') // the supervisor starts it again
  await vi.waitFor(async () => expect((await read(api, id)).status).toBe('completed'), patience)
}, 300_000)

test('a worker frozen past its time-outs and thawed records nothing over those who took over', async () => {
  await using system = await wholeSystem()
  await system.start()
  const api = await system.api()
  await system.slowSitesDown(latencyMs)
  const id = await post(api)
  await reaches(api, id, 40)
  const worker = system.pid('worker')
  process.kill(worker, 'SIGSTOP')
  const frozenAt = Date.now()
  const connection = await Connection.connect({ address: system.temporalAddress })
  const handle = new Client({ connection }).workflow.getHandle(workflowIdOf(id))
  await vi.waitFor(async () => {
    const { raw } = await handle.describe()
    expect(raw.pendingActivities?.some(({ attempt }) => (attempt ?? 0) > 1)).toBe(true)
  }, patience)
  process.kill(worker, 'SIGCONT')
  await vi.waitFor(async () => expect((await read(api, id)).status).toBe('completed'), patience)
  await connection.close()
  const { data } = Export.parse(await api.get(`/campaigns/${id}/export.json`))
  expect(data.filter(({ website }) => website?.includes('//chaos-'))).toHaveLength(siteCount)
  expect(await readAgainWithoutNeed(system, [frozenAt])).toEqual([])
}, 300_000)
