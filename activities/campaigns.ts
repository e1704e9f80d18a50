import { campaignCounts, campaignDefinition, recordCampaignState } from '../db/campaigns.ts'
import type { Database } from '../db/client.ts'
import { appendStoryEvents } from '../db/story-events.ts'
import type { CampaignCounts, CampaignEvent, CampaignState } from '../workflows/contracts/prospect-campaign.ts'
import { type Clock, decisionTime } from './clock.ts'
import { notFound } from './failures.ts'

export interface CampaignRef {
  organisationId: string
  campaignId: string
}

export type CampaignActivities = ReturnType<typeof createCampaignActivities>

export function createCampaignActivities({ database, clock }: { database: Database; clock: Clock }) {
  return {
    /** How much there is to do. */
    async openCampaign({ organisationId, campaignId }: CampaignRef): Promise<{ searches: number }> {
      const definition = await database.as(organisationId, (tx) => campaignDefinition(tx, campaignId))
      if (!definition) throw notFound('campaign')
      return { searches: definition.searches.length }
    },

    /** Writes a change of the campaign with its event, in one transaction; a change that is there already is left alone. */
    async recordCampaign(
      change: CampaignRef & { state: CampaignState; event: CampaignEvent; now: number },
    ): Promise<CampaignCounts> {
      const { organisationId, campaignId, state, event } = change
      const now = decisionTime(clock, change.now)
      return database.as(organisationId, async (tx) => {
        const recorded = await recordCampaignState(tx, campaignId, state, now)
        const counts = await campaignCounts(tx, campaignId)
        if (recorded) {
          const { status, stage, waitingFor, problem } = state
          await appendStoryEvents(tx, campaignId, [
            { type: event, data: { status, stage, waitingFor, problem, counts: { ...counts } }, at: now },
          ])
        }
        return counts
      })
    },

    async countCampaign({ organisationId, campaignId }: CampaignRef): Promise<CampaignCounts> {
      return database.as(organisationId, (tx) => campaignCounts(tx, campaignId))
    },
  }
}
