import { randomUUID } from 'node:crypto'
import type { UpdateDefinition } from '@temporalio/common'
import { findCampaign, recordLostCampaign } from '../../db/campaigns.ts'
import type { Tx } from '../../db/client.ts'
import { startStatus } from '../../db/outbox.ts'
import { appendStoryEvents } from '../../db/story-events.ts'
import { type Stories, StoryNotRunning, StoryRefused, StoryUnreachable } from '../../temporal-config/stories.ts'
import {
  allowedFrom,
  type CampaignStatus,
  campaignId,
  cancelCampaign,
  pauseCampaign,
  resumeCampaign,
  type CampaignState as State,
} from '../../workflows/contracts/prospect-campaign.ts'
import type { Handover } from '../handover.ts'
import { found, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { CampaignParams, CampaignState } from './campaign-answers.ts'

type Action = keyof typeof allowedFrom

interface Control {
  update: UpdateDefinition<State, [actor: string | undefined]>
  leadsTo: CampaignStatus
  summary: string
  description: string
}

const actions: Record<Action, Control> = {
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
  cancel: {
    update: cancelCampaign,
    leadsTo: 'cancelled',
    summary: 'Cancel a campaign',
    description: 'Ends it for good. What it has found stays and can be exported.',
  },
}

export function campaignControlRoutes({
  stories,
  handover,
}: {
  stories: Pick<Stories, 'update'>
  handover: Pick<Handover, 'now'>
}): Endpoint[] {
  return (['pause', 'resume', 'cancel'] as const).map((action) =>
    route({
      method: 'post',
      path: `/campaigns/{id}/${action}`,
      permission: 'campaigns:write',
      tag: 'Campaigns',
      summary: actions[action].summary,
      description: `${actions[action].description} Allowed while the campaign is ${allowedFrom[action].join(' or ')}.`,
      params: CampaignParams,
      problems: ['wrong_state'],
      success: { status: 200, description: 'The state of the campaign now', schema: CampaignState },
      async handler({ params: { id }, caller, key, now, as }) {
        const campaign = found(await as((tx) => findCampaign(tx, id)), 'campaign')
        // With a key it may be the repetition of a request whose answer was lost: then the story has that answer.
        const mayBeRepeated = key !== null && campaign.status === actions[action].leadsTo
        if (!allowedFrom[action].includes(campaign.status) && !mayBeRepeated) throw wrongState(action, campaign.status)
        // One id for all tries of one request: the story then changes once, whatever became of the first answer.
        const asked = { updateId: `${action}/${key ?? randomUUID()}`, actor: `key:${caller.keyId}` }
        const { status, stage, waitingFor, problem } = await ask(id, action, asked, { as, now })
        return { body: { status, stage, waitingFor, problem } }
      },
    }),
  )

  async function ask(
    id: string,
    action: Action,
    asked: { updateId: string; actor: string },
    { as, now }: { as: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>; now: Date },
  ): Promise<State> {
    for (let tries = 0; tries < 2; tries += 1) {
      // Read before asking: what had been handed over by then and does not run is over.
      const handedOver = (await as((tx) => startStatus(tx, campaignId(id)))) !== 'pending'
      try {
        return await stories.update(campaignId(id), actions[action].update, asked)
      } catch (error) {
        if (error instanceof StoryUnreachable) throw unavailable(error)
        if (!(error instanceof StoryNotRunning) && !(error instanceof StoryRefused)) throw error
        if (error instanceof StoryNotRunning && handedOver) await as((tx) => closeLostCampaign(tx, id, now))
        if (error instanceof StoryRefused || handedOver) {
          throw wrongState(action, found(await as((tx) => findCampaign(tx, id)), 'campaign').status)
        }
        await handover.now(campaignId(id)) // It has not begun: its start still lies in the outbox.
      }
    }
    throw unavailable()
  }
}

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

function wrongState(action: Action, status: CampaignStatus): Problem {
  return new Problem(
    'wrong_state',
    `The campaign is ${status}; ${action} is for one that is ${allowedFrom[action].join(' or ')}.`,
  )
}
