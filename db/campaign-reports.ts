import { type CampaignStage, campaignStages } from '../workflows/contracts/prospect-campaign.ts'
import type { Campaign } from './campaigns.ts'
import type { Tx } from './client.ts'

/** How many of the campaign's sites could not be read, by the code of the failure, the most frequent first. */
export async function campaignFailures(tx: Tx, campaignId: string): Promise<Record<string, number>> {
  const rows = await tx<{ failure: string; sites: number }[]>`
    select failure, count(*)::int as sites from site_visits
    where campaign_id = ${campaignId} and failure is not null
    group by failure order by sites desc, failure`
  return Object.fromEntries(rows.map(({ failure, sites }) => [failure, sites]))
}

/** How long the campaign has taken, until its end or else until now, pauses included; null before its start. */
export function campaignSeconds({ startedAt, finishedAt }: Times, now: Date): number | null {
  return startedAt && seconds(startedAt, finishedAt ?? now)
}

type Times = Pick<Campaign, 'startedAt' | 'finishedAt'>

/** How long each stage took that the campaign has entered, pauses included; the last one until the campaign's end, or else until now. */
export async function stageSeconds(
  tx: Tx,
  campaignId: string,
  until: Date,
): Promise<{ stage: CampaignStage; startedAt: Date; seconds: number }[]> {
  const rows = await tx<{ stage: CampaignStage; startedAt: Date }[]>`
    select data ->> 'stage' as stage, min(at) as started_at from story_events
    where story_id = ${campaignId} and type = 'campaign.stage_changed'
    group by data ->> 'stage'`
  const entered = campaignStages.flatMap((stage) => rows.filter((row) => row.stage === stage))
  return entered.map(({ stage, startedAt }, index) => ({
    stage,
    startedAt,
    seconds: seconds(startedAt, entered[index + 1]?.startedAt ?? until),
  }))
}

/** How many of the campaign's prospects have each score that occurs. */
export function scoreCounts(tx: Tx, campaignId: string): Promise<{ score: number; prospects: number }[]> {
  return tx<{ score: number; prospects: number }[]>`
    select score, count(*)::int as prospects from site_visits
    where campaign_id = ${campaignId} and score is not null group by score`
}

const seconds = (from: Date, to: Date): number => Math.max(0, Math.round((to.getTime() - from.getTime()) / 1000))
