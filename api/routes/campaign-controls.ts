import type { UpdateDefinition } from '@temporalio/common'
import type { z } from 'zod'
import { type Campaign, findCampaign, recordLostCampaign } from '../../db/campaigns.ts'
import type { Tx } from '../../db/client.ts'
import { startStatus } from '../../db/outbox.ts'
import { appendStoryEvents } from '../../db/story-events.ts'
import { type Stories, StoryNotRunning, StoryRefused, StoryUnreachable } from '../../temporal-config/stories.ts'
import { CampaignBudget } from '../../workflows/contracts/prospect-campaign.schema.ts'
import {
  allowedFrom,
  approveCampaign,
  type BusinessStatus,
  businessStatus,
  type CampaignAction,
  campaignId,
  cancelCampaign,
  isAllowed,
  isFinished,
  pauseCampaign,
  resumeCampaign,
  type CampaignState as State,
  setCampaignBudget,
} from '../../workflows/contracts/prospect-campaign.ts'
import type { Handover } from '../handover.ts'
import { storyRequestId } from '../idempotency.ts'
import { found, Problem } from '../problem.ts'
import { type Endpoint, route, type WritingCall } from '../route.ts'
import { BudgetedCampaign, CampaignParams, CampaignState } from './campaign-answers.ts'

/** An update that its sender alone makes up. */
type PlainAction = Exclude<CampaignAction, 'budget'>

interface Control {
  update: UpdateDefinition<State, [actor: string | undefined]>
  leadsTo: BusinessStatus
  summary: string
  description: string
}

const controls: Record<PlainAction, Control> = {
  pause: {
    update: pauseCampaign,
    leadsTo: 'paused',
    summary: 'Pause a campaign',
    description: 'Nothing new is begun; what is being read is finished.',
  },
  resume: {
    update: resumeCampaign,
    leadsTo: 'running',
    summary: 'Resume a campaign',
    description: 'Goes on after a pause, or once what `problem` names has been mended.',
  },
  approve: {
    update: approveCampaign,
    leadsTo: 'running',
    summary: "Approve of a campaign's prospects",
    description: 'Goes on after a look at its ten best prospects, which its report shows.',
  },
  cancel: {
    update: cancelCampaign,
    leadsTo: 'cancelled',
    summary: 'Cancel a campaign',
    description: 'Ends it for good. What it has found stays and can be exported.',
  },
}

type ControlCall = Pick<
  WritingCall<z.output<typeof CampaignParams>, unknown, unknown, unknown>,
  'params' | 'caller' | 'key' | 'now' | 'as'
>

export function campaignControlRoutes({
  stories,
  handover,
}: {
  stories: Pick<Stories, 'update'>
  handover: Pick<Handover, 'now'>
}): Endpoint[] {
  return [
    ...(['pause', 'resume', 'approve', 'cancel'] as const).map((action) => {
      const { update, leadsTo, summary, description } = controls[action]
      return route({
        method: 'post',
        path: `/campaigns/{id}/${action}`,
        permission: 'campaigns:write',
        tag: 'Campaigns',
        summary,
        description: `${description} ${allowedText(action)}`,
        params: CampaignParams,
        problems: ['wrong_state'],
        success: { status: 200, description: 'The state of the campaign now', schema: CampaignState },
        async handler(call) {
          // With a key it may be the repetition of a request whose answer was lost: then the story has that answer.
          const mayBeRepeated = (campaign: Campaign) => call.key !== null && businessStatus(campaign) === leadsTo
          const state = await control(call, action, {
            asked: action,
            mayBeRepeated,
            ask: (workflowId, updateId, actor) => stories.update(workflowId, update, { updateId, args: [actor] }),
          })
          return { body: stateAnswer(state) }
        },
      })
    }),

    route({
      method: 'post',
      path: '/campaigns/{id}/budget',
      permission: 'campaigns:write',
      tag: 'Campaigns',
      summary: "Set a campaign's budget",
      description: `How many searches it may pay for in all, those already paid for included. One that waits for budget goes on. ${allowedText('budget')}`,
      params: CampaignParams,
      body: CampaignBudget,
      example: { searches: 40 },
      problems: ['wrong_state'],
      success: { status: 200, description: 'The state of the campaign now, and its budget', schema: BudgetedCampaign },
      async handler(call) {
        const { searches } = call.body
        const state = await control(call, 'budget', {
          // Another amount is another request, also under the key of one whose answer was lost.
          asked: `budget/${searches}`,
          mayBeRepeated: () => false,
          ask: (id, updateId, actor) => stories.update(id, setCampaignBudget, { updateId, args: [searches, actor] }),
        })
        return { body: { ...stateAnswer(state), budget: { searches: state.budget ?? searches } } }
      },
    }),
  ]

  async function control(
    { params: { id }, caller, key, now, as }: ControlCall,
    action: CampaignAction,
    request: {
      /** What is asked for, the same for the same. */
      asked: string
      mayBeRepeated: (campaign: Campaign) => boolean
      ask: (workflowId: string, updateId: string, actor: string) => Promise<State>
    },
  ): Promise<State> {
    const campaign = found(await as((tx) => findCampaign(tx, id)), 'campaign')
    if (!isAllowed(action, campaign) && !request.mayBeRepeated(campaign)) throw wrongState(action, campaign)
    const age = now.getTime() - campaign.createdAt.getTime()
    const isBegunBySchedule = campaign.savedSearchId !== null && campaign.status === 'queued' && age < beginningMs
    // One id for all tries of one request: the story then changes once, whatever became of the first answer.
    const updateId = `${request.asked}/${storyRequestId(campaignId(id), key)}`
    for (let tries = 0; tries < 2; tries += 1) {
      // Read before asking: what had been handed over by then and does not run is over.
      const handedOver = (await as((tx) => startStatus(tx, campaignId(id)))) !== 'pending'
      try {
        return await request.ask(campaignId(id), updateId, `key:${caller.keyId}`)
      } catch (error) {
        if (error instanceof StoryUnreachable) throw unavailable(error)
        // Its row is there before its story, which comes from no outbox but from the schedule's own story.
        if (error instanceof StoryNotRunning && isBegunBySchedule) throw unavailable()
        if (!(error instanceof StoryNotRunning) && !(error instanceof StoryRefused)) throw error
        if (error instanceof StoryNotRunning && handedOver) await as((tx) => closeLostCampaign(tx, id, now))
        if (error instanceof StoryRefused || handedOver) {
          throw wrongState(action, found(await as((tx) => findCampaign(tx, id)), 'campaign'))
        }
        await handover.now(campaignId(id)) // It has not begun: its start still lies in the outbox.
      }
    }
    throw unavailable()
  }
}

function stateAnswer({ status, stage, waitingFor, problem }: State): z.input<typeof CampaignState> {
  return { status, stage, waitingFor, problem }
}

/** As long as a schedule's story may take, worker restarts included, from a run's row to its campaign. */
const beginningMs = 10 * 60_000

/** Somebody terminated the workflow in Temporal, or its start was refused: nothing will change this campaign any more. */
async function closeLostCampaign(tx: Tx, id: string, now: Date): Promise<void> {
  if (!(await recordLostCampaign(tx, id, now))) return
  await appendStoryEvents(tx, id, [{ type: 'campaign.failed', data: { problem: 'workflow_gone' }, at: now }])
}

function unavailable(cause?: Error): Problem {
  return new Problem('temporarily_unavailable', 'The campaign gave no answer in time. It is safe to ask again.', {
    headers: { 'retry-after': '5' },
    ...(cause && { cause }),
  })
}

function allowedText(action: CampaignAction): string {
  return `Allowed while the campaign is ${allowedFrom[action].join(' or ')}.`
}

function wrongState(action: CampaignAction, campaign: Campaign): Problem {
  const next = isFinished(campaign) ? '' : ' Read it to see what it waits for.'
  return new Problem(
    'wrong_state',
    `The campaign is ${businessStatus(campaign)}; ${action} is for one that is ${allowedFrom[action].join(' or ')}.${next}`,
  )
}
