import { campaignCounts } from '../db/campaigns.ts'
import type { Database, Tx } from '../db/client.ts'
import { recordScores, scoringProgress, visitsScoredBefore } from '../db/scores.ts'
import { currentScoringRules } from '../db/scoring-rules.ts'
import { scoreProspect } from '../workflows/rules/scoring.ts'
import type { CampaignRef } from './campaigns.ts'
import { type Clock, decisionTime } from './clock.ts'
import { whileHeartbeating } from './heartbeat.ts'
import { reportProgress } from './progress.ts'
import type { BatchResult } from './searches.ts'

export type ScoreActivities = ReturnType<typeof createScoreActivities>

/** Few enough for a transaction of well under a second. */
const visitsPerPage = 500

export function createScoreActivities({ database, clock }: { database: Database; clock: Clock }) {
  return {
    /**
     * Brings every prospect of the campaign whose score is by earlier rules to those of now, from what is known of it: nothing is read or
     * bought. Whatever is scored by these rules or later ones already stays, so that it may be done twice, at once, or again after a kill.
     */
    async scoreProspects({ organisationId, campaignId, now }: CampaignRef & { now: number }): Promise<BatchResult> {
      const as = <T>(step: (tx: Tx) => Promise<T>) => database.as(organisationId, step)
      let scored = 0
      return whileHeartbeating(
        () => ({ scored }),
        async (signal) => {
          const { version, rules } = await as(async (tx) => {
            const current = await currentScoringRules(tx)
            await report(tx, current.version)
            return current
          })
          for (let after: string | null = null, full = true; full; ) {
            signal.throwIfAborted()
            const page = await as(async (tx) => {
              const visits = await visitsScoredBefore(tx, { campaignId, version, after, limit: visitsPerPage })
              const scores = visits.map((visit) => ({ prospectId: visit.prospectId, ...scoreProspect(visit, rules) }))
              await recordScores(tx, campaignId, { version, scores })
              await report(tx, version)
              return visits
            })
            scored += page.length
            after = page.at(-1)?.prospectId ?? null
            full = page.length === visitsPerPage
          }
          return { finished: true, counts: await as((tx) => campaignCounts(tx, campaignId)) }
        },
      )

      async function report(tx: Tx, version: number): Promise<void> {
        const stage = { name: 'score', count: () => scoringProgress(tx, campaignId, version) }
        await reportProgress(tx, campaignId, 'prospect.scored', stage, decisionTime(clock, now))
      }
    },
  }
}
