import type { PendingQuery, Row } from 'postgres'
import type { Tx } from './client.ts'

/** A business as one campaign sees it. */
export interface CampaignProspect {
  id: string
  name: string | null
  website: string | null
  phone: string | null
  address: string | null
  /** How often the campaign's searches and list showed it. */
  sightings: number
  /** Whether one of this campaign's searches showed it as an ad. */
  runsAds: boolean
  status: 'pending' | 'reading' | 'done'
  failure: string | null
  failureDetail: string | null
  analysis: SiteAnalysis | null
  score: number | null
  reasons: ScoreReason[] | null
  /** Since the organisation's last look at the business that told anything, by any campaign; null before the visit is over. */
  change: 'new' | 'changed' | 'same' | null
  /** Which facts. */
  changed: string[] | null
  /** Of the rules that the score is by. */
  rulesVersion: number
}

/** What the site showed, as the reading activity stores it. What is optional was not looked at by earlier versions. */
export interface SiteAnalysis {
  title: string | null
  https: boolean
  viewport: boolean
  emails: string[]
  phones: string[]
  cms?: string | null
  tracking?: string[]
  booking?: string[]
  socials?: { network: string; url: string }[]
  copyrightYear?: number | null
  language?: string | null
  evidence?: { name: string; quote: string }[]
  responseMs?: number
  pages?: string[]
}

export type ScoreReason = {
  text: string
  points: number
}

/** Which of a campaign's prospects are wanted; what is not given does not matter. */
export interface ProspectFilter {
  /** One without a score counts as 0. */
  minScore?: number | undefined
  /** A name, or `none`: the site was read and shows none. */
  cms?: string | undefined
  /** A name, `none` or `any`. */
  booking?: string | undefined
  tracking?: string | undefined
  runsAds?: boolean | undefined
  /** False also where no site was read. */
  hasEmail?: boolean | undefined
  change?: 'new' | 'changed' | 'same' | undefined
}

/**
 * In the order of their ids, which scoring does not change: a reader of all pages sees nobody twice, and misses nobody once the campaign
 * has done searching.
 */
export function listCampaignProspects(
  tx: Tx,
  campaignId: string,
  page: { after: string | null; limit: number },
  filter: ProspectFilter = {},
): Promise<CampaignProspect[]> {
  return tx<CampaignProspect[]>`
    select ${prospectColumns(tx)}
    from site_visits as visit join prospects as prospect on prospect.id = visit.prospect_id
    where visit.campaign_id = ${campaignId}
      and ${page.after === null ? tx`true` : tx`visit.prospect_id > ${page.after}`}
      and ${matches(tx, filter)}
    order by visit.prospect_id limit ${page.limit}`
}

/** The campaign's prospects with the highest scores, the best first. */
export function bestProspects(tx: Tx, campaignId: string, limit: number): Promise<CampaignProspect[]> {
  return tx<CampaignProspect[]>`
    select ${prospectColumns(tx)}
    from site_visits as visit join prospects as prospect on prospect.id = visit.prospect_id
    where visit.campaign_id = ${campaignId} and visit.score is not null
    order by visit.score desc, visit.prospect_id limit ${limit}`
}

/** A condition on the table `visit`. Analyses of earlier versions, which did not look at something, are neither with nor without it. */
function matches(tx: Tx, { minScore, cms, booking, tracking, change, ...filter }: ProspectFilter): PendingQuery<Row[]> {
  const conditions = [
    minScore !== undefined && tx`coalesce(visit.score, 0) >= ${minScore}`,
    cms === 'none' && tx`visit.analysis->'cms' = 'null'`,
    cms !== undefined && cms !== 'none' && tx`visit.analysis->>'cms' = ${cms}`,
    booking !== undefined && lists(tx, 'booking', booking),
    tracking !== undefined && lists(tx, 'tracking', tracking),
    filter.runsAds !== undefined && tx`${runsAds(tx)} = ${filter.runsAds}`,
    filter.hasEmail !== undefined && tx`(coalesce(visit.analysis->'emails', '[]') <> '[]') = ${filter.hasEmail}`,
    change !== undefined && tx`visit.change = ${change}`,
  ]
  return conditions.filter((condition) => condition !== false).reduce((all, next) => tx`${all} and ${next}`, tx`true`)
}

function lists(tx: Tx, field: 'booking' | 'tracking', name: string): PendingQuery<Row[]> {
  if (name === 'none') return tx`visit.analysis->${field}::text = '[]'`
  if (name === 'any') return tx`visit.analysis->${field}::text <> '[]'`
  return tx`visit.analysis->${field}::text ? ${name}`
}

/** The columns of a CampaignProspect, of the tables `visit` and `prospect`. */
export const prospectColumns = (tx: Tx) => tx`
  prospect.id, prospect.name, coalesce(visit.url, prospect.website) as website, prospect.phone, prospect.address,
  (select count(*)::int from sightings
   where sightings.prospect_id = visit.prospect_id and sightings.campaign_id = visit.campaign_id) as sightings,
  ${runsAds(tx)} as runs_ads,
  visit.status, visit.failure, visit.failure_detail, visit.analysis, visit.score, visit.reasons, visit.rules_version,
  visit.change, visit.changed`

const runsAds = (tx: Tx) => tx`
  exists (select from sightings
    where sightings.prospect_id = visit.prospect_id and sightings.campaign_id = visit.campaign_id and sightings.is_ad)`

export interface Prospect {
  id: string
  name: string | null
  website: string | null
  phone: string | null
  address: string | null
  createdAt: Date
}

export async function findProspect(tx: Tx, id: string): Promise<Prospect | null> {
  const [row] = await tx<Prospect[]>`
    select id, name, website, phone, address, created_at from prospects where id = ${id}`
  return row ?? null
}

export interface ProspectSighting {
  campaignId: string
  searchId: string
  engine: 'list' | 'google' | 'google_maps'
  /** Both from 0. */
  page: number
  position: number
  isAd: boolean
}

/** The newest first. */
export function prospectSightings(tx: Tx, prospectId: string, limit: number): Promise<ProspectSighting[]> {
  return tx<ProspectSighting[]>`
    select sighting.campaign_id, sighting.search_id, search.engine, search.page, sighting.position,
      sighting.is_ad
    from sightings as sighting join searches as search on search.id = sighting.search_id
    where sighting.prospect_id = ${prospectId}
    order by sighting.search_id desc, sighting.position limit ${limit}`
}

export interface ProspectVisit
  extends Pick<
    CampaignProspect,
    'status' | 'failure' | 'failureDetail' | 'analysis' | 'score' | 'reasons' | 'rulesVersion' | 'change' | 'changed'
  > {
  campaignId: string
  campaignName: string
  finishedAt: Date | null
}

/** What each campaign found out, the newest campaign first. */
export function prospectVisits(tx: Tx, prospectId: string, limit: number): Promise<ProspectVisit[]> {
  return tx<ProspectVisit[]>`
    select visit.campaign_id, campaign.name as campaign_name, visit.status, visit.failure, visit.failure_detail,
      visit.analysis, visit.score, visit.reasons, visit.rules_version, visit.change, visit.changed, visit.finished_at
    from site_visits as visit join campaigns as campaign on campaign.id = visit.campaign_id
    where visit.prospect_id = ${prospectId}
    order by visit.campaign_id desc limit ${limit}`
}
