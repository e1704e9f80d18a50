import type { PendingQuery, Row } from 'postgres'
import type { Tx } from './client.ts'
import type { CampaignProspect, ScoreReason, SiteAnalysis } from './prospects.ts'
import { seenBy } from './site-visits.ts'

/** What a visit that is over brought, as far as scores depend on it. */
export interface FinishedVisit {
  prospectId: string
  url: string | null
  failure: string | null
  failureDetail: string | null
  analysis: SiteAnalysis | null
  hasPhone: boolean
  runsAds: boolean
  sightings: number
}

interface Page {
  campaignId: string
  after: string | null
  limit: number
}

type NewScore = {
  prospectId: string
  score: number
  reasons: ScoreReason[]
}

/**
 * The next visits, by their prospects' ids, whose score is by rules before `version`. Until the end of the transaction nobody else
 * changes them.
 */
export function visitsScoredBefore(tx: Tx, wanted: Page & { version: number }): Promise<FinishedVisit[]> {
  const page = pageOf(tx, wanted, tx`rules_version < ${wanted.version}`)
  return tx<FinishedVisit[]>`
    with visit as (${page} for no key update)
    select ${visitColumns(tx)} ${withSightings(tx, wanted.campaignId)}`
}

/** Writes scores by the rules of `version`. One that is by later rules already stays. */
export async function recordScores(
  tx: Tx,
  campaignId: string,
  { version, scores }: { version: number; scores: readonly NewScore[] },
): Promise<void> {
  await tx`
    update site_visits as visit set score = scored.score, reasons = scored.reasons, rules_version = ${version}
    from jsonb_to_recordset(${tx.json([...scores])}) as scored ("prospectId" uuid, score int, reasons jsonb)
    where visit.campaign_id = ${campaignId} and visit.prospect_id = scored."prospectId"
      and visit.status = 'done' and visit.rules_version < ${version}`
}

/** How many of the campaign's visits are over, and how many of those are scored by the rules of `version` or later ones. */
export async function scoringProgress(
  tx: Tx,
  campaignId: string,
  version: number,
): Promise<{ done: number; total: number }> {
  const [row] = await tx<{ done: number; total: number }[]>`
    select count(*) filter (where rules_version >= ${version})::int as done, count(*)::int as total
    from site_visits where campaign_id = ${campaignId} and status = 'done'`
  return row ?? { done: 0, total: 0 }
}

export interface ScoredProspect extends FinishedVisit, Pick<CampaignProspect, 'name' | 'website'> {
  score: number
  reasons: ScoreReason[]
}

/** The next visits with their scores, by their prospects' ids. */
export function scoredProspects(tx: Tx, wanted: Page): Promise<ScoredProspect[]> {
  return tx<ScoredProspect[]>`
    with visit as (${pageOf(tx, wanted, tx`score is not null`)})
    select ${visitColumns(tx)}, prospects.name, coalesce(visit.url, prospects.website) as website, visit.score, visit.reasons
    ${withSightings(tx, wanted.campaignId)}`
}

// A page of its own, before anything is joined: else the planner may join all that is left of a campaign for each of its pages.
const pageOf = (tx: Tx, { campaignId, after, limit }: Page, which: PendingQuery<Row[]>) => tx`
  select prospect_id, url, failure, failure_detail, analysis, score, reasons from site_visits
  where campaign_id = ${campaignId} and status = 'done' and ${after === null ? tx`true` : tx`prospect_id > ${after}`} and ${which}
  order by prospect_id limit ${limit}`

const visitColumns = (tx: Tx) => tx`
  visit.prospect_id, visit.url, visit.failure, visit.failure_detail, visit.analysis,
  prospects.phone is not null as has_phone, seen.runs_ads, seen.sightings`

const withSightings = (tx: Tx, campaignId: string) => tx`
  from visit join prospects on prospects.id = visit.prospect_id cross join lateral ${seenBy(tx, campaignId)}
  order by visit.prospect_id`
