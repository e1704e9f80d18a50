import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Setting } from '../../config.ts'
import type { ApiClient } from '../../dev/api-client.ts'
import type { Fault } from '../../dev/sandbox/faults.ts'
import { campaignStages, isFinished } from '../../workflows/contracts/prospect-campaign.ts'
import { eventually } from '../support/eventually.ts'
import { wholeSystem } from '../support/whole-system.ts'
import { drawsFrom } from './draws.ts'
import { expectedProspects, type WantedSearch } from './expected-prospects.ts'
import { type StormSize, storm } from './storm.ts'
import { ownSitePrefix, tally } from './tally.ts'

export interface ChaosSize extends StormSize {
  /** Different businesses, some from searches, the others from an own list. */
  prospects: number
  searches: number
  /** How long each answer of a provider takes: what makes the campaign last longer than the storm. */
  latencyMs: { websites: number; serpapi: number; google: number }
}

export type ChaosFigures = Record<string, number> & {
  kills: number
  lost: number
  duplicates: number
  paidTwice: number
  parked: number
}

/** Little at a time, so that there is always something left to be struck. */
const settings: Partial<Record<Setting, string>> = { SITE_CONCURRENCY: '2', GOOGLE_SHEETS_CHUNK_ROWS: '10' }
const patience = { timeout: 240_000, interval: 250 }

const Accepted = z.object({ id: z.uuid() })
const State = z.object({
  status: z.enum(['queued', 'running', 'paused', 'waiting', 'completed', 'cancelled', 'failed']),
  stage: z.enum(campaignStages).nullable(),
  problem: z.string().nullable(),
})

/**
 * One campaign through a storm, from post to sheet, with nobody to help it. Returns what was struck and what came of it; throws when the
 * campaign does not complete, and then leaves the logs.
 */
export async function chaosCampaign(
  size: ChaosSize,
  seed: number,
  say: (line: string) => void = () => {},
): Promise<ChaosFigures> {
  const begun = Date.now()
  await using system = await wholeSystem(settings)
  try {
    const { definition, expected } = await defineCampaign(size, seed)
    await system.start()
    const api = await system.api()
    for (const fault of faultsOf(size, seed)) await system.addFault(fault)

    const post = async () => Accepted.parse(await api.post('/campaigns', definition, 'chaos')).id
    const id = await eventually(post, patience)
    const blows = await storm(system, stormyCampaign(api, id, post), { ...size, seed }, say)
    const status = await endOf(api, id)
    if (status !== 'completed') throw new Error(`the campaign is ${status}`)
    const figures = {
      kills: blows.workerKills + blows.apiKills,
      ...(await tally(system, api, id, expected)),
      ...blows,
      seconds: Math.round((Date.now() - begun) / 1000),
    }
    if (hasDamage(figures)) say(`logs are kept in ${system.keep()}`)
    return figures
  } catch (error) {
    throw new Error(`The campaign did not come through; logs are kept in ${system.keep()}`, { cause: error })
  }
}

export function hasDamage({ lost, duplicates, paidTwice, parked }: ChaosFigures): boolean {
  return lost + duplicates + paidTwice + parked > 0
}

async function defineCampaign({ prospects, searches }: ChaosSize, seed: number) {
  const draws = drawsFrom(`${seed}/campaign`)
  const wanted: WantedSearch[] = draws.shuffled(allSearches).slice(0, searches)
  const expected = await expectedProspects(wanted)
  const ownSites = Math.max(0, prospects - expected.size)
  const websites = Array.from({ length: ownSites }, (_, index) => `http://${ownSitePrefix}${index}.test/`)
  for (const website of websites) expected.add(new URL(website).hostname)
  return {
    definition: { name: 'Through a storm', searches: wanted, websites, export: { sheet: { people: [] } } },
    expected,
  }
}

const towns = ['Austin, Texas', 'Portland, Oregon', 'Boise, Idaho']
const trades = ['dentist', 'plumber', 'hair salon', 'yoga studio', 'bakery', 'law firm']
// Two engines on the same trade and town find some of the same businesses.
const allSearches: WantedSearch[] = towns.flatMap((location) =>
  trades.flatMap((query) =>
    (['google', 'google_maps'] as const).map((engine) => ({ engine, query, location, limit: 60 })),
  ),
)

/**
 * Of several that could hit a request the first does; the last ones only slow the providers down. One answer is dropped for certain: where few
 * are asked for, the lots might spare all.
 */
function faultsOf({ prospects, latencyMs }: ChaosSize, seed: number): z.input<typeof Fault>[] {
  const draws = drawsFrom(`${seed}/faults`)
  const lots = () => ({ seed: draws.whole(1, 1_000_000) })
  const storm429 = (provider: string, operation: string, count: number) =>
    ({
      kind: 'status',
      provider,
      operation,
      status: 429,
      retryAfterSeconds: draws.whole(1, 2),
      rate: 0.5,
      count: Math.ceil(count),
      ...lots(),
    }) as const
  const slow = (provider: keyof typeof latencyMs) =>
    ({ kind: 'latency', provider, latencyMs: latencyMs[provider] }) as const
  return [
    { kind: 'accept-then-drop', provider: 'google', operation: 'sheets.batchUpdate', count: 1 },
    storm429('serpapi', 'search', prospects / 40),
    storm429('google', 'sheets.batchUpdate', prospects / 60),
    storm429('google', 'sheets.values.batchGetByDataFilter', prospects / 100),
    { kind: 'accept-then-drop', provider: 'google', operation: 'sheets.batchUpdate', rate: 0.2, ...lots() },
    slow('websites'),
    slow('serpapi'),
    slow('google'),
  ]
}

function stormyCampaign(api: ApiClient, id: string, post: () => Promise<string>) {
  // A new key for each try: a request that died with the API keeps its own for a minute.
  const control = async (action: 'pause' | 'resume', leadsTo: string) => {
    if ((await stateOf(api, id)).status !== leadsTo)
      await api.post(`/campaigns/${id}/${action}`, undefined, randomUUID())
  }
  return {
    stage: async () => {
      const { status, stage } = await stateOf(api, id)
      return isFinished({ status }) ? ('over' as const) : stage
    },
    postAgain: post,
    pause: () => control('pause', 'paused'),
    resume: () => control('resume', 'running'),
  }
}

/** Waits for an end, or for a state that only a person could end. */
async function endOf(api: ApiClient, id: string): Promise<string> {
  return eventually(async () => {
    const { status, problem } = await stateOf(api, id)
    if (status === 'queued' || status === 'running') throw new Error(`the campaign is still ${status}`)
    return problem === null ? status : `${status} because of ${problem}`
  }, patience)
}

async function stateOf(api: ApiClient, id: string) {
  return State.parse(await api.get(`/campaigns/${id}`))
}
