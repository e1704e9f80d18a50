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
  allowanceChanged,
  approveCampaign,
  businessStatus,
  type CampaignAction,
  type CampaignCounts,
  type CampaignEvent,
  type CampaignStage,
  type CampaignState,
  campaignStages,
  campaignState,
  cancelCampaign,
  isAllowed,
  mostSearches,
  pauseCampaign,
  resumeCampaign,
  type SpendCeiling,
  setCampaignBudget,
  wrongBudget,
  wrongState,
} from '../contracts/prospect-campaign.ts'
import { databaseStep } from './activity-options.ts'
import { campaignView } from './campaign-view.ts'
import { problemCode } from './problems.ts'

const { findSpendCeiling, recordCampaign } = proxyActivities<CampaignActivities>(databaseStep)

/** A run ends long before Temporal's limits. What is done lies in Postgres, so the next run takes over nothing but the state. */
const eventsPerRun = 2_000

/** How often a campaign at what its organisation may pay for looks whether it may pay again, if nobody tells it to. */
const allowanceLookEvery = '6 hours'

/** How a campaign is steered: its state, who may change it, and what that means for the work. */
export interface Steering {
  readonly state: CampaignState
  /** Does the work of a stage once, unless the campaign is past it, over, or to be continued by another run. */
  during(stage: CampaignStage, work: () => Promise<void>): Promise<void>
  /** Repeats a batch that pause cut short, and parks the campaign when something has to be mended or paid for first. */
  untilFinished(batch: () => Promise<BatchResult>): Promise<void>
  /** Parks the campaign until somebody has approved of what it found. */
  untilApproved(): Promise<void>
  /** Waits while paused or parked; false when the campaign is over or another run goes on with it. */
  mayGoOn(): Promise<boolean>
  /** Changes the state at once, and the row in the order of the changes, also while the workflow is being cancelled. `actor`: else the story itself. */
  change(event: CampaignEvent, next: Partial<CampaignState>, actor?: string): Promise<CampaignState>
  /** Ends the campaign and what is under way in it. */
  cancel(actor: string | undefined): Promise<CampaignState>
  showCounts(counts: CampaignCounts): void
}

/** Binds the controls. Call it before anything is awaited, or a control that comes with the start finds nobody. */
export function steer(campaign: CampaignRef, state: CampaignState): Steering {
  const batches = new CancellationScope()
  const { showStatus, showCounts, showReport } = campaignView(state)
  let lastRecord: Promise<unknown> = Promise.resolve()
  let nextLook: Promise<void> | undefined
  let isTold = false
  let changes = 0

  setHandler(campaignState, () => state, { description: 'Status, stage, and what it waits for' })
  setHandler(
    pauseCampaign,
    (actor = operator) => change('campaign.paused', { status: 'paused', waitingFor: null }, actor),
    {
      validator: allows('pause'),
      description: 'Begin nothing new. What is being read is finished.',
    },
  )
  setHandler(resumeCampaign, (actor = operator) => change('campaign.resumed', goesOn, actor), {
    validator: allows('resume'),
    description: 'Go on after a pause, or once the problem is mended that the campaign waits for.',
  })
  setHandler(approveCampaign, (actor = operator) => change('campaign.approved', { ...goesOn, approved: true }, actor), {
    validator: allows('approve'),
    description: 'Go on after a look at the ten best prospects.',
  })
  setHandler(setCampaignBudget, setBudget, {
    validator(searches: number, _actor: string | undefined) {
      demand('budget')
      if (!Number.isSafeInteger(searches) || searches < 0 || searches > mostSearches) {
        throw refused(wrongBudget, `the budget is a whole number of searches up to ${mostSearches}`)
      }
    },
    description: 'Set how many searches the campaign may pay for in all. One that waits for budget goes on.',
  })
  setHandler(allowanceChanged, () => void (isTold = true), {
    description: 'Look whether more searches may be paid for now.',
  })
  setHandler(cancelCampaign, cancel, {
    validator: allows('cancel'),
    description: 'End the campaign. What it has found stays.',
  })
  return { state, during, untilFinished, untilApproved, mayGoOn, change, cancel, showCounts }

  async function during(stage: CampaignStage, work: () => Promise<void>): Promise<void> {
    if (!(await mayGoOn())) return
    if (state.stage !== null && campaignStages.indexOf(stage) < campaignStages.indexOf(state.stage)) return
    if (state.stage !== stage) await change('campaign.stage_changed', { stage })
    await work()
  }

  async function untilFinished(batch: () => Promise<BatchResult>): Promise<void> {
    while (await mayGoOn()) {
      const began = changes
      try {
        const { finished, counts, ceiling } = await batches.run(batch)
        showCounts(counts)
        if (finished) return
        // What stopped a batch may have been mended while the batch still ran: then it is tried again before anything is said.
        if (ceiling !== undefined && changes === began) {
          await change('campaign.waiting', { status: 'waiting', waitingFor: 'budget', problem: ceiling })
        } else await condition(() => state.status !== 'running', '1 second') // the row says otherwise than the state: not for long
      } catch (error) {
        if (isCancellation(error) && state.status === 'cancelled') return
        if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error
        if (changes !== began) continue
        await change('campaign.waiting', { status: 'waiting', waitingFor: 'repair', problem: problemCode(error) })
      }
    }
  }

  async function untilApproved(): Promise<void> {
    while ((await mayGoOn()) && !state.approved) {
      await change('campaign.waiting', { status: 'waiting', waitingFor: 'approval' })
    }
  }

  async function mayGoOn(): Promise<boolean> {
    const isHeld = () => state.status === 'paused' || state.status === 'waiting'
    do {
      await condition(() => !isHeld() || waitsForAllowance() || runIsLong())
      if (waitsForAllowance()) await (nextLook ??= lookForAllowance().finally(() => (nextLook = undefined)))
      await lastRecord // activities go by the row
    } while (isHeld() && !runIsLong())
    return state.status === 'running' && !runIsLong()
  }

  /** Its own budget is raised by an update; what the organisation may pay for is not. */
  function waitsForAllowance(): boolean {
    return state.waitingFor === 'budget' && state.problem !== ('campaign_budget' satisfies SpendCeiling)
  }

  /** The month may turn, or somebody raise what the organisation may pay for, and nobody tell the campaign. */
  async function lookForAllowance(): Promise<void> {
    await condition(() => !waitsForAllowance() || isTold, allowanceLookEvery)
    if (!waitsForAllowance()) return
    isTold = false
    const ceiling = await findSpendCeiling({ ...campaign, now: Date.now() })
    if (ceiling !== state.problem && waitsForAllowance()) await change('campaign.resumed', goesOn)
  }

  async function change(event: CampaignEvent, next: Partial<CampaignState>, actor = 'system'): Promise<CampaignState> {
    Object.assign(state, next)
    changes += 1
    const changed = { ...state }
    showStatus()
    const recorded = lastRecord.then(() => CancellationScope.nonCancellable(() => record(changed, event, actor)))
    lastRecord = recorded.catch(() => {}) // whoever asked for the change hears of it
    await recorded
    return changed
  }

  async function record(changed: CampaignState, event: CampaignEvent, actor: string): Promise<void> {
    for (;;) {
      changed.revision = state.revision += 1
      const { revision, report } = await recordCampaign.executeWithOptions({ ...databaseStep, summary: event }, [
        { ...campaign, state: changed, event, actor, now: Date.now() },
      ])
      showReport(report)
      if (revision <= changed.revision) return
      state.revision = revision // A reset has put this workflow behind the row, which now follows it again.
    }
  }

  function setBudget(searches: number, actor = operator): Promise<CampaignState> {
    return change('campaign.budget_set', { ...(state.waitingFor === 'budget' && goesOn), budget: searches }, actor)
  }

  function cancel(actor = operator): Promise<CampaignState> {
    batches.cancel()
    return change('campaign.cancelled', { status: 'cancelled', waitingFor: null }, actor)
  }

  function allows(action: CampaignAction): (actor: string | undefined) => void {
    return () => demand(action)
  }

  function demand(action: CampaignAction): void {
    if (!isAllowed(action, state)) throw refused(wrongState, `the campaign is ${businessStatus(state)}`)
  }
}

/** Who sends an update and does not say who it is: somebody in the Temporal Web UI. */
const operator = 'operator'

const goesOn = { status: 'running', waitingFor: null, problem: null } as const

function refused(type: string, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: true })
}

function runIsLong(): boolean {
  const { continueAsNewSuggested, historyLength } = workflowInfo()
  return continueAsNewSuggested || historyLength > eventsPerRun
}
