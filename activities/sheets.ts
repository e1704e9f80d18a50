import { campaignCounts, campaignIsRunning } from '../db/campaigns.ts'
import type { Database, Tx } from '../db/client.ts'
import {
  openSheetExport,
  recordSheetDone,
  recordSheetProblem,
  recordSheetReady,
  sheetWish,
} from '../db/sheet-exports.ts'
import type { CampaignRef } from './campaigns.ts'
import { type Clock, decisionTime } from './clock.ts'
import { notFound } from './failures.ts'
import { whileHeartbeating } from './heartbeat.ts'
import { isRejected, type SheetExport } from './ports.ts'
import type { BatchResult } from './searches.ts'
import { readySpreadsheet } from './sheet-creation.ts'
import { fillSheet, type SheetWork } from './sheet-filling.ts'
import { shareSheet } from './sheet-sharing.ts'

export type SheetActivities = ReturnType<typeof createSheetActivities>

export function createSheetActivities({
  database,
  sheets,
  clock,
  chunkRows,
}: {
  database: Database
  sheets: SheetExport
  clock: Clock
  chunkRows: number
}) {
  return {
    /**
     * Puts every prospect of the campaign into its spreadsheet, once, and then shares it. What somebody has to mend is remembered, and
     * thrown as `rejected`.
     */
    async exportToSheet({ organisationId, campaignId, now: workflowNow }: CampaignRef & { now: number }) {
      const as = <T>(step: (tx: Tx) => Promise<T>) => database.as(organisationId, step)
      const now = () => decisionTime(clock, workflowNow)
      const wish = await as((tx) => sheetWish(tx, campaignId))
      if (!wish) throw notFound('campaign')
      let written = 0

      return whileHeartbeating(
        () => ({ written }),
        async (signal) => {
          if (!(await isRunning())) return result(false)
          const current = await as((tx) => openSheetExport(tx, campaignId, now()))
          const work: SheetWork = { sheets, as, now, signal, campaignId, minScore: wish.minScore, chunkRows }
          try {
            const { exportId, spreadsheet } = await readySpreadsheet(work, wish.title, current)
            await as((tx) => recordSheetReady(tx, campaignId))
            await fillSheet(work, exportId, spreadsheet.id, (rows) => (written += rows))
            if (!(await isRunning())) return await result(false)
            // Last, since the provider writes to everybody who is let in.
            await shareSheet(work, spreadsheet.id, wish.people)
            await as((tx) => recordSheetDone(tx, exportId, now()))
            return await result(true)
          } catch (error) {
            if (isRejected(error)) {
              await as((tx) => recordSheetProblem(tx, campaignId, error.code))
            }
            throw error
          }
        },
      )

      function isRunning(): Promise<boolean> {
        return as((tx) => campaignIsRunning(tx, campaignId))
      }

      // Without the link, which lies in the database: histories carry ids and decisions.
      function result(finished: boolean): Promise<BatchResult> {
        return as(async (tx) => ({ finished, counts: await campaignCounts(tx, campaignId) }))
      }
    },
  }
}
