import type { CampaignStatus } from '../workflows/contracts/prospect-campaign.ts'
import type { Campaign } from './campaigns.ts'
import type { Tx } from './client.ts'

/**
 * Stores a run of a saved campaign as `queued`, once for each story that begins one, and returns its id; null when there is no such campaign.
 * It asks for what the saved one asks for now, and is compared with the newest completed one of the series.
 */
export async function insertSavedSearchRun(
  tx: Tx,
  run: { savedSearchId: string; begunBy: string; dueAt: Date; now: Date },
): Promise<string | null> {
  const { savedSearchId, begunBy, dueAt, now } = run
  await tx`
    insert into campaigns
      (name, definition, country, export, budget_searches, approval, actor, saved_search_id, begun_by, due_at, previous_id,
       created_at)
    select name, definition, country, export, budget_searches, approval, 'schedule',
      id, ${begunBy}, ${dueAt}, (
        select id from campaigns where (id = ${savedSearchId} or saved_search_id = ${savedSearchId}) and status = 'completed'
        order by created_at desc limit 1), ${now}
    from campaigns where id = ${savedSearchId}
    on conflict (saved_search_id, begun_by) do nothing`
  const [row] = await tx<{ id: string }[]>`
    select id from campaigns where saved_search_id = ${savedSearchId} and begun_by = ${begunBy}`
  return row?.id ?? null
}

/**
 * Notes which request asks for a run, before Temporal is asked. False while one is under way, but not to the request that was noted last:
 * that run may be its own.
 */
export async function claimTrigger(
  tx: Tx,
  savedSearchId: string,
  { requestId, isUnderWay }: { requestId: string; isUnderWay: boolean },
): Promise<boolean> {
  const [row] = await tx`
    update campaigns set trigger_request = ${requestId}
    where id = ${savedSearchId} and (not ${isUnderWay}::boolean or trigger_request = ${requestId}) returning 1`
  return row !== undefined
}

export interface SavedSearchRun {
  campaignId: string
  dueAt: Date
  status: CampaignStatus
}

/** The newest runs that the schedule has begun, the newest first. */
export function savedSearchRuns(tx: Tx, savedSearchId: string, limit: number): Promise<SavedSearchRun[]> {
  return tx<SavedSearchRun[]>`
    select id as campaign_id, due_at, status from campaigns
    where saved_search_id = ${savedSearchId} order by due_at desc, id desc limit ${limit}`
}

/** How many of a campaign's prospects are new to the organisation, or have changed since it last looked at them. */
export async function changeCounts(
  tx: Tx,
  campaignId: string,
): Promise<{ new: number; changed: number; same: number }> {
  const [row] = await tx<{ new: number; changed: number; same: number }[]>`
    select count(*) filter (where change = 'new')::int as new, count(*) filter (where change = 'changed')::int as changed,
      count(*) filter (where change = 'same')::int as same
    from site_visits where campaign_id = ${campaignId}`
  return row ?? { new: 0, changed: 0, same: 0 }
}

/** Why nobody can tell yet, or ever, which prospects are gone since the run before; null when it can be told. */
export async function goneUnknownBecause(
  tx: Tx,
  campaign: Pick<Campaign, 'id' | 'previousId' | 'stage'>,
): Promise<'nothing_before' | 'searching' | 'search_given_up' | null> {
  if (campaign.previousId === null) return 'nothing_before'
  if (campaign.stage === null || campaign.stage === 'search') return 'searching'
  const [givenUp] = await tx`select from searches where campaign_id = ${campaign.id} and status = 'failed' limit 1`
  return givenUp ? 'search_given_up' : null
}

/** How many prospects of the run before this one has not found again. */
export async function countGoneProspects(tx: Tx, campaign: Pick<Campaign, 'id' | 'previousId'>): Promise<number> {
  const [row] = await tx<{ gone: number }[]>`
    select count(*)::int as gone from site_visits as before where ${isGone(tx, campaign)}`
  return row?.gone ?? 0
}

export interface GoneProspect {
  id: string
  name: string | null
  website: string | null
  phone: string | null
  address: string | null
  /** As the run before found it. */
  score: number | null
}

/** The prospects of the run before that this one has not found again, in the order of their ids. */
export function listGoneProspects(
  tx: Tx,
  campaign: Pick<Campaign, 'id' | 'previousId'>,
  page: { after: string | null; limit: number },
): Promise<GoneProspect[]> {
  return tx<GoneProspect[]>`
    select prospect.id, prospect.name, coalesce(before.url, prospect.website) as website, prospect.phone, prospect.address,
      before.score
    from site_visits as before join prospects as prospect on prospect.id = before.prospect_id
    where ${isGone(tx, campaign)} and ${page.after === null ? tx`true` : tx`before.prospect_id > ${page.after}`}
    order by before.prospect_id limit ${page.limit}`
}

const isGone = (tx: Tx, { id, previousId }: Pick<Campaign, 'id' | 'previousId'>) => tx`
  before.campaign_id = ${previousId} and not exists (
    select from site_visits as now where now.campaign_id = ${id} and now.prospect_id = before.prospect_id)`
