import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow'

/** The workflow's input: ids only. The definition is a row that activities load; what is carried over continues a long campaign. */
export interface ProspectCampaignInput {
  organisationId: string
  campaignId: string
  carried?: CampaignState
}

export type CampaignStatus = 'queued' | 'running' | 'paused' | 'waiting' | 'completed' | 'cancelled' | 'failed'

/** Nothing changes any more. */
export function isFinished({ status }: { status: CampaignStatus }): boolean {
  return status === 'completed' || status === 'cancelled' || status === 'failed'
}

/**
 * In this order. search: businesses are found; analyse: their websites are read and scored; score: scores by earlier rules are brought to
 * those of now; export: the list goes to a spreadsheet; enrol: the best enter a sequence.
 */
export const campaignStages = ['search', 'analyse', 'score', 'export', 'enrol'] as const
export type CampaignStage = (typeof campaignStages)[number]

export type CampaignEvent =
  | 'campaign.started'
  | 'campaign.stage_changed'
  | 'campaign.waiting'
  | 'campaign.approved'
  | 'campaign.budget_set'
  | 'campaign.paused'
  | 'campaign.resumed'
  | 'campaign.completed'
  | 'campaign.cancelled'
  | 'campaign.failed'

/**
 * What a `waiting` campaign waits for. `budget`: that it may pay for more searches. `approval`: that somebody looks at its best prospects and
 * approves. `repair`: it goes on with `resume` once what `problem` names is mended.
 */
type WaitingFor = 'budget' | 'approval' | 'repair'

/**
 * Why a search may not be paid for: the campaign's own budget is used up, what the organisation may pay for in a month, or what its plans have;
 * or these give no access for now.
 */
export type SpendCeiling = 'campaign_budget' | 'monthly_allowance' | 'plan_limit' | 'no_access'

export interface CampaignState {
  status: CampaignStatus
  stage: CampaignStage | null
  waitingFor: WaitingFor | null
  /** A problem code, never a provider's text. */
  problem: string | null
  /** Whether somebody has approved of what it found, where it asks for that. */
  approved: boolean
  /** The searches that it may pay for in all, once that was changed; null: as its row says from the start. */
  budget: number | null
  /** Counts the changes, so that a late write of an earlier one is recognised. */
  revision: number
}

export const queuedCampaign: CampaignState = {
  status: 'queued',
  stage: null,
  waitingFor: null,
  problem: null,
  approved: false,
  budget: null,
  revision: 0,
}

export type BusinessStatus = Exclude<CampaignStatus, 'waiting'> | `waiting:${WaitingFor}`

/** The status as operators filter by it, with what is waited for. */
export function businessStatus({ status, waitingFor }: Pick<CampaignState, 'status' | 'waitingFor'>): BusinessStatus {
  return status === 'waiting' ? `waiting:${waitingFor ?? 'repair'}` : status
}

export interface CampaignResult {
  status: CampaignStatus
}

export interface CampaignCounts {
  /** Results and ads shown by searches, and lines of the own list, the same business as often as it was seen. */
  sightings: number
  /** Different businesses. */
  prospects: number
  droppedDirectories: number
  droppedExclusions: number
  /** Results with neither a website nor a place. */
  droppedUnusable: number
  /** Prospects whose turn is over, read or not. */
  done: number
  sitesRead: number
  sitesFailed: number
  withoutSite: number
  /** Booked before they were made; an identical one within the hour is free of charge. */
  searchesPaid: number
  /** Given up: paid twice, and no answer came. */
  searchesFailed: number
}

/** How a campaign stands, for operators. */
export interface OperatorReport {
  counts: CampaignCounts
  /** How many sites could not be read, by the code of the failure. */
  failures: Record<string, number>
  /** From its start until its end or now; null before. */
  seconds: number | null
}

export const campaignId = (id: string): string => `campaign/${id}`

/** The state, at once and without changing anything. */
export const campaignState = defineQuery<CampaignState>('campaignState')

/** The organisation may pay for more searches than before, or for fewer: one that waits for that looks again. */
export const allowanceChanged = defineSignal('allowanceChanged')

// Updates, not signals: the caller must learn whether the campaign was in a state that allows it.
// The last argument is who asks, such as `key:{id}`; an operator in the Temporal Web UI gives none.
export const pauseCampaign = defineUpdate<CampaignState, [actor: string | undefined]>('pause')
export const resumeCampaign = defineUpdate<CampaignState, [actor: string | undefined]>('resume')
export const cancelCampaign = defineUpdate<CampaignState, [actor: string | undefined]>('cancel')
export const approveCampaign = defineUpdate<CampaignState, [actor: string | undefined]>('approve')
/** Sets how many searches the campaign may pay for in all, those already paid for included. */
export const setCampaignBudget = defineUpdate<CampaignState, [searches: number, actor: string | undefined]>('budget')

/** The failure types of a refused update. */
export const wrongState = 'wrong_state'
export const wrongBudget = 'wrong_budget'

export const mostSearches = 1_000_000

const parked = ['waiting:budget', 'waiting:approval', 'waiting:repair'] as const

/** From which statuses each update is allowed: read by the workflow's validators and by the API's early refusal. */
export const allowedFrom = {
  pause: ['queued', 'running', ...parked],
  resume: ['paused', 'waiting:budget', 'waiting:repair'],
  approve: ['waiting:approval'],
  budget: ['queued', 'running', 'paused', ...parked],
  cancel: ['queued', 'running', 'paused', ...parked],
} as const satisfies Record<string, readonly BusinessStatus[]>

export type CampaignAction = keyof typeof allowedFrom

export function isAllowed(action: CampaignAction, state: Pick<CampaignState, 'status' | 'waitingFor'>): boolean {
  const statuses: readonly BusinessStatus[] = allowedFrom[action]
  return statuses.includes(businessStatus(state))
}
