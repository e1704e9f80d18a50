import type { Tx } from './client.ts'
import type { refusals } from './cohorts.ts'

/** What a campaign enrols. */
export interface ProspectsToEnrol {
  campaignId: string
  minScore: number
}

/** A prospect about which nothing is decided yet. */
export interface UndecidedProspect {
  prospectId: string
  name: string | null
  website: string | null
  phone: string | null
  /** What its site shows, the first one first. */
  emails: string[]
  score: number
}

/** What became of a prospect: `no_email` where its site shows none, else as everybody else is refused. */
export type ProspectEnrolment = 'enrolled' | 'no_email' | (typeof refusals)[number]

/** The next ones, by their ids. Who asks has the sequence's lock, so that two attempts do not decide about the same ones. */
export function undecidedProspects(
  tx: Tx,
  { campaignId, minScore }: ProspectsToEnrol,
  limit: number,
): Promise<UndecidedProspect[]> {
  return tx<UndecidedProspect[]>`
    select visit.prospect_id, prospect.name, coalesce(visit.url, prospect.website) as website,
      coalesce(prospect.phone, visit.analysis -> 'phones' ->> 0) as phone,
      coalesce(visit.analysis -> 'emails', '[]') as emails, coalesce(visit.score, 0) as score
    from site_visits as visit join prospects as prospect on prospect.id = visit.prospect_id
    where visit.campaign_id = ${campaignId} and visit.enrolment is null and ${isWanted(tx, minScore)}
    order by visit.prospect_id limit ${limit}`
}

export async function recordProspectEnrolments(
  tx: Tx,
  campaignId: string,
  decided: readonly { prospectId: string; enrolment: ProspectEnrolment }[],
): Promise<void> {
  await tx`
    update site_visits as visit set enrolment = decided.enrolment
    from unnest(${decided.map(({ prospectId }) => prospectId)}::uuid[], ${decided.map(({ enrolment }) => enrolment)}::text[])
      as decided (prospect_id, enrolment)
    where visit.campaign_id = ${campaignId} and visit.prospect_id = decided.prospect_id`
}

/** How many of those that are to be enrolled are decided about. */
export async function enrolmentProgress(
  tx: Tx,
  { campaignId, minScore }: ProspectsToEnrol,
): Promise<{ done: number; total: number }> {
  const [row] = await tx<{ done: number; total: number }[]>`
    select count(enrolment)::int as done, count(*)::int as total from site_visits as visit
    where campaign_id = ${campaignId} and ${isWanted(tx, minScore)}`
  return row ?? { done: 0, total: 0 }
}

/** How many of the campaign's prospects were enrolled, and how many were not, by reason. */
export async function prospectEnrolmentCounts(
  tx: Tx,
  campaignId: string,
): Promise<{ enrolled: number; refused: Record<string, number> }> {
  const rows = await tx<{ enrolment: ProspectEnrolment; prospects: number }[]>`
    select enrolment, count(*)::int as prospects from site_visits
    where campaign_id = ${campaignId} and enrolment is not null group by enrolment order by prospects desc, enrolment`
  const { enrolled = 0, ...refused } = Object.fromEntries(
    rows.map(({ enrolment, prospects }) => [enrolment, prospects]),
  )
  return { enrolled, refused }
}

// As exports count it: what was not scored has no points.
const isWanted = (tx: Tx, minScore: number) => tx`visit.status = 'done' and coalesce(visit.score, 0) >= ${minScore}`
