import {
  CancellationScope,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  TemporalFailure,
  upsertSearchAttributes,
  WorkflowIdReusePolicy,
  workflowInfo,
} from '@temporalio/workflow'
import type { CampaignActivities } from '../activities/campaigns.ts'
import type { SavedSearchActivities } from '../activities/saved-searches.ts'
import { attributesOf, businessStatusKey, scheduledStartKey } from '../temporal-config/search-attributes.ts'
import { campaignId, queuedCampaign } from './contracts/prospect-campaign.ts'
import type { SavedSearchRunInput, SavedSearchRunResult } from './contracts/saved-search-run.ts'
import { databaseStep } from './parts/activity-options.ts'
import type { prospectCampaign } from './prospect-campaign.ts'

const { beginRun } = proxyActivities<SavedSearchActivities>(databaseStep)
const { recordCampaign } = proxyActivities<CampaignActivities>(databaseStep)

/**
 * Runs a saved campaign again when its schedule says so: as a campaign of its own, once for each time that it is due. It waits for the
 * campaign's end, so that the schedule sees what is under way; how that ends is the campaign's own story.
 */
export async function savedSearchRun(input: SavedSearchRunInput): Promise<SavedSearchRunResult> {
  const { organisationId } = input
  const { typedSearchAttributes, startTime, firstExecutionRunId: begunBy } = workflowInfo()
  const dueAt = (typedSearchAttributes.get(scheduledStartKey) ?? startTime).getTime()
  upsertSearchAttributes([{ key: businessStatusKey, value: 'running' }])
  // To its end: a row that is there must get its story, or be closed.
  const run = await CancellationScope.nonCancellable(() => beginRun({ ...input, begunBy, dueAt, now: Date.now() }))
  setCurrentDetails(`Campaign \`${run}\``)

  try {
    await executeChild<typeof prospectCampaign>('prospectCampaign', {
      workflowId: campaignId(run),
      args: [{ organisationId, campaignId: run }],
      workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      typedSearchAttributes: attributesOf({ organisationId, processKind: 'prospectCampaign', subjectId: run }),
      staticSummary: 'Prospect campaign: a run of a saved search',
      staticDetails: `Subject \`${run}\` of organisation \`${organisationId}\`, a run of campaign \`${input.campaignId}\`.`,
    })
  } catch (error) {
    // Whatever is no failure of Temporal's is a mistake in this file: it fails the task, which goes on once it is mended.
    if (!(error instanceof TemporalFailure)) throw error
    if (isCancellation(error)) await CancellationScope.nonCancellable(closeUnbegun)
    if (CancellationScope.current().consideredCancelled) {
      upsertSearchAttributes([{ key: businessStatusKey, value: 'cancelled' }])
      throw error
    }
  }
  upsertSearchAttributes([{ key: businessStatusKey, value: 'completed' }])
  return { campaignId: run }

  /** Cancelled before the campaign's story began, nobody else writes its row. One that has begun is past this revision. */
  async function closeUnbegun(): Promise<void> {
    const state = { ...queuedCampaign, status: 'cancelled' as const, revision: 1 }
    const change = { state, event: 'campaign.cancelled' as const, actor: 'schedule', now: Date.now() }
    await recordCampaign({ organisationId, campaignId: run, ...change })
  }
}
