import type { CampaignDefinition } from '../workflows/contracts/prospect-campaign.schema.ts'
import { type CampaignCounts, type CampaignState, isFinished } from '../workflows/contracts/prospect-campaign.ts'
import type { Tx } from './client.ts'

export interface Campaign extends Pick<CampaignState, 'status' | 'stage' | 'waitingFor' | 'problem'> {
  id: string
  name: string
  export: CampaignDefinition['export']
  /** The searches it may pay for in all; null: only the organisation's allowance bounds it. */
  budgetSearches: number | null
  /** What it waits to be approved of before it exports. */
  approval: 'sample' | null
  /** Which of its prospects enter a sequence at its end. */
  enrol: NonNullable<CampaignDefinition['enrol']> | null
  actor: string
  /** The campaign that a schedule runs again, and the time at which this run was due; null for one that a person has begun. */
  savedSearchId: string | null
  dueAt: Date | null
  /** What gone prospects are told by: the newest campaign of the series that was completed when this one began. */
  previousId: string | null
  createdAt: Date
  startedAt: Date | null
  finishedAt: Date | null
}

export interface CampaignToInsert {
  name: string
  definition: CampaignDefinition
  budgetSearches?: number | null
  approval?: 'sample' | null
  actor: string
  now: Date
}

/** Stores a campaign as `queued` and returns its id. */
export async function insertCampaign(tx: Tx, campaign: CampaignToInsert): Promise<string> {
  const { export: wanted, ...definition } = campaign.definition
  const [row] = await tx<{ id: string }[]>`
    insert into campaigns (name, definition, country, export, budget_searches, approval, actor, created_at)
    values (${campaign.name}, ${tx.json(definition)}, ${definition.country}, ${tx.json({ ...wanted })},
      ${campaign.budgetSearches ?? null}, ${campaign.approval ?? null}, ${campaign.actor}, ${campaign.now})
    returning id`
  if (!row) throw new Error('insert returned no row')
  return row.id
}

export async function findCampaign(tx: Tx, id: string): Promise<Campaign | null> {
  const [row] = await tx<Campaign[]>`select ${columns(tx)} from campaigns where id = ${id}`
  return row ?? null
}

/** Newest first, from below the id `before`; with `savedSearchId` only the runs of that saved campaign. */
export function listCampaigns(
  tx: Tx,
  page: { limit: number; before: string | null; savedSearchId?: string | undefined },
): Promise<Campaign[]> {
  return tx<Campaign[]>`
    select ${columns(tx)} from campaigns
    where ${page.before === null ? tx`true` : tx`id < ${page.before}`}
      and ${page.savedSearchId === undefined ? tx`true` : tx`saved_search_id = ${page.savedSearchId}`}
    order by id desc limit ${page.limit}`
}

export async function campaignDefinition(tx: Tx, id: string): Promise<CampaignDefinition | null> {
  const [row] = await tx<{ definition: CampaignDefinition }[]>`
    select definition || jsonb_build_object('export', export) as definition from campaigns where id = ${id}`
  return row?.definition ?? null
}

/** How many searches the campaign asks for. */
export async function searchCount(tx: Tx, id: string): Promise<number> {
  const [row] = await tx<{ searches: number }[]>`
    select jsonb_array_length(definition -> 'searches') as searches from campaigns where id = ${id}`
  return row?.searches ?? 0
}

/** Where the campaign looks for businesses, ISO 3166-1 alpha-2; null when there is no such campaign. */
export async function campaignCountry(tx: Tx, id: string): Promise<string | null> {
  const [row] = await tx<{ country: string }[]>`select country from campaigns where id = ${id}`
  return row?.country ?? null
}

/** True while new work may begin: read at the act, so that a pause stops the very next site. */
export async function campaignIsRunning(tx: Tx, id: string): Promise<boolean> {
  const [row] = await tx`select 1 from campaigns where id = ${id} and status = 'running'`
  return row !== undefined
}

/** True once nothing changes any more. */
export async function campaignIsFinished(tx: Tx, id: string): Promise<boolean> {
  const [row] = await tx`select 1 from campaigns where id = ${id} and status in ('completed', 'cancelled', 'failed')`
  return row !== undefined
}

/** Writes the workflow's state unless a later one is there already. Tells whether it did, and the revision that the row then has. */
export async function recordCampaignState(
  tx: Tx,
  id: string,
  state: CampaignState,
  now: Date,
): Promise<{ recorded: boolean; revision: number }> {
  const [row] = await tx`
    update campaigns set status = ${state.status}, stage = ${state.stage}, waiting_for = ${state.waitingFor},
      problem = ${state.problem}, parked_for = ${state.status === 'waiting' ? state.problem : tx`parked_for`},
      budget_searches = coalesce(${state.budget ?? null}, budget_searches), revision = ${state.revision},
      started_at = coalesce(started_at, ${now}), finished_at = ${isFinished(state) ? now : null}
    where id = ${id} and revision < ${state.revision}
    returning revision`
  if (row) return { recorded: true, revision: state.revision }
  const [there] = await tx<{ revision: number }[]>`select revision from campaigns where id = ${id}`
  return { recorded: false, revision: there?.revision ?? state.revision }
}

/**
 * Replaces the people whom the campaign's spreadsheet is shared with, for a run also those of its saved search, which later runs take over.
 * False when it has no spreadsheet.
 */
export async function replaceSheetPeople(tx: Tx, id: string, people: SheetPeople): Promise<boolean> {
  const [row] = await tx`
    update campaigns set export = jsonb_set(export, '{sheet,people}', ${tx.json([...people])})
    where (id = ${id} or id = (select saved_search_id from campaigns where id = ${id})) and export ? 'sheet' returning 1`
  return row !== undefined
}

type SheetPeople = NonNullable<CampaignDefinition['export']['sheet']>['people']

/** Closes a campaign whose workflow is no more, so that nobody waits for it. False when the row has ended by itself. */
export async function recordLostCampaign(tx: Tx, id: string, now: Date): Promise<boolean> {
  const [row] = await tx`
    update campaigns set status = 'failed', waiting_for = null, problem = 'workflow_gone', revision = revision + 1,
      finished_at = ${now}
    where id = ${id} and status in ('queued', 'running', 'paused', 'waiting') returning 1`
  return row !== undefined
}

/** Counted from the facts each time; nothing keeps a total that could drift. */
export async function campaignCounts(tx: Tx, id: string): Promise<CampaignCounts> {
  const [row] = await tx<CampaignCounts[]>`
    select
      (select count(*)::int from sightings where campaign_id = ${id}) as sightings,
      (select coalesce(sum(units), 0)::int from spend where campaign_id = ${id}) as searches_paid,
      pages.*, visits.*
    from
      (select coalesce(sum(dropped_directories), 0)::int as dropped_directories,
              coalesce(sum(dropped_exclusions), 0)::int as dropped_exclusions,
              coalesce(sum(dropped_unusable), 0)::int as dropped_unusable,
              count(*) filter (where status = 'failed')::int as searches_failed
       from searches where campaign_id = ${id}) as pages,
      (select count(*)::int as prospects,
              count(*) filter (where status = 'done')::int as done,
              count(*) filter (where analysis is not null)::int as sites_read,
              count(*) filter (where failure is not null)::int as sites_failed,
              count(*) filter (where url is null)::int as without_site
       from site_visits where campaign_id = ${id}) as visits`
  if (!row) throw new Error('an aggregate returned no row')
  return row
}

const columns = (tx: Tx) => tx`
  id, name, export, budget_searches, approval, definition -> 'enrol' as enrol, status, stage, waiting_for, problem, actor, saved_search_id, due_at, previous_id,
  created_at, started_at, finished_at`
