import { type CampaignStage, campaignStages } from '../workflows/contracts/prospect-campaign.ts'
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
export async function campaignSeconds(tx: Tx, campaignId: string, now: Date): Promise<number | null> {
  const [row] = await tx<{ startedAt: Date | null; finishedAt: Date | null }[]>`
    select started_at, finished_at from campaigns where id = ${campaignId}`
  return row?.startedAt ? seconds(row.startedAt, row.finishedAt ?? now) : null
}

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

/** Of the campaign's prospects: how many have a score, the mean, and how many lie in each tenth (100 in the last). */
export async function scoreSpread(
  tx: Tx,
  campaignId: string,
): Promise<{ scored: number; average: number | null; tenths: number[] }> {
  const rows = await tx<{ tenth: number; prospects: number; points: number }[]>`
    select least(score / 10, 9) as tenth, count(*)::int as prospects, sum(score)::int as points from site_visits
    where campaign_id = ${campaignId} and score is not null group by tenth`
  const scored = rows.reduce((sum, { prospects }) => sum + prospects, 0)
  const points = rows.reduce((sum, row) => sum + row.points, 0)
  return {
    scored,
    average: scored === 0 ? null : Math.round((10 * points) / scored) / 10,
    tenths: Array.from({ length: 10 }, (_, tenth) => rows.find((row) => row.tenth === tenth)?.prospects ?? 0),
  }
}

/** How many rows the campaign's spreadsheet has by now. */
export async function sheetRowCount(tx: Tx, campaignId: string): Promise<number> {
  const [row] = await tx<{ rows: number }[]>`
    select count(*)::int as rows from sheet_rows join sheet_exports on sheet_exports.id = sheet_rows.export_id
    where sheet_exports.campaign_id = ${campaignId} and sheet_exports.status <> 'lost' and sheet_rows.status = 'written'`
  return row?.rows ?? 0
}

const seconds = (from: Date, to: Date): number => Math.max(0, Math.round((to.getTime() - from.getTime()) / 1000))
