import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  patched,
  proxyActivities,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow'
import type { CampaignActivities } from '../activities/campaigns.ts'
import type { EnrollingActivities } from '../activities/enrolling.ts'
import type { ScoreActivities } from '../activities/scores.ts'
import type { SearchActivities } from '../activities/searches.ts'
import type { SheetActivities } from '../activities/sheets.ts'
import type { SiteActivities } from '../activities/sites.ts'
import {
  type CampaignResult,
  isFinished,
  type ProspectCampaignInput,
  queuedCampaign,
} from './contracts/prospect-campaign.ts'
import { databaseBatch, databaseStep, outsideBatch } from './parts/activity-options.ts'
import { steer } from './parts/campaign-steering.ts'
import { inLanes, readingLanes } from './parts/lanes.ts'
import { problemCode } from './parts/problems.ts'

const { openCampaign, countCampaign } = proxyActivities<CampaignActivities>(databaseStep)
const { importWebsites, searchBusinesses } = proxyActivities<SearchActivities>(outsideBatch)
const { readSites } = proxyActivities<SiteActivities>(outsideBatch)
const { scoreProspects } = proxyActivities<ScoreActivities>(databaseBatch)
const { exportToSheet } = proxyActivities<SheetActivities>(outsideBatch)
const { enrolProspects } = proxyActivities<EnrollingActivities>(databaseBatch)

/** Few, since a provider's hourly limit is shared by all campaigns. */
const searchLanes = 3
const sitesPerBatch = 50

/**
 * Finds businesses by searches and by the user's own list, reads their websites, scores them, writes the list to a spreadsheet, and lets the
 * best enter a sequence.
 */
export async function prospectCampaign(input: ProspectCampaignInput): Promise<CampaignResult> {
  const campaign = { organisationId: input.organisationId, campaignId: input.campaignId }
  const { state, during, untilFinished, untilApproved, mayGoOn, change, cancel, showCounts } = steer(campaign, {
    ...queuedCampaign,
    ...input.carried,
  })

  try {
    const { searches, wantsApproval, wantsSheet, wantsEnrolment, counts } = await openCampaign(campaign)
    showCounts(counts)
    if (state.status === 'queued') await change('campaign.started', { status: 'running' })
    await during('search', () => findBusinesses(searches))
    await during('analyse', readAllSites)
    // A campaign that began before this stage was there goes on without it.
    if (patched('score-stage'))
      await during('score', () => untilFinished(() => scoreProspects({ ...campaign, now: Date.now() })))
    if (wantsApproval) await untilApproved()
    if (wantsSheet) await during('export', () => untilFinished(() => exportToSheet({ ...campaign, now: Date.now() })))
    if (wantsEnrolment)
      await during('enrol', () => untilFinished(() => enrolProspects({ ...campaign, now: Date.now() })))
    if (await mayGoOn()) await change('campaign.completed', { status: 'completed' })
  } catch (error) {
    // Whatever is no failure of Temporal's is a mistake in this file: it fails the task, which goes on once it is mended.
    if (isCancellation(error)) await cancel(workflowInfo().parent ? 'schedule' : 'operator')
    else if (error instanceof TemporalFailure) {
      await change('campaign.failed', { status: 'failed', waitingFor: null, problem: problemCode(error) })
    }
    throw error
  } finally {
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished))
  }
  if (!isFinished(state)) return continueAsNew<typeof prospectCampaign>({ ...campaign, carried: state })
  return { status: state.status }

  async function findBusinesses(searches: number): Promise<void> {
    await untilFinished(() => importWebsites({ ...campaign, now: Date.now() }))
    await inLanes(searchLanes, searches, (index) =>
      untilFinished(() =>
        searchBusinesses.executeWithOptions({ ...outsideBatch, summary: `search ${index + 1} of ${searches}` }, [
          { ...campaign, index, now: Date.now() },
        ]),
      ),
    )
  }

  async function readAllSites(): Promise<void> {
    for (let openBefore: number | undefined; ; ) {
      const { prospects, done } = await countCampaign(campaign)
      const open = prospects - done
      if (open === 0 || !(await mayGoOn())) return
      // Nothing moved although lanes were free: an earlier run's claims, after a reset. They are given up after a while.
      if (open === openBefore) await condition(() => state.status !== 'running', '1 minute')
      openBefore = open
      await inLanes(readingLanes, Math.ceil(open / sitesPerBatch), (index) =>
        untilFinished(() =>
          readSites.executeWithOptions({ ...outsideBatch, summary: `sites, batch ${index + 1}` }, [
            { ...campaign, limit: sitesPerBatch, now: Date.now() },
          ]),
        ),
      )
    }
  }
}
