import { defineQuery, defineUpdate } from '@temporalio/workflow'

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

/** In this order. search: businesses are found; analyse: their websites are read and scored; export: the list goes to a spreadsheet. */
export const campaignStages = ['search', 'analyse', 'export'] as const
export type CampaignStage = (typeof campaignStages)[number]

export type CampaignEvent =
  | 'campaign.started'
  | 'campaign.stage_changed'
  | 'campaign.waiting'
  | 'campaign.paused'
  | 'campaign.resumed'
  | 'campaign.completed'
  | 'campaign.cancelled'
  | 'campaign.failed'

export interface CampaignState {
  status: CampaignStatus
  stage: CampaignStage | null
  /** What a `waiting` campaign waits for: `repair` goes on with `resume` once what `problem` names is mended. */
  waitingFor: 'repair' | null
  /** A problem code, never a provider's text. */
  problem: string | null
  /** Counts the changes, so that a late write of an earlier one is recognised. */
  revision: number
}

export const queuedCampaign: CampaignState = {
  status: 'queued',
  stage: null,
  waitingFor: null,
  problem: null,
  revision: 0,
}

export interface CampaignResult {
  status: CampaignStatus
}

export interface CampaignCounts {
  /** Results shown by searches and the own list, the same business as often as it was seen. */
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

export const campaignId = (id: string): string => `campaign/${id}`

/** The state, at once and without changing anything. */
export const campaignState = defineQuery<CampaignState>('campaignState')

// Updates, not signals: the caller must learn whether the campaign was in a state that allows it.
// The argument is who asks, such as `key:{id}`; an operator in the Temporal Web UI gives none.
export const pauseCampaign = defineUpdate<CampaignState, [actor: string | undefined]>('pause')
export const resumeCampaign = defineUpdate<CampaignState, [actor: string | undefined]>('resume')
export const cancelCampaign = defineUpdate<CampaignState, [actor: string | undefined]>('cancel')

/** The failure type of a refused update. */
export const wrongState = 'wrong_state'

/** From which statuses each update is allowed: read by the workflow's validators and by the API's early refusal. */
export const allowedFrom: Record<'pause' | 'resume' | 'cancel', readonly CampaignStatus[]> = {
  pause: ['queued', 'running', 'waiting'],
  resume: ['paused', 'waiting'],
  cancel: ['queued', 'running', 'paused', 'waiting'],
}
