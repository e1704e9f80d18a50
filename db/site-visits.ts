import type { JSONValue, PendingQuery, Row } from 'postgres'
import type { Tx } from './client.ts'
import type { SiteAnalysis } from './prospects.ts'

/** Who reads: an activity and its attempt. A later attempt of the same activity takes over what an earlier one left. */
export interface VisitClaim {
  campaignId: string
  claim: string
  attempt: number
}

export interface ClaimedVisit {
  prospectId: string
  /** Null where the business has no website: there is nothing to read, but it is scored. */
  url: string | null
  /** Whether a search has told its telephone number. */
  hasPhone: boolean
  /** Whether the campaign's searches showed an advertisement of it. */
  runsAds: boolean
  /** How often they, and the own list, showed it. */
  sightings: number
  /** What the organisation's last look at the business by another campaign brought, see `claimVisit`; null when there was none. */
  before: { failure: string | null; failureDetail: string | null; analysis: SiteAnalysis | null } | null
}

/** A claim of another activity is given up after this long: longer than any batch may take. */
const abandonedAfterMs = 15 * 60_000

/** Takes over what earlier attempts of the same activity were reading when they died, whatever the campaign's status. */
export async function takeOverVisits(tx: Tx, by: VisitClaim): Promise<void> {
  await tx`
    update site_visits set status = 'pending'
    where campaign_id = ${by.campaignId} and status = 'reading' and claim = ${by.claim} and claim_attempt < ${by.attempt}`
}

/**
 * Claims a site that nobody reads; undefined when there is none. Claims nothing unless the campaign is running, so that pause and cancel
 * stop the very next site. The look before is the newest one that did not fail, or failed by one of `lastingFailures` (`code` or
 * `code: detail`); only where there is none, the newest.
 */
export async function claimVisit(
  tx: Tx,
  by: VisitClaim,
  lastingFailures: readonly string[],
  now: Date,
): Promise<ClaimedVisit | undefined> {
  const pending = tx`status = 'pending' order by prospect_id`
  const abandoned = tx`status = 'reading' and claimed_at < ${new Date(now.getTime() - abandonedAfterMs)}`
  const before = lookBefore(tx, by.campaignId, lastingFailures)
  const [visit] = await claimOne(tx, by, now, pending, before)
  return visit ?? (await claimOne(tx, by, now, abandoned, before))[0]
}

// Two queries rather than one with "or", each with an index that gives the first row at once in a campaign of any size.
function claimOne(
  tx: Tx,
  by: VisitClaim,
  now: Date,
  which: PendingQuery<Row[]>,
  before: PendingQuery<Row[]>,
): Promise<ClaimedVisit[]> {
  return tx<ClaimedVisit[]>`
    with free as (
      select prospect_id from site_visits
      where campaign_id = ${by.campaignId} and exists (select from campaigns where id = ${by.campaignId} and status = 'running')
        and ${which}
      limit 1 for update skip locked
    )
    update site_visits as visit
    set status = 'reading', claim = ${by.claim}, claim_attempt = ${by.attempt}, claimed_at = ${now}
    from free join prospects on prospects.id = free.prospect_id cross join lateral ${seenBy(tx, by.campaignId)}
      left join lateral ${before} on true
    where visit.campaign_id = ${by.campaignId} and visit.prospect_id = free.prospect_id
    returning visit.prospect_id, visit.url, prospects.phone is not null as has_phone, runs_ads, sightings,
      last.look as before`
}

// Chosen before it is put together, so that of all looks at a business only that one is unpacked.
const lookBefore = (tx: Tx, campaignId: string, lastingFailures: readonly string[]) => tx`(
  select jsonb_build_object('failure', failure, 'failureDetail', failure_detail, 'analysis', analysis) as look
  from (
    select failure, failure_detail, analysis from site_visits as earlier
    where earlier.prospect_id = free.prospect_id and earlier.campaign_id <> ${campaignId} and earlier.status = 'done'
    order by failure is null or array[failure, concat(failure, ': ', failure_detail)] && ${[...lastingFailures]}::text[] desc,
      finished_at desc limit 1
  ) as newest) as last`

/** How a campaign's searches and list showed the business of the row that this is joined to. */
export const seenBy = (tx: Tx, campaignId: string) => tx`(
  select count(*)::int as sightings, coalesce(bool_or(is_ad), false) as runs_ads from sightings
  where sightings.prospect_id = prospects.id and sightings.campaign_id = ${campaignId}) as seen`

export interface VisitOutcome {
  prospectId: string
  failure: string | null
  failureDetail: string | null
  analysis: JSONValue | null
  score: number
  reasons: JSONValue
  /** Of the rules that the score is by. */
  rulesVersion: number
  change: 'new' | 'changed' | 'same'
  changed: string[]
}

/** Records what a visit brought; false when another attempt has taken the visit over, whose outcome then counts. */
export async function recordVisit(tx: Tx, by: VisitClaim, outcome: VisitOutcome, now: Date): Promise<boolean> {
  const [row] = await tx`
    update site_visits
    set status = 'done', failure = ${outcome.failure}, failure_detail = ${outcome.failureDetail},
      analysis = ${outcome.analysis === null ? null : tx.json(outcome.analysis)},
      score = ${outcome.score}, reasons = ${tx.json(outcome.reasons)}, rules_version = ${outcome.rulesVersion},
      change = ${outcome.change}, changed = ${outcome.changed},
      finished_at = ${now}
    where campaign_id = ${by.campaignId} and prospect_id = ${outcome.prospectId}
      and status = 'reading' and claim = ${by.claim} and claim_attempt = ${by.attempt}
    returning 1`
  return row !== undefined
}

/** Gives back what was claimed and not read, as on a shutdown. */
export async function releaseVisits(tx: Tx, by: VisitClaim): Promise<void> {
  await tx`
    update site_visits set status = 'pending', claim = null, claim_attempt = null, claimed_at = null
    where campaign_id = ${by.campaignId} and status = 'reading' and claim = ${by.claim} and claim_attempt = ${by.attempt}`
}

/** How many visits of a campaign there are, and how many are over. */
export async function visitProgress(tx: Tx, campaignId: string): Promise<{ done: number; total: number }> {
  const [row] = await tx<{ done: number; total: number }[]>`
    select count(*) filter (where status = 'done')::int as done, count(*)::int as total
    from site_visits where campaign_id = ${campaignId}`
  return row ?? { done: 0, total: 0 }
}
