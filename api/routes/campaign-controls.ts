import type { UpdateDefinition } from '@temporalio/common'
import { findCampaign } from '../../db/campaigns.ts'
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
import { CampaignParams, CampaignState, isFinished } from './campaign-answers.ts'

type Action = keyof typeof allowedFrom

interface Control {
  update: UpdateDefinition<State>
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
      async handler({ params: { id }, key, requestId, as }) {
        const campaign = found(await as((tx) => findCampaign(tx, id)), 'campaign')
        // With a key it may be the repetition of a request whose answer was lost: then the story has that answer.
        const mayBeRepeated = key !== null && campaign.status === actions[action].leadsTo
        if (!allowedFrom[action].includes(campaign.status) && !mayBeRepeated) throw wrongState(action, campaign.status)
        // One id for all tries of one request: the story then changes once, whatever became of the first answer.
        const updateId = `${action}/${key ?? requestId}`
        const asked = await ask(id, action, updateId, async () =>
          found(await as((tx) => findCampaign(tx, id)), 'campaign'),
        )
        const { status, stage, waitingFor, problem } = asked
        return { body: { status, stage, waitingFor, problem } }
      },
    }),
  )

  async function ask(
    id: string,
    action: Action,
    updateId: string,
    look: () => Promise<{ status: CampaignStatus }>,
  ): Promise<State> {
    const { update } = actions[action]
    try {
      return await stories.update(campaignId(id), update, updateId).catch(async (error: unknown) => {
        // It may not have begun: its start may still lie in the outbox.
        if (!(error instanceof StoryNotRunning) || !(await handover.now(campaignId(id)))) throw error
        return stories.update(campaignId(id), update, updateId)
      })
    } catch (error) {
      if (error instanceof StoryRefused || error instanceof StoryNotRunning) {
        const now = await look()
        if (error instanceof StoryRefused || isFinished(now)) throw wrongState(action, now.status)
      } else if (!(error instanceof StoryUnreachable)) throw error
      throw new Problem('temporarily_unavailable', 'The campaign gave no answer in time. It is safe to ask again.', {
        headers: { 'retry-after': '5' },
        cause: error,
      })
    }
  }
}

function wrongState(action: Action, status: CampaignStatus): Problem {
  return new Problem(
    'wrong_state',
    `The campaign is ${status}; ${action} is for one that is ${allowedFrom[action].join(' or ')}.`,
  )
}
