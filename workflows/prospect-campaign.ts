import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  setHandler,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow'
import type { CampaignActivities } from '../activities/campaigns.ts'
import type { BatchResult, SearchActivities } from '../activities/searches.ts'
import type { SheetActivities } from '../activities/sheets.ts'
import type { SiteActivities } from '../activities/sites.ts'
import {
  allowedFrom,
  type CampaignEvent,
  type CampaignResult,
  type CampaignStage,
  type CampaignState,
  campaignStages,
  campaignState,
  cancelCampaign,
  isFinished,
  type ProspectCampaignInput,
  pauseCampaign,
  queuedCampaign,
  resumeCampaign,
  wrongState,
} from './contracts/prospect-campaign.ts'
import { databaseStep, outsideBatch } from './parts/activity-options.ts'
import { showCounts, showStatus } from './parts/campaign-view.ts'
import { inLanes } from './parts/lanes.ts'
import { problemCode } from './parts/problems.ts'

const { openCampaign, recordCampaign, countCampaign } = proxyActivities<CampaignActivities>(databaseStep)
const { importWebsites, searchBusinesses } = proxyActivities<SearchActivities>(outsideBatch)
const { readSites } = proxyActivities<SiteActivities>(outsideBatch)
const { exportToSheet } = proxyActivities<SheetActivities>(outsideBatch)

/** Few, since a provider's hourly limit is shared by all campaigns. */
const searchLanes = 3
const readingLanes = 4
const sitesPerBatch = 50
/** A run ends long before Temporal's limits. What is done lies in Postgres, so the next run takes over nothing but the state. */
const eventsPerRun = 2_000

const mended = { waitingFor: null, problem: null }

/** Finds businesses by searches and by the user's own list, reads their websites, scores them, and writes the list to a spreadsheet. */
export async function prospectCampaign(input: ProspectCampaignInput): Promise<CampaignResult> {
  const campaign = { organisationId: input.organisationId, campaignId: input.campaignId }
  const state: CampaignState = input.carried ?? { ...queuedCampaign }
  let lastRecord: Promise<unknown> = Promise.resolve()

  const batches = new CancellationScope()

  setHandler(campaignState, () => state, { description: 'Status, stage, and what it waits for' })
  setHandler(pauseCampaign, (actor) => change('campaign.paused', { status: 'paused', waitingFor: null }, actor), {
    validator: allows('pause'),
    description: 'Begin nothing new. What is being read is finished.',
  })
  setHandler(resumeCampaign, (actor) => change('campaign.resumed', { ...mended, status: 'running' }, actor), {
    validator: allows('resume'),
    description: 'Go on after a pause, or once the problem is mended that the campaign waits for.',
  })
  setHandler(cancelCampaign, cancel, {
    validator: allows('cancel'),
    description: 'End the campaign. What it has found stays.',
  })

  try {
    const plan = await openCampaign(campaign)
    showCounts(state, plan.counts)
    if (state.status === 'queued') await change('campaign.started', { status: 'running' })
    await during('search', async () => {
      await untilFinished(() => importWebsites({ ...campaign, now: Date.now() }))
      await inLanes(searchLanes, plan.searches, (index) =>
        untilFinished(() =>
          searchBusinesses.executeWithOptions({ ...outsideBatch, summary: `search ${index + 1} of ${plan.searches}` }, [
            { ...campaign, index, now: Date.now() },
          ]),
        ),
      )
    })
    await during('analyse', readAllSites)
    if (plan.wantsSheet)
      await during('export', () => untilFinished(() => exportToSheet({ ...campaign, now: Date.now() })))
    if ((await mayGoOn()) && !runIsLong()) await change('campaign.completed', { status: 'completed' })
  } catch (error) {
    // Whatever is no failure of Temporal's is a mistake in this file: it fails the task, which goes on once it is mended.
    if (isCancellation(error)) await cancel('operator')
    else if (error instanceof TemporalFailure) {
      await change('campaign.failed', { status: 'failed', waitingFor: null, problem: problemCode(error) })
    }
    throw error
  } finally {
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished))
  }
  if (!isFinished(state)) return continueAsNew<typeof prospectCampaign>({ ...campaign, carried: state })
  return { status: state.status }

  /** A stage is entered once and left when its work is finished, the campaign is cancelled, or the run has become long. */
  async function during(stage: CampaignStage, work: () => Promise<void>): Promise<void> {
    if (!(await mayGoOn()) || runIsLong()) return
    if (state.stage !== null && campaignStages.indexOf(stage) < campaignStages.indexOf(state.stage)) return
    if (state.stage !== stage) await change('campaign.stage_changed', { stage })
    await work()
  }

  async function readAllSites(): Promise<void> {
    for (let openBefore: number | undefined; ; ) {
      const counts = await countCampaign(campaign)
      const open = counts.prospects - counts.done
      if (open === 0 || !(await mayGoOn()) || runIsLong()) return
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

  /** Repeats a batch that pause cut short, and parks the campaign when something has to be mended first. */
  async function untilFinished(batch: () => Promise<BatchResult>): Promise<void> {
    while ((await mayGoOn()) && !runIsLong()) {
      try {
        const { finished, counts } = await batches.run(batch)
        showCounts(state, counts)
        if (finished) return
        await condition(() => state.status !== 'running', '1 second') // the row says otherwise than the state: not for long
      } catch (error) {
        if (isCancellation(error) && state.status === 'cancelled') return
        if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error
        if (state.status !== 'running') continue
        await change('campaign.waiting', { status: 'waiting', waitingFor: 'repair', problem: problemCode(error) })
      }
    }
  }

  /** Waits while paused or parked; false when the campaign is over. */
  async function mayGoOn(): Promise<boolean> {
    const isHeld = () => state.status === 'paused' || state.status === 'waiting'
    do {
      await condition(() => !isHeld())
      await lastRecord // activities go by the row
    } while (isHeld())
    return state.status === 'running'
  }

  /** Changes the state at once, and the row in the order of the changes, also while the workflow is being cancelled. */
  async function change(
    event: CampaignEvent,
    next: Partial<CampaignState>,
    actor = 'operator',
  ): Promise<CampaignState> {
    Object.assign(state, next)
    const changed = { ...state }
    showStatus(changed)
    const recorded = lastRecord.then(() => CancellationScope.nonCancellable(() => record(changed, event, actor)))
    lastRecord = recorded.catch(() => {}) // whoever asked for the change hears of it
    await recorded
    return changed
  }

  async function record(changed: CampaignState, event: CampaignEvent, actor: string): Promise<void> {
    for (;;) {
      changed.revision = state.revision += 1
      const { revision, counts } = await recordCampaign.executeWithOptions({ ...databaseStep, summary: event }, [
        { ...campaign, state: changed, event, actor, now: Date.now() },
      ])
      showCounts(state, counts)
      if (revision <= changed.revision) return
      state.revision = revision // A reset has put this workflow behind the row, which now follows it again.
    }
  }

  function cancel(actor: string | undefined): Promise<CampaignState> {
    batches.cancel()
    return change('campaign.cancelled', { status: 'cancelled', waitingFor: null }, actor)
  }

  function allows(action: keyof typeof allowedFrom): (actor: string | undefined) => void {
    return () => {
      if (allowedFrom[action].includes(state.status)) return
      const message = `the campaign is ${state.status}`
      throw ApplicationFailure.create({ type: wrongState, message, nonRetryable: true })
    }
  }

  function runIsLong(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo()
    return continueAsNewSuggested || historyLength > eventsPerRun
  }
}
