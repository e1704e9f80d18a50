import { z } from 'zod'
import { findCampaign } from '../../db/campaigns.ts'
import { lastStoryEvent } from '../../db/story-events.ts'
import { type CampaignEvent, isFinished } from '../../workflows/contracts/prospect-campaign.ts'
import type { EventStreams } from '../event-streams.ts'
import { found, invalidInput } from '../problem.ts'
import { type Endpoint, streamRoute } from '../route.ts'
import { CampaignParams } from './campaign-answers.ts'

const lastEvents: ReadonlySet<string> = new Set<CampaignEvent>([
  'campaign.completed',
  'campaign.cancelled',
  'campaign.failed',
])

function endsStory({ type }: { type: string }): boolean {
  return lastEvents.has(type)
}

export function campaignEventRoutes({ streams }: { streams: Pick<EventStreams, 'send'> }): Endpoint[] {
  return [
    streamRoute({
      method: 'get',
      path: '/campaigns/{id}/events',
      permission: 'campaigns:read',
      tag: 'Campaigns',
      summary: "Stream a campaign's progress",
      description: `Server-Sent Events from the beginning, or after \`Last-Event-ID\`; the stream ends with the campaign. \`event\` is
\`campaign.started\`, \`.stage_changed\`, \`.waiting\`, \`.paused\`, \`.resumed\`, \`.approved\`, \`.budget_set\`, \`.completed\`, \`.cancelled\` or \`.failed\` (\`data\`: state and
counts), or \`prospect.found\`, \`prospect.analysed\`, \`prospect.scored\`, \`prospect.exported\`, \`prospect.enrolled\` (\`data\`: stage, done, total,
ratePerSecond, etaSeconds).`,
      params: CampaignParams,
      query: z.strictObject({
        lastEventId: z.string().optional().meta({ description: 'For readers that cannot set the header' }),
      }),
      headers: z.object({
        'Last-Event-ID': z
          .string()
          .optional()
          .meta({ description: 'The id of the last event you have', example: '17' }),
      }),
      problems: ['limit_reached'],
      success: {
        status: 200,
        description: 'The events, as they happen',
        mediaType: 'text/event-stream',
        schema: z.string(),
        alternative: {
          status: 204,
          description: 'The campaign has ended and you have all its events: do not reconnect',
        },
      },
      async handler({ params: { id }, query, header, caller, as }, response) {
        const given = header('last-event-id') ?? query.lastEventId
        const [campaign, newest] = await as(async (tx) => [
          found(await findCampaign(tx, id), 'campaign'),
          await lastStoryEvent(tx, id),
        ])
        const after = given === undefined || given === '' ? 0 : /^\d{1,9}$/.test(given) ? Number(given) : Infinity
        if (after > newest) {
          const pointer = header('last-event-id') === undefined ? '/query/lastEventId' : '/headers/last-event-id'
          throw invalidInput([{ pointer, detail: 'There is no such event in this campaign.' }])
        }
        const isOver = isFinished(campaign)
        if (isOver && after === newest) {
          response.status(204).end()
          return
        }
        await streams.send({ organisationId: caller.organisationId, storyId: id, after, isOver, endsStory }, response)
      },
    }),
  ]
}
