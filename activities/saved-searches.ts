import type { Database } from '../db/client.ts'
import { insertSavedSearchRun } from '../db/saved-searches.ts'
import type { CampaignRef } from './campaigns.ts'
import { type Clock, decisionTime } from './clock.ts'
import { notFound } from './failures.ts'

export type SavedSearchActivities = ReturnType<typeof createSavedSearchActivities>

export function createSavedSearchActivities({ database, clock }: { database: Database; clock: Clock }) {
  return {
    /**
     * Stores the run of a saved campaign that this story begins, due at this time in ms since the epoch, and returns its id: the same however
     * often it is asked.
     */
    async beginRun(due: CampaignRef & { begunBy: string; dueAt: number; now: number }): Promise<string> {
      const now = decisionTime(clock, due.now)
      const run = { savedSearchId: due.campaignId, begunBy: due.begunBy, dueAt: new Date(due.dueAt), now }
      const id = await database.as(due.organisationId, (tx) => insertSavedSearchRun(tx, run))
      if (id === null) throw notFound('campaign')
      return id
    },
  }
}
