import {
  claimCreation,
  recordCreationRefused,
  recordSpreadsheet,
  replaceSheetExport,
  type SheetExportRow,
} from '../db/sheet-exports.ts'
import { problemOf } from './failures.ts'
import { ProviderError, type Spreadsheet } from './ports.ts'
import type { SheetWork } from './sheet-filling.ts'
import { sheetColumns } from './sheet-layout.ts'

/** Google's search may show a new file late: a creation that got no answer is not repeated before. */
const creationUnclearMs = 15_000
const lookAgainAfterMs = 3_000

/**
 * The export's spreadsheet, with its header, made where there is none. One that was missing when the campaign was parked, and still is now
 * that it goes on, is given up: another export begins.
 */
export async function readySpreadsheet(
  work: SheetWork,
  title: string,
  current: SheetExportRow,
): Promise<{ exportId: string; spreadsheet: Spreadsheet }> {
  try {
    const spreadsheet = current.spreadsheet ?? (await obtainSpreadsheet(work, title, current.id))
    await work.sheets.prepare(spreadsheet.id, sheetColumns, work.signal)
    return { exportId: current.id, spreadsheet }
  } catch (error) {
    if (!(error instanceof ProviderError) || error.code !== 'spreadsheet_not_found') throw error
    const gone = { exportId: current.id, campaignId: work.campaignId, problem: problemOf(error) }
    const next = await work.as((tx) => replaceSheetExport(tx, gone, work.now()))
    if (next === null) throw error
    return readySpreadsheet(work, title, next)
  }
}

/** Looks for the spreadsheet before it creates one: an attempt before this one may not have heard that it did. */
async function obtainSpreadsheet(work: SheetWork, title: string, exportId: string): Promise<Spreadsheet> {
  const { sheets, as, now, signal } = work
  const spreadsheet = (await sheets.findSpreadsheet(exportId, signal)) ?? (await create())
  return as((tx) => recordSpreadsheet(tx, exportId, spreadsheet))

  async function create(): Promise<Spreadsheet> {
    const at = now()
    const unclearSince = new Date(at.getTime() - creationUnclearMs)
    if (!(await as((tx) => claimCreation(tx, exportId, at, unclearSince)))) throw creationUnclear()
    try {
      return await sheets.createSpreadsheet({ title, marker: exportId }, signal)
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error
      if (error.outcome === 'unconfirmed') throw creationUnclear()
      await as((tx) => recordCreationRefused(tx, exportId))
      throw error
    }
  }
}

function creationUnclear(): ProviderError {
  return new ProviderError('google', 'retryAfter', 'creation_unclear', lookAgainAfterMs)
}
