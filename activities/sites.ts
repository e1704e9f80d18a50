import { Context } from '@temporalio/activity'
import { campaignCountry, campaignCounts, campaignIsRunning } from '../db/campaigns.ts'
import type { Database, Tx } from '../db/client.ts'
import { currentScoringRules } from '../db/scoring-rules.ts'
import {
  type ClaimedVisit,
  claimVisit,
  recordVisit,
  releaseVisits,
  takeOverVisits,
  type VisitClaim,
  type VisitOutcome,
  visitProgress,
} from '../db/site-visits.ts'
import { compareVisits, lastingFailures } from '../workflows/rules/changes.ts'
import { scoreProspect } from '../workflows/rules/scoring.ts'
import { contactPages } from './analysis/further-pages.ts'
import { analyseSite, type SiteAnalysis } from './analysis/site.ts'
import type { CampaignRef } from './campaigns.ts'
import { type Clock, decisionTime } from './clock.ts'
import { notFound } from './failures.ts'
import { whileHeartbeating } from './heartbeat.ts'
import { SiteFailure, type SiteReader } from './ports.ts'
import { reportProgress } from './progress.ts'
import type { BatchResult } from './searches.ts'
import { storable } from './storable.ts'

export type SiteActivities = ReturnType<typeof createSiteActivities>

/** Counting all visits is cheap, not free: a batch reports at most this often, and at its end. */
const reportEveryMs = 500

export function createSiteActivities({
  database,
  sites,
  clock,
  concurrency,
  logUnexpected,
}: {
  database: Database
  sites: SiteReader
  clock: Clock
  /** How many sites one batch reads at a time. */
  concurrency: number
  logUnexpected: (error: unknown) => void
}) {
  return {
    /**
     * Reads and scores up to `limit` sites that wait for it. Each is claimed in Postgres before it is read and recorded after; an attempt
     * that follows a killed one takes over its claims and reads again only what was in flight.
     */
    async readSites(batch: CampaignRef & { limit: number; now: number }): Promise<BatchResult> {
      const { organisationId, campaignId } = batch
      const { info } = Context.current()
      const by: VisitClaim = {
        campaignId,
        claim: `${info.workflowExecution?.runId}/${info.activityId}`,
        attempt: info.attempt,
      }
      const { country, version, rules } = await database.as(organisationId, async (tx) => {
        await takeOverVisits(tx, by)
        return { country: await campaignCountry(tx, campaignId), ...(await currentScoringRules(tx)) }
      })
      if (country === null) throw notFound('campaign')
      let begun = 0
      let reportedAt = clock().getTime()

      return whileHeartbeating(
        () => ({ begun }),
        async (signal) => {
          const readers = Array.from({ length: concurrency }, async () => {
            let visit = await step(null)
            while (visit) {
              const brought = await visitSite(visit.url, country, signal)
              const scored = scoreProspect({ ...visit, ...brought }, rules)
              const compared = compareVisits(visit.before, brought)
              const { prospectId } = visit
              visit = await step({ prospectId, ...brought, ...scored, rulesVersion: version, ...compared })
            }
          })
          // All readers have ended before the batch does: none works on for an attempt that is over.
          const failed = (await Promise.allSettled(readers)).find((reader) => reader.status === 'rejected')
          if (failed) {
            await database.as(organisationId, (tx) => releaseVisits(tx, by))
            throw failed.reason
          }
          return database.as(organisationId, async (tx) => {
            await report(tx)
            const counts = await campaignCounts(tx, campaignId)
            const finished = await campaignIsRunning(tx, campaignId)
            return { finished, counts }
          })
        },
      )

      /** Records what a reader has brought and claims its next site, in one transaction; undefined when there is none. */
      async function step(outcome: VisitOutcome | null): Promise<ClaimedVisit | undefined> {
        const now = decisionTime(clock, batch.now)
        return database.as(organisationId, async (tx) => {
          // Another attempt has taken over what this one held: this one is over, though its process may not know.
          if (outcome && !(await recordVisit(tx, by, outcome, now))) return undefined
          const visit = begun < batch.limit ? await claimVisit(tx, by, lastingFailures, now) : undefined
          if (visit) begun += 1
          // Also when a reader ends: others may still wait long for a slow site.
          if (outcome && (!visit || now.getTime() - reportedAt > reportEveryMs)) {
            reportedAt = now.getTime()
            await report(tx)
          }
          return visit
        })
      }

      async function report(tx: Tx): Promise<void> {
        const stage = { name: 'analyse', count: () => visitProgress(tx, campaignId) }
        await reportProgress(tx, campaignId, 'prospect.analysed', stage, decisionTime(clock, batch.now))
      }
    },
  }

  /** What one site brought. Whatever is wrong with it is its own outcome and never the batch's; only an abort is thrown. */
  async function visitSite(url: string | null, country: string, signal: AbortSignal): Promise<SiteOutcome> {
    const nothing = { failure: null, failureDetail: null, analysis: null }
    if (url === null) return nothing
    try {
      return { ...nothing, analysis: storable(analyseSite(await sites.read(url, signal, contactPages), country)) }
    } catch (error) {
      if (signal.aborted) throw error
      if (!(error instanceof SiteFailure)) logUnexpected(error)
      const { code, detail } = error instanceof SiteFailure ? error : { code: 'not_understood', detail: undefined }
      return { ...nothing, failure: code, failureDetail: detail ?? null }
    }
  }
}

interface SiteOutcome {
  failure: string | null
  failureDetail: string | null
  analysis: SiteAnalysis | null
}
