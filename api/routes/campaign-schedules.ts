import { z } from 'zod'
import { findCampaign } from '../../db/campaigns.ts'
import type { Tx } from '../../db/client.ts'
import { currentOrganisation } from '../../db/organisations.ts'
import { claimTrigger, type SavedSearchRun, savedSearchRuns } from '../../db/saved-searches.ts'
import { StoryUnreachable } from '../../temporal-config/stories.ts'
import {
  NotScheduled,
  type StorySchedule,
  type StorySchedules,
  UnknownTimeZone,
} from '../../temporal-config/story-schedules.ts'
import { NewSchedule } from '../../workflows/contracts/saved-search-run.schema.ts'
import {
  campaignScheduleId,
  type SavedSearchRunInput,
  savedSearchRunId,
} from '../../workflows/contracts/saved-search-run.ts'
import { formatDuration } from '../../workflows/rules/durations.ts'
import { demand } from '../entitled.ts'
import { storyRequestId } from '../idempotency.ts'
import { found, invalidInput, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { CampaignParams, CampaignStatus } from './campaign-answers.ts'
import { defineSchedule } from './schedule-definition.ts'

const tag = 'Schedules'
const path = '/campaigns/{id}/schedule'

/** Of the runs to come, and of those that were. */
const mostShown = 5

const time = z.iso.datetime()

const CampaignSchedule = z
  .strictObject({
    cron: z.string().nullable(),
    every: z
      .string()
      .nullable()
      .meta({ description: 'The interval as an ISO 8601 duration, where there is no cron line' }),
    timeZone: z.string().nullable().meta({ description: 'Of the cron line' }),
    startAt: time.nullable(),
    overlap: z
      .enum(['skip', 'buffer_one', 'cancel_other', 'other'])
      .meta({ description: '`other`: as somebody has set it in the Temporal Web UI' }),
    catchUp: z.string(),
    paused: z.boolean(),
    note: z.string().nullable().meta({ description: 'Why it was paused or resumed, and by whom' }),
    nextRuns: z.array(time).meta({ description: `The next ${mostShown}; none while it is paused` }),
    lastRuns: z
      .array(z.strictObject({ campaignId: z.uuid(), dueAt: time, status: CampaignStatus }))
      .meta({ description: `The newest ${mostShown}; all by \`/campaigns?savedSearchId=\`` }),
    skippedRuns: z.int().meta({ description: 'Left out because the one before was still under way' }),
    missedRuns: z.int().meta({ description: 'Left out because they would have been later than `catchUp`' }),
  })
  .meta({ id: 'CampaignSchedule' })

type Action = 'pause' | 'resume' | 'trigger'

const actions: Record<Action, { summary: string; description: string }> = {
  pause: {
    summary: 'Pause a schedule',
    description:
      'Begins no run until it is resumed. What is under way goes on, and what was due meanwhile is not made up for.',
  },
  resume: { summary: 'Resume a schedule', description: 'Goes on with the next run that is due.' },
  trigger: {
    summary: 'Run a saved search now',
    description:
      'Besides the runs that are due, also while the schedule is paused. With `overlap` `skip` refused while a run is under way. Repeated under its Idempotency-Key, it begins no other run.',
  },
}

export function campaignScheduleRoutes({ schedules }: { schedules: StorySchedules }): Endpoint[] {
  return [
    route({
      method: 'post',
      path,
      permission: 'campaigns:write',
      tag,
      summary: 'Schedule a campaign',
      description:
        'Makes the campaign a saved search that is run again and again, each time as a campaign of its own that tells what is new, changed and gone. Another schedule takes the place of the one before; a pause stays.',
      params: CampaignParams,
      body: NewSchedule,
      example: { cron: '0 6 * * 1', timeZone: 'America/Chicago', overlap: 'skip', catchUp: 'P1D' },
      problems: ['wrong_state', 'payment_required'],
      success: { status: 200, description: 'The schedule', schema: CampaignSchedule },
      async handler({ params: { id }, body, caller, now, as }) {
        const [campaign, organisation] = await as(async (tx) => {
          const scheduled = found(await findCampaign(tx, id), 'campaign')
          await demand(tx, { features: ['saved-searches'], isCostly: true }, now)
          return [scheduled, await currentOrganisation(tx)]
        })
        if (campaign.savedSearchId !== null) {
          throw new Problem(
            'wrong_state',
            `This is a run of a saved search: schedule campaign ${campaign.savedSearchId}.`,
          )
        }
        const rhythm = defineSchedule(body, organisation.timeZone, now)
        const args = { organisationId: caller.organisationId, campaignId: id } satisfies SavedSearchRunInput
        const story = {
          organisationId: caller.organisationId,
          workflowId: savedSearchRunId(id),
          name: 'savedSearchRun',
          args,
          subjectId: id,
          summary: 'Saved search: a prospect campaign that is run again',
        }
        return answered(async () => {
          await schedules.set(campaignScheduleId(id), rhythm, story, now)
          return read(id, as)
        })
      },
    }),

    route({
      method: 'get',
      path,
      permission: 'campaigns:read',
      tag,
      summary: 'Read a schedule',
      params: CampaignParams,
      success: { status: 200, description: 'The schedule with its next and last runs', schema: CampaignSchedule },
      async handler({ params: { id }, as }) {
        found(await as((tx) => findCampaign(tx, id)), 'campaign')
        return answered(() => read(id, as))
      },
    }),

    ...(['pause', 'resume', 'trigger'] as const).map((action) =>
      route({
        method: 'post',
        path: `${path}/${action}`,
        permission: 'campaigns:write',
        tag,
        ...actions[action],
        params: CampaignParams,
        ...(action === 'trigger' && { problems: ['wrong_state'] as const }),
        success: { status: 200, description: 'The schedule now', schema: CampaignSchedule },
        async handler({ params: { id }, caller, key, as }) {
          found(await as((tx) => findCampaign(tx, id)), 'campaign')
          return answered(
            async () => {
              if (action === 'trigger') await trigger(id, key, as)
              else await schedules[action](campaignScheduleId(id), `${spoken[action]} by key:${caller.keyId}`)
              return read(id, as)
            },
            action === 'trigger' && key === null ? unsafe : safe,
          )
        },
      }),
    ),

    route({
      method: 'post',
      path: `${path}/remove`,
      permission: 'campaigns:write',
      tag,
      summary: 'Remove a schedule',
      description: 'The campaign and its runs stay, and what is under way goes on.',
      params: CampaignParams,
      success: {
        status: 200,
        description: 'There is no schedule any more',
        schema: z.strictObject({ removed: z.boolean() }),
      },
      async handler({ params: { id }, key, as }) {
        found(await as((tx) => findCampaign(tx, id)), 'campaign')
        return answered(async () => {
          try {
            await schedules.remove(campaignScheduleId(id))
          } catch (error) {
            // With a key it may be the repetition of a request whose answer was lost.
            if (!(error instanceof NotScheduled) || key === null) throw error
          }
          return { body: { removed: true } }
        })
      },
    }),
  ]

  async function trigger(id: string, key: string | null, as: As): Promise<void> {
    const scheduleId = campaignScheduleId(id)
    const requestId = storyRequestId(scheduleId, key)
    const { overlap, isRunning } = await schedules.describe(scheduleId)
    const isUnderWay = overlap === 'skip' && isRunning
    if (!(await as((tx) => claimTrigger(tx, id, { requestId, isUnderWay })))) {
      throw new Problem('wrong_state', 'A run is still under way, and by `overlap` another one would be left out.')
    }
    await schedules.trigger(scheduleId, requestId)
  }

  async function read(id: string, as: As) {
    const schedule = await schedules.describe(campaignScheduleId(id))
    const runs = await as((tx) => savedSearchRuns(tx, id, mostShown))
    return { body: scheduleAnswer(schedule, runs) }
  }
}

type As = <T>(work: (tx: Tx) => Promise<T>) => Promise<T>

const spoken = { pause: 'Paused', resume: 'Resumed' } as const

const safe = 'It is safe to ask again.'
const unsafe =
  'A run may have begun: look at lastRuns first. Only a request with an Idempotency-Key can be repeated safely.'

/** What Temporal says no to, as an answer; `advice` is for when it says nothing. */
async function answered<T>(ask: () => Promise<T>, advice = safe): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof NotScheduled) throw new Problem('not_found', 'This campaign has no schedule.')
    if (error instanceof UnknownTimeZone) {
      const detail = 'Temporal knows no time zone of this name: write it as in America/Chicago.'
      throw invalidInput([{ pointer: '/timeZone', detail }])
    }
    if (!(error instanceof StoryUnreachable)) throw error
    throw new Problem('temporarily_unavailable', `Temporal gave no answer in time. ${advice}`, {
      headers: { 'retry-after': '5' },
      cause: error,
    })
  }
}

function scheduleAnswer(schedule: StorySchedule, runs: readonly SavedSearchRun[]): z.input<typeof CampaignSchedule> {
  const { at, startAt, overlap, catchUpMs, paused, note, next, skipped, missed } = schedule
  return {
    cron: 'cron' in at ? at.cron || null : null,
    every: 'everyMs' in at ? formatDuration(at.everyMs) : null,
    timeZone: 'cron' in at ? at.timeZone : null,
    startAt: startAt?.toISOString() ?? null,
    overlap,
    catchUp: formatDuration(catchUpMs),
    paused,
    note,
    nextRuns: paused ? [] : next.slice(0, mostShown).map((due) => due.toISOString()),
    lastRuns: runs.map(({ campaignId, dueAt, status }) => ({ campaignId, dueAt: dueAt.toISOString(), status })),
    skippedRuns: skipped,
    missedRuns: missed,
  }
}
