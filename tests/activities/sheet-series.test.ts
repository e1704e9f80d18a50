import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { afterAll, expect, test } from 'vitest'
import type { BatchResult } from '../../activities/searches.ts'
import { createSheetActivities } from '../../activities/sheets.ts'
import { recordCampaignState } from '../../db/campaigns.ts'
import { insertSavedSearchRun } from '../../db/saved-searches.ts'
import { findSheetExport, sheetRowCount } from '../../db/sheet-exports.ts'
import { latestStoryEvents } from '../../db/story-events.ts'
import { type CampaignStatus, queuedCampaign } from '../../workflows/contracts/prospect-campaign.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { googleSheets, valuesOf } from '../support/google.ts'
import { testOrganisation } from '../support/organisation.ts'
import { startTestSandbox } from '../support/sandbox.ts'

const { database, organisationId } = await testOrganisation()
const sandbox = await startTestSandbox()
afterAll(() => sandbox.close())
const as = <T>(work: Parameters<typeof database.as<T>>[1]) => database.as(organisationId, work)

const isExported = { export: { formats: ['csv' as const], minScore: 0, sheet: { people: [] } } }

/** A saved campaign that is running and has found the businesses from 0 on. */
async function savedCampaign(businesses: number): Promise<string> {
  const id = await campaignRow(database, organisationId, { status: 'running' }, isExported)
  await finds(id, id, 0, businesses)
  return id
}

/** A run of it that is under way and has found these businesses. */
async function runOf(savedSearchId: string, dueAt: string, from: number, to: number): Promise<string> {
  const run = { savedSearchId, begunBy: dueAt, dueAt: new Date(dueAt), now: new Date(dueAt) }
  const id = (await as((tx) => insertSavedSearchRun(tx, run))) ?? ''
  await as((tx) => tx`update campaigns set status = 'running' where id = ${id}`)
  await finds(savedSearchId, id, from, to)
  return id
}

function finds(savedSearchId: string, id: string, from: number, to: number) {
  return as(async (tx) => {
    const names = Array.from({ length: to - from }, (_, index) => `${savedSearchId}/${from + index}`)
    await tx`
      insert into prospects (name) select wanted from unnest(${names}::text[]) as wanted
      where not exists (select from prospects where name = wanted)`
    await tx`
      insert into site_visits (campaign_id, prospect_id, status, score, reasons, finished_at)
      select ${id}, prospects.id, 'done', 50, '[]', now() from prospects where name = any(${names})`
  })
}

function exportOf(campaignId: string, settings: Parameters<typeof googleSheets>[1] = {}): Promise<BatchResult> {
  const sheets = googleSheets(sandbox, settings)
  const { exportToSheet } = createSheetActivities({ database, sheets, clock: () => new Date(), chunkRows: 200 })
  const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') })
  return environment.run(exportToSheet, { organisationId, campaignId, now: 0 })
}

/** The businesses in the spreadsheet, by number. */
async function businessesIn(campaignId: string): Promise<number[]> {
  const row = await as((tx) => findSheetExport(tx, campaignId))
  const names = (await valuesOf(sandbox, row?.spreadsheet?.id ?? '', 'C2:C')).flat().map(String)
  return names.map((name) => Number(name.split('/')[1])).toSorted((a, b) => a - b)
}

const upTo = (count: number) => Array.from({ length: count }, (_, number) => number)

test('a later run adds what the spreadsheet of the series lacks, and counts all that it has found', async () => {
  const saved = await savedCampaign(250)
  await exportOf(saved)
  const run = await runOf(saved, '2026-01-05T06:00:00Z', 100, 300)
  await exportOf(run)
  expect(await businessesIn(run)).toEqual(upTo(300))
  expect(await as((tx) => findSheetExport(tx, run))).toEqual(await as((tx) => findSheetExport(tx, saved)))
  expect(await as((tx) => latestStoryEvents(tx, run, 'prospect.exported', 1))).toMatchObject([
    { data: { done: 200, total: 200 } },
  ])
})

test('a run counts those of its own prospects that are in the spreadsheet of the series, whoever has put them there', async () => {
  const saved = await savedCampaign(5)
  await exportOf(saved)
  const run = await runOf(saved, '2026-01-05T06:00:00Z', 3, 9)
  const rowCount = (id: string) => as((tx) => sheetRowCount(tx, id))
  expect([await rowCount(saved), await rowCount(run)]).toEqual([5, 2])
  await exportOf(run)
  expect([await rowCount(saved), await rowCount(run)]).toEqual([5, 6])
  expect(await rowCount(await campaignRow(database, organisationId))).toBe(0)
})

test('two runs of a series at once add no row twice', async () => {
  const saved = await savedCampaign(1)
  await exportOf(saved)
  const [one, other] = [
    await runOf(saved, '2026-01-05T06:00:00Z', 0, 700),
    await runOf(saved, '2026-01-12T06:00:00Z', 300, 900),
  ]
  await Promise.all([exportOf(one), exportOf(other)])
  expect(await businessesIn(saved)).toEqual(upTo(900))
})

test('what a run left unclear when it ended is written by the next, which has not found it', async () => {
  const saved = await savedCampaign(150)
  let changes = 0
  const lost = async (url: string, init?: RequestInit): Promise<Response> => {
    if (!url.endsWith(':batchUpdate') || ++changes === 1) return fetch(url, init)
    await as((tx) => tx`update campaigns set status = 'cancelled' where id = ${saved}`)
    throw new Error('lost before it arrived')
  }
  await exportOf(saved, { fetch: lost })
  expect(await businessesIn(saved)).toEqual([])
  const run = await runOf(saved, '2026-01-05T06:00:00Z', 100, 200)
  expect(await exportOf(run)).toMatchObject({ finished: true })
  expect(await businessesIn(run)).toEqual(upTo(200))
})

test('a run gives up the spreadsheet of the series only once it was parked for it itself, and the new one has all rows', async () => {
  const saved = await savedCampaign(150)
  await exportOf(saved)
  const lost = await as((tx) => findSheetExport(tx, saved))
  await sandbox.control('POST', '/_sandbox/events', {
    provider: 'google',
    type: 'spreadsheet.deleted',
    spreadsheetId: lost?.spreadsheet?.id,
  })
  const isGone = { outcome: 'rejected', code: 'spreadsheet_not_found' }
  const one = await runOf(saved, '2026-01-05T06:00:00Z', 100, 250)
  await expect(exportOf(one)).rejects.toMatchObject(isGone)
  await park(one, 'google:spreadsheet_not_found', 'cancelled')

  const other = await runOf(saved, '2026-01-12T06:00:00Z', 200, 300)
  await expect(exportOf(other)).rejects.toMatchObject(isGone)
  expect(await as((tx) => findSheetExport(tx, other))).toMatchObject({ id: lost?.id })
  await park(other, 'google:spreadsheet_not_found', 'running')
  expect(await exportOf(other)).toMatchObject({ finished: true })
  expect(await as((tx) => findSheetExport(tx, other))).not.toMatchObject({ id: lost?.id })
  // What the cancelled run had found never was in it.
  expect(await businessesIn(other)).toEqual([...upTo(150), ...upTo(300).slice(200)])
})

/** Parked for a problem, and then what somebody made of that. */
function park(id: string, problem: string, status: CampaignStatus) {
  return as(async (tx) => {
    const waiting = {
      ...queuedCampaign,
      status: 'waiting' as const,
      waitingFor: 'repair' as const,
      problem,
      revision: 5,
    }
    await recordCampaignState(tx, id, waiting, new Date())
    await recordCampaignState(tx, id, { ...queuedCampaign, status, revision: 6 }, new Date())
  })
}
