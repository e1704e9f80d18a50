import type { Tx } from './client.ts'
import { type CampaignProspect, prospectColumns } from './prospects.ts'

/** What a campaign's definition says about its spreadsheet. */
export interface SheetWish {
  title: string
  minScore: number
  people: { emailAddress: string; role: 'reader' | 'commenter' | 'writer' }[]
}

export async function sheetWish(tx: Tx, campaignId: string): Promise<SheetWish | null> {
  const [row] = await tx<SheetWish[]>`
    select name as title, coalesce((export ->> 'minScore')::int, 0) as min_score,
      coalesce(export #> '{sheet,people}', '[]') as people
    from campaigns where id = ${campaignId}`
  return row ?? null
}

export interface SheetExportRow {
  id: string
  status: 'filling' | 'done' | 'lost'
  spreadsheet: { id: string; url: string } | null
  /** A problem code: what the last attempt met, of whichever campaign of the series. */
  problem: string | null
}

/**
 * The export that is not lost, made where there is none. All runs of a saved search share one: each adds the prospects that it does not
 * have yet.
 */
export async function openSheetExport(tx: Tx, campaignId: string, now: Date): Promise<SheetExportRow> {
  await tx`
    insert into sheet_exports (campaign_id, created_at) values (${seriesOf(tx, campaignId)}, ${now})
    on conflict (campaign_id) where status <> 'lost' do update set status = 'filling', finished_at = null`
  const found = await findSheetExport(tx, campaignId)
  if (!found) throw new Error('the export was just opened')
  return found
}

export async function findSheetExport(tx: Tx, campaignId: string): Promise<SheetExportRow | null> {
  const [row] = await tx<SheetExportRow[]>`
    select id, status, problem,
      case when spreadsheet_id is not null then jsonb_build_object('id', spreadsheet_id, 'url', url) end as spreadsheet
    from sheet_exports where campaign_id = ${seriesOf(tx, campaignId)} and status <> 'lost'`
  return row ?? null
}

/** Claims the call that creates the spreadsheet; false while a call since `unclearSince` may still turn out to have created it. */
export async function claimCreation(tx: Tx, exportId: string, now: Date, unclearSince: Date): Promise<boolean> {
  const [row] = await tx`
    update sheet_exports set asked_at = ${now}
    where id = ${exportId} and spreadsheet_id is null and (asked_at is null or asked_at <= ${unclearSince})
    returning 1`
  return row !== undefined
}

/** The provider surely created nothing: the next attempt need not wait. */
export async function recordCreationRefused(tx: Tx, exportId: string): Promise<void> {
  await tx`update sheet_exports set asked_at = null where id = ${exportId} and spreadsheet_id is null`
}

/** Keeps the export's spreadsheet and returns it: the first one to be recorded stays. */
export async function recordSpreadsheet(
  tx: Tx,
  exportId: string,
  spreadsheet: { id: string; url: string },
): Promise<{ id: string; url: string }> {
  const [row] = await tx<{ id: string; url: string }[]>`
    update sheet_exports
    set spreadsheet_id = coalesce(spreadsheet_id, ${spreadsheet.id}), url = coalesce(url, ${spreadsheet.url})
    where id = ${exportId} returning spreadsheet_id as id, url`
  return row ?? spreadsheet
}

/** What a person has to mend, or null once it is mended. */
export async function recordSheetProblem(tx: Tx, campaignId: string, problem: string | null): Promise<void> {
  await tx`
    update sheet_exports set problem = ${problem} where campaign_id = ${seriesOf(tx, campaignId)} and status <> 'lost'`
}

/** The spreadsheet is there and can be written to, whatever the campaign was parked for. */
export async function recordSheetReady(tx: Tx, campaignId: string): Promise<void> {
  await tx`update campaigns set parked_for = null where id = ${campaignId} and parked_for is not null`
  await recordSheetProblem(tx, campaignId, null)
}

/**
 * Gives up a spreadsheet that is gone and begins another with all rows. Null, and nothing is given up, unless this very campaign was parked
 * for that and goes on, which counts once: another one, or another attempt, may be the first to find it gone.
 */
export async function replaceSheetExport(
  tx: Tx,
  gone: { exportId: string; campaignId: string; problem: string },
  now: Date,
): Promise<SheetExportRow | null> {
  const { exportId, campaignId, problem } = gone
  const [parked] = await tx`
    update campaigns set parked_for = null where id = ${campaignId} and parked_for = ${problem} returning 1`
  if (!parked) return null
  await tx`update sheet_exports set status = 'lost' where id = ${exportId}`
  return openSheetExport(tx, campaignId, now)
}

export async function recordSheetDone(tx: Tx, exportId: string, now: Date): Promise<void> {
  await tx`update sheet_exports set status = 'done', problem = null, finished_at = ${now} where id = ${exportId}`
}

export interface SheetChunk {
  number: number
  prospectIds: string[]
}

/**
 * Claims the next rows that no chunk has as a chunk of their own; null when none is left. First the campaign's prospects, the best before
 * the others, then whatever else a lost spreadsheet of the series held. Claims nothing unless the campaign is running, so that pause and
 * cancel stop the very next chunk.
 */
export async function claimChunk(
  tx: Tx,
  wanted: { exportId: string; campaignId: string; minScore: number; limit: number },
  now: Date,
): Promise<SheetChunk | null> {
  // One after the other: two attempts at once would take the same rows and the same number.
  await tx`select from sheet_exports where id = ${wanted.exportId} for update`
  const rows = await tx<{ chunk: number; prospectId: string }[]>`
    insert into sheet_rows (export_id, prospect_id, chunk, claimed_at)
    select ${wanted.exportId}, line.prospect_id,
      1 + coalesce((select max(chunk) from sheet_rows where export_id = ${wanted.exportId}), 0), ${now}
    from (
      select prospect_id, score from site_visits
      where campaign_id = ${wanted.campaignId} and status = 'done' and coalesce(score, 0) >= ${wanted.minScore}
      union all
      select held.prospect_id, null from sheet_rows as held join sheet_exports as lost on lost.id = held.export_id
      where lost.campaign_id = ${seriesOf(tx, wanted.campaignId)} and lost.status = 'lost'
    ) as line
    where exists (select from campaigns where id = ${wanted.campaignId} and status = 'running')
      and not exists (
        select from sheet_rows where export_id = ${wanted.exportId} and prospect_id = line.prospect_id)
    group by line.prospect_id
    order by max(line.score) desc nulls last, line.prospect_id limit ${wanted.limit}
    returning chunk, prospect_id`
  const [first] = rows
  return first ? { number: first.chunk, prospectIds: rows.map(({ prospectId }) => prospectId) } : null
}

/** The chunks with rows of which nobody knows whether they are in the spreadsheet. */
export function unclearChunks(tx: Tx, exportId: string): Promise<SheetChunk[]> {
  return tx<SheetChunk[]>`
    select chunk as number, array_agg(prospect_id order by prospect_id) as prospect_ids from sheet_rows
    where export_id = ${exportId} and status = 'claimed'
    group by chunk order by chunk`
}

/** The rows are in the spreadsheet. Recording them again changes nothing. */
export async function recordRowsWritten(tx: Tx, exportId: string, prospectIds: readonly string[], now: Date) {
  await tx`
    update sheet_rows set status = 'written', written_at = ${now}
    where export_id = ${exportId} and prospect_id = any(${[...prospectIds]}::uuid[]) and status = 'claimed'`
}

/** How many of the campaign's rows are in the spreadsheet, whichever run has put them there. */
export async function sheetProgress(
  tx: Tx,
  wanted: { exportId: string; campaignId: string; minScore: number },
): Promise<{ done: number; total: number }> {
  const [row] = await tx<{ done: number; total: number }[]>`
    select count(*) filter (where line.status = 'written')::int as done, count(*)::int as total
    from site_visits as visit
      left join sheet_rows as line on line.export_id = ${wanted.exportId} and line.prospect_id = visit.prospect_id
    where visit.campaign_id = ${wanted.campaignId} and visit.status = 'done' and coalesce(visit.score, 0) >= ${wanted.minScore}`
  return row ?? { done: 0, total: 0 }
}

/** How many of the campaign's prospects are in the spreadsheet by now, whichever run has put them there. */
export async function sheetRowCount(tx: Tx, campaignId: string): Promise<number> {
  const sheet = await findSheetExport(tx, campaignId)
  return sheet ? (await sheetProgress(tx, { exportId: sheet.id, campaignId, minScore: 0 })).done : 0
}

/**
 * What the rows of a chunk say, the best prospect first: by the newest look, since a chunk that a run of the series has claimed and left
 * is written by the next one, which may not have found them.
 */
export function sheetProspects(
  tx: Tx,
  campaignId: string,
  prospectIds: readonly string[],
): Promise<CampaignProspect[]> {
  return tx<CampaignProspect[]>`
    select ${prospectColumns(tx)}
    from site_visits as visit join prospects as prospect on prospect.id = visit.prospect_id
    where visit.prospect_id = any(${[...prospectIds]}::uuid[]) and visit.campaign_id = (
      select look.campaign_id from site_visits as look join campaigns as run on run.id = look.campaign_id
      where look.prospect_id = visit.prospect_id and look.status = 'done'
        and coalesce(run.saved_search_id, run.id) = ${seriesOf(tx, campaignId)}
      order by look.finished_at desc nulls last limit 1)
    order by visit.score desc nulls last, visit.prospect_id`
}

/** The campaign that the runs of a saved search share a spreadsheet by: the saved one. */
const seriesOf = (tx: Tx, campaignId: string) => tx`
  (select coalesce(saved_search_id, id) from campaigns where id = ${campaignId})`
