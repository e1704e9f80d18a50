import { campaignFailures, campaignSeconds } from '../db/campaign-reports.ts'
import { campaignCounts, findCampaign, recordCampaignState, searchCount } from '../db/campaigns.ts'
import type { Database } from '../db/client.ts'
import { spendCeiling } from '../db/spend.ts'
import { appendStoryEvents } from '../db/story-events.ts'
import type {
  CampaignCounts,
  CampaignEvent,
  CampaignState,
  OperatorReport,
  SpendCeiling,
} from '../workflows/contracts/prospect-campaign.ts'
import { type Clock, decisionTime } from './clock.ts'
import { notFound } from './failures.ts'

export interface CampaignRef {
  organisationId: string
  campaignId: string
}

export interface CampaignPlan {
  searches: number
  wantsSheet: boolean
  wantsApproval: boolean
  wantsEnrolment: boolean
  counts: CampaignCounts
}

export interface CampaignChange {
  state: CampaignState
  event: CampaignEvent
  /** Who asked for it: `key:{id}`, `operator` (Temporal Web UI) or `system`. */
  actor: string
}

export interface RecordedChange {
  revision: number
  report: OperatorReport
}

export type CampaignActivities = ReturnType<typeof createCampaignActivities>

export function createCampaignActivities({ database, clock }: { database: Database; clock: Clock }) {
  return {
    /** How much there is to do, and how far it is. */
    async openCampaign({ organisationId, campaignId }: CampaignRef): Promise<CampaignPlan> {
      return database.as(organisationId, async (tx) => {
        const campaign = await findCampaign(tx, campaignId)
        if (!campaign) throw notFound('campaign')
        return {
          searches: await searchCount(tx, campaignId),
          wantsSheet: campaign.export.sheet !== undefined,
          wantsApproval: campaign.approval === 'sample',
          wantsEnrolment: campaign.enrol !== null,
          counts: await campaignCounts(tx, campaignId),
        }
      })
    },

    /**
     * Writes a change of the campaign with its event, in one transaction; a change that is there already is left alone. A returned
     * revision above the change's own means that the row is ahead of this workflow, as after a reset.
     */
    async recordCampaign(change: CampaignRef & CampaignChange & { now: number }): Promise<RecordedChange> {
      const { organisationId, campaignId, state, event, actor } = change
      const now = decisionTime(clock, change.now)
      return database.as(organisationId, async (tx) => {
        const { recorded, revision } = await recordCampaignState(tx, campaignId, state, now)
        const counts = await campaignCounts(tx, campaignId)
        if (recorded) {
          const { status, stage, waitingFor, problem } = state
          await appendStoryEvents(tx, campaignId, [
            { type: event, data: { status, stage, waitingFor, problem, actor, counts: { ...counts } }, at: now },
          ])
        }
        const failures = await campaignFailures(tx, campaignId)
        const campaign = await findCampaign(tx, campaignId)
        return { revision, report: { counts, failures, seconds: campaign && campaignSeconds(campaign, now) } }
      })
    },

    async countCampaign({ organisationId, campaignId }: CampaignRef): Promise<CampaignCounts> {
      return database.as(organisationId, (tx) => campaignCounts(tx, campaignId))
    },

    /** What keeps the campaign from paying for one more search; null when nothing does any more. */
    async findSpendCeiling({
      organisationId,
      campaignId,
      now,
    }: CampaignRef & { now: number }): Promise<SpendCeiling | null> {
      return database.as(organisationId, (tx) => spendCeiling(tx, campaignId, decisionTime(clock, now)))
    },
  }
}
