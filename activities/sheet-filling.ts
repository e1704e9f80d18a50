import { campaignIsRunning } from '../db/campaigns.ts'
import type { Tx } from '../db/client.ts'
import {
  claimChunk,
  recordRowsWritten,
  type SheetChunk,
  sheetProgress,
  sheetProspects,
  unclearChunks,
} from '../db/sheet-exports.ts'
import { isUnconfirmed, ProviderError, type SheetExport } from './ports.ts'
import { reportProgress } from './progress.ts'
import { sheetRow } from './sheet-layout.ts'

/** What the steps of an export share. */
export interface SheetWork {
  sheets: SheetExport
  as: <T>(step: (tx: Tx) => Promise<T>) => Promise<T>
  now: () => Date
  signal: AbortSignal
  campaignId: string
  minScore: number
  /** How many rows one call appends. */
  chunkRows: number
}

/** A connection that loses so many answers is given time to recover. */
const lostAnswersInARow = 5

/**
 * Appends every row that the sheet does not have, the best first, until none is left or the campaign stops running. Rows are claimed in
 * Postgres before they are appended and recorded after; of claims that nobody has recorded, the sheet tells which are there.
 */
export async function fillSheet(
  { sheets, as, now, signal, campaignId, minScore, chunkRows }: SheetWork,
  exportId: string,
  spreadsheetId: string,
  onWritten: (rows: number) => void,
): Promise<void> {
  for (let lostAnswers = 0; lostAnswers < lostAnswersInARow; ) {
    if (!(await as((tx) => campaignIsRunning(tx, campaignId)))) return
    const chunk = (await unclearChunk()) ?? (await newChunk())
    if (!chunk) return
    lostAnswers = (await append(chunk)) ? 0 : lostAnswers + 1
  }
  throw new ProviderError('google', 'retry', 'answers_lost')

  function newChunk(): Promise<SheetChunk | null> {
    return as((tx) => claimChunk(tx, { exportId, campaignId, minScore, limit: chunkRows }, now()))
  }

  /** Asks the sheet which of the claimed rows it has; returns a chunk with those that it lacks. */
  async function unclearChunk(): Promise<SheetChunk | undefined> {
    const unclear = await as((tx) => unclearChunks(tx, exportId))
    if (unclear.length === 0) return undefined
    const keys = await sheets.readKeys(spreadsheetId, signal)
    await record(unclear.flatMap(({ prospectIds }) => prospectIds.filter((id) => keys.has(id))))
    return unclear
      .map(({ number, prospectIds }) => ({ number, prospectIds: prospectIds.filter((id) => !keys.has(id)) }))
      .find(({ prospectIds }) => prospectIds.length > 0)
  }

  /** False when the answer was lost: the rows stay claimed. */
  async function append({ number, prospectIds }: SheetChunk): Promise<boolean> {
    const prospects = await as((tx) => sheetProspects(tx, campaignId, prospectIds))
    try {
      await sheets.appendRows(spreadsheetId, { number, rows: prospects.map(sheetRow) }, signal)
    } catch (error) {
      if (isUnconfirmed(error)) return false
      throw error
    }
    await record(prospectIds)
    return true
  }

  async function record(prospectIds: readonly string[]): Promise<void> {
    if (prospectIds.length === 0) return
    await as(async (tx) => {
      await recordRowsWritten(tx, exportId, prospectIds, now())
      const count = () => sheetProgress(tx, { exportId, campaignId, minScore })
      await reportProgress(tx, campaignId, 'prospect.exported', { name: 'export', count }, now())
    })
    onWritten(prospectIds.length)
  }
}
