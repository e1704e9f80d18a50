import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import type { CampaignActivities, CampaignRef } from '../../activities/campaigns.ts'
import type { BatchResult } from '../../activities/searches.ts'
import {
  allowedFrom,
  type CampaignEvent,
  type CampaignStage,
  type CampaignState,
  campaignStages,
  campaignState,
  cancelCampaign,
  pauseCampaign,
  resumeCampaign,
  wrongState,
} from '../contracts/prospect-campaign.ts'
import { databaseStep } from './activity-options.ts'
import { showCounts, showStatus } from './campaign-view.ts'
import { problemCode } from './problems.ts'

const { recordCampaign } = proxyActivities<CampaignActivities>(databaseStep)

/** A run ends long before Temporal's limits. What is done lies in Postgres, so the next run takes over nothing but the state. */
const eventsPerRun = 2_000

/** How a campaign is steered: its state, who may change it, and what that means for the work. */
export interface Steering {
  readonly state: CampaignState
  /** Does the work of a stage once, unless the campaign is past it, over, or to be continued by another run. */
  during(stage: CampaignStage, work: () => Promise<void>): Promise<void>
  /** Repeats a batch that pause cut short, and parks the campaign when something has to be mended first. */
  untilFinished(batch: () => Promise<BatchResult>): Promise<void>
  /** Waits while paused or parked; false when the campaign is over or another run goes on with it. */
  mayGoOn(): Promise<boolean>
  /** Changes the state at once, and the row in the order of the changes, also while the workflow is being cancelled. */
  change(event: CampaignEvent, next: Partial<CampaignState>, actor?: string): Promise<CampaignState>
  /** Ends the campaign and what is under way in it. */
  cancel(actor: string | undefined): Promise<CampaignState>
}

/** Binds the controls. Call it before anything is awaited, or a control that comes with the start finds nobody. */
export function steer(campaign: CampaignRef, state: CampaignState): Steering {
  const batches = new CancellationScope()
  let lastRecord: Promise<unknown> = Promise.resolve()

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
  return { state, during, untilFinished, mayGoOn, change, cancel }

  async function during(stage: CampaignStage, work: () => Promise<void>): Promise<void> {
    if (!(await mayGoOn())) return
    if (state.stage !== null && campaignStages.indexOf(stage) < campaignStages.indexOf(state.stage)) return
    if (state.stage !== stage) await change('campaign.stage_changed', { stage })
    await work()
  }

  async function untilFinished(batch: () => Promise<BatchResult>): Promise<void> {
    while (await mayGoOn()) {
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

  async function mayGoOn(): Promise<boolean> {
    const isHeld = () => state.status === 'paused' || state.status === 'waiting'
    do {
      await condition(() => !isHeld())
      await lastRecord // activities go by the row
    } while (isHeld())
    return state.status === 'running' && !runIsLong()
  }

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
}

const mended = { waitingFor: null, problem: null }

function runIsLong(): boolean {
  const { continueAsNewSuggested, historyLength } = workflowInfo()
  return continueAsNewSuggested || historyLength > eventsPerRun
}
