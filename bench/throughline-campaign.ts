import { z } from 'zod'
import { countHistoryEvents } from './histories.ts'
import { cpuSeconds } from './process-costs.ts'
import type { MeasuredSystem } from './system.ts'

/** The processes of Throughline, without the sandbox, which plays the websites for both halves. */
export const parts = ['worker', 'api', 'temporal', 'postgres'] as const
export type Part = (typeof parts)[number]

export interface CampaignRun {
  /** From the post to the event that says it is completed. */
  seconds: number
  /** From its start to its end, as the campaign itself tells them. */
  secondsOnceStarted: number
  cpuSeconds: Record<Part, number>
  historyEvents: number
}

const Accepted = z.object({ id: z.uuid(), workflowId: z.string() })
const Campaign = z.object({
  startedAt: z.coerce.date(),
  finishedAt: z.coerce.date(),
  counts: z.object({ sitesRead: z.number() }),
})

/** The way that a user's campaign goes, by the public API. Throws unless every website was read. */
export async function runCampaign(system: MeasuredSystem, websites: readonly string[]): Promise<CampaignRun> {
  const { api, config } = system
  const cpuBefore = cpuOfParts(system)
  const begun = performance.now()
  const campaign = Accepted.parse(await api.post('/campaigns', { name: 'Bench', websites }, crypto.randomUUID()))
  for await (const { type } of api.events(`/campaigns/${campaign.id}/events`)) {
    if (type === 'campaign.completed') break
    if (type === 'campaign.failed' || type === 'campaign.waiting') throw new Error(`the campaign met ${type}`)
  }
  const seconds = (performance.now() - begun) / 1000
  const cpuAfter = cpuOfParts(system)

  const { startedAt, finishedAt, counts } = Campaign.parse(await api.get(`/campaigns/${campaign.id}`))
  if (counts.sitesRead !== websites.length) throw new Error(`${counts.sitesRead} of ${websites.length} sites were read`)
  return {
    seconds,
    secondsOnceStarted: (finishedAt.getTime() - startedAt.getTime()) / 1000,
    cpuSeconds: partsOf((part) => cpuAfter[part] - cpuBefore[part]),
    historyEvents: await countHistoryEvents(config, [campaign.workflowId]),
  }
}

export function cpuOfParts(system: MeasuredSystem): Record<Part, number> {
  return partsOf((part) => cpuSeconds(system.pid(part)))
}

export function partsOf(figure: (part: Part) => number): Record<Part, number> {
  return { worker: figure('worker'), api: figure('api'), temporal: figure('temporal'), postgres: figure('postgres') }
}
