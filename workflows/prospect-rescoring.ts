import { proxyActivities, setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow'
import type { ScoreActivities } from '../activities/scores.ts'
import { businessStatusKey } from '../temporal-config/search-attributes.ts'
import type { ProspectRescoringInput } from './contracts/prospect-rescoring.ts'
import { databaseBatch } from './parts/activity-options.ts'

const { scoreProspects } = proxyActivities<ScoreActivities>(databaseBatch)

/** Scores a campaign's prospects by the rules of now, also long after its end. Nothing is searched, read or bought again. */
export async function prospectRescoring(campaign: ProspectRescoringInput): Promise<void> {
  upsertSearchAttributes([{ key: businessStatusKey, value: 'running' }])
  const { counts } = await scoreProspects({ ...campaign, now: Date.now() })
  setCurrentDetails(`${counts.done} prospects are scored`)
  upsertSearchAttributes([{ key: businessStatusKey, value: 'completed' }])
}
