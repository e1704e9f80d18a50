import { type CampaignToInsert, insertCampaign, recordCampaignState } from '../../db/campaigns.ts'
import type { Database } from '../../db/client.ts'
import type { CampaignDefinition } from '../../workflows/contracts/prospect-campaign.schema.ts'
import { type CampaignState, queuedCampaign } from '../../workflows/contracts/prospect-campaign.ts'

/** What a campaign asks for that asks for nothing. */
export const emptyDefinition: CampaignDefinition = {
  country: 'US',
  searches: [],
  websites: [],
  exclusions: [],
  export: { formats: ['csv', 'json'], minScore: 0 },
}

/** A campaign's row as the API writes it, brought to a state as the workflow would. Returns its id. */
export async function campaignRow(
  database: Database,
  organisationId: string,
  state: Partial<CampaignState> = {},
  changes: Partial<CampaignDefinition> = {},
  more: Pick<CampaignToInsert, 'budgetSearches' | 'approval'> = {},
): Promise<string> {
  const now = new Date()
  const complete: CampaignState = {
    ...queuedCampaign,
    status: 'running',
    stage: 'search',
    revision: 1,
    ...state,
  }
  return database.as(organisationId, async (tx) => {
    const id = await insertCampaign(tx, {
      name: 'Test',
      definition: { ...emptyDefinition, ...changes },
      actor: 'system',
      now,
      ...more,
    })
    if (complete.status !== 'queued') await recordCampaignState(tx, id, complete, now)
    return id
  })
}
