import {
  type Client,
  ScheduleAlreadyRunning,
  type ScheduleDescription,
  ScheduleNotFoundError,
  type ScheduleOptions,
} from '@temporalio/client'
import type { StoryStart } from '../db/outbox.ts'
import { attributesOf } from './search-attributes.ts'
import { isUnreachable, StoryUnreachable } from './stories.ts'
import { storiesQueue } from './task-queues.ts'

/** When a story is begun, again and again. */
export interface Rhythm {
  /** A cron line of five fields in a time zone, or the length of an interval. Temporal rounds to seconds. */
  at: { cron: string; timeZone: string } | { everyMs: number }
  /** Not before; of an interval also the first time: else one interval from now. */
  startAt: Date | null
  /** What happens when a story is due and the one before has not ended. */
  overlap: 'skip' | 'buffer_one' | 'cancel_other'
  /** How late a story that was missed is still begun. */
  catchUpMs: number
}

export interface StorySchedule extends Omit<Rhythm, 'overlap'> {
  /** `other`: somebody has set what we do not, in the Web UI. */
  overlap: Rhythm['overlap'] | 'other'
  paused: boolean
  note: string | null
  /** At most ten. */
  next: Date[]
  isRunning: boolean
  /** How often none was begun, because the one before had not ended. */
  skipped: number
  /** How often none was begun, because it would have been later than catchUpMs. */
  missed: number
}

/**
 * The way to the schedules in Temporal, which alone knows of them. Every call ends in seconds and may be repeated. Throws NotScheduled,
 * UnknownTimeZone or StoryUnreachable; whatever else Temporal refuses is a mistake of ours.
 */
export interface StorySchedules {
  /** Makes the schedule or changes it; a pause stays, and so does the beat of an interval that is the same. */
  set(scheduleId: string, rhythm: Rhythm, story: StoryStart, now: Date): Promise<void>
  describe(scheduleId: string): Promise<StorySchedule>
  pause(scheduleId: string, note: string): Promise<void>
  resume(scheduleId: string, note: string): Promise<void>
  /** Begins one now, as `overlap` has it. Asked again under the same id it is one still. */
  trigger(scheduleId: string, requestId: string): Promise<void>
  /** What is under way goes on. */
  remove(scheduleId: string): Promise<void>
}

export class NotScheduled extends Error {
  override name = 'NotScheduled'
}

/** Temporal may know fewer time zones than we do. */
export class UnknownTimeZone extends Error {
  override name = 'UnknownTimeZone'
}

/** Calls of Temporal are given up after `timeoutMs`. */
export function createStorySchedules(client: Client, { timeoutMs = 5_000 } = {}): StorySchedules {
  return {
    set: (scheduleId, rhythm, story, now) =>
      answered(async () => {
        const common = { action: actionOf(story), policies: policiesOf(rhythm) }
        try {
          await client.schedule.create({ scheduleId, ...common, spec: specOf(rhythm, beatFrom(rhythm, now)) })
        } catch (error) {
          if (!(error instanceof ScheduleAlreadyRunning)) throw error
          await client.schedule.getHandle(scheduleId).update((there) => {
            const spec = specOf(rhythm, beatOf(there, rhythm) ?? beatFrom(rhythm, now))
            return { ...common, spec, state: there.state }
          })
        }
      }),
    describe: (scheduleId) => answered(async () => scheduleOf(await client.schedule.getHandle(scheduleId).describe())),
    pause: (scheduleId, note) => answered(() => client.schedule.getHandle(scheduleId).pause(note)),
    resume: (scheduleId, note) => answered(() => client.schedule.getHandle(scheduleId).unpause(note)),
    trigger: (scheduleId, requestId) =>
      answered(async () => {
        const handle = client.schedule.getHandle(scheduleId)
        await handle.describe() // the call below names no such schedule otherwise
        // The handle's own trigger lets stories overlap and makes up a new id for each call.
        const { namespace, identity } = client.options
        const patch = { triggerImmediately: {} }
        await client.workflowService.patchSchedule({ namespace, identity, scheduleId, requestId, patch })
      }),
    remove: (scheduleId) => answered(() => client.schedule.getHandle(scheduleId).delete()),
  }

  async function answered<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await client.withDeadline(Date.now() + timeoutMs, ask)
    } catch (error) {
      if (error instanceof ScheduleNotFoundError) throw new NotScheduled('there is no such schedule', { cause: error })
      if (isUnknownTimeZone(error)) throw new UnknownTimeZone('Temporal knows no such time zone', { cause: error })
      if (isUnreachable(error)) throw new StoryUnreachable('schedule', { cause: error })
      throw error
    }
  }
}

/** The SDK makes a TypeError of every definition that the server refuses, and leaves no more than the server's text. */
function isUnknownTimeZone(error: unknown): boolean {
  return error instanceof TypeError && error.message.startsWith('unknown time zone ')
}

function actionOf(story: StoryStart): ScheduleOptions['action'] {
  return {
    type: 'startWorkflow',
    workflowType: story.name,
    workflowId: story.workflowId,
    taskQueue: storiesQueue,
    args: [story.args],
    typedSearchAttributes: attributesOf({ ...story, processKind: story.name }),
    staticSummary: story.summary,
    staticDetails: `Subject \`${story.subjectId}\` of organisation \`${story.organisationId}\`, begun by its schedule.`,
  }
}

// Both said each time: the SDK contradicts itself on what they are otherwise.
function policiesOf({ overlap, catchUpMs }: Rhythm): NonNullable<ScheduleOptions['policies']> {
  return { overlap: overlaps[overlap], catchupWindow: catchUpMs }
}

const overlaps = { skip: 'SKIP', buffer_one: 'BUFFER_ONE', cancel_other: 'CANCEL_OTHER' } as const

function specOf({ at, startAt }: Rhythm, beat: Date): ScheduleOptions['spec'] {
  if ('everyMs' in at) {
    return { intervals: [{ every: at.everyMs, offset: beat.getTime() % at.everyMs }], startAt: beat }
  }
  // Temporal keeps a line as numbers, and what follows # as it was written.
  const cronExpressions = [`${at.cron} # ${at.cron}`]
  return { cronExpressions, timezone: at.timeZone, ...(startAt && { startAt }) }
}

/** The first time of an interval, to the second. */
function beatFrom({ at, startAt }: Rhythm, now: Date): Date {
  const first = startAt ?? new Date(now.getTime() + ('everyMs' in at ? at.everyMs : 0))
  return new Date(Math.floor(first.getTime() / 1000) * 1000)
}

/** The beat that the schedule has, if the interval is the same and no other first time is wanted. */
function beatOf({ spec }: ScheduleDescription, { at, startAt }: Rhythm): Date | null {
  const isSame = 'everyMs' in at && spec.intervals?.[0]?.every === at.everyMs && startAt === null
  return isSame ? (spec.startAt ?? null) : null
}

function scheduleOf({ spec, policies, state, info }: ScheduleDescription): StorySchedule {
  const [interval] = spec.intervals ?? []
  const overlap = (['skip', 'buffer_one', 'cancel_other'] as const).find((name) => overlaps[name] === policies.overlap)
  return {
    at: interval
      ? { everyMs: interval.every }
      : { cron: spec.calendars?.[0]?.comment ?? '', timeZone: spec.timezone ?? 'UTC' },
    startAt: spec.startAt ?? null,
    overlap: overlap ?? 'other',
    catchUpMs: policies.catchupWindow,
    paused: state.paused,
    note: state.note || null, // "" where nobody has said anything
    next: info.nextActionTimes,
    isRunning: info.runningActions.length > 0,
    skipped: info.numActionsSkippedOverlap,
    missed: info.numActionsMissedCatchupWindow,
  }
}
