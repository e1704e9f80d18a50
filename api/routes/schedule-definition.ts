import type { Rhythm } from '../../temporal-config/story-schedules.ts'
import type { NewSchedule } from '../../workflows/contracts/saved-search-run.schema.ts'
import { cronProblem } from '../../workflows/rules/cron.ts'
import { dayMs, parseDuration } from '../../workflows/rules/durations.ts'
import { type InputError, invalidInput } from '../problem.ts'

const shortestMs = 60_000
const longestMs = 366 * dayMs

/** Reads what a user asks for; throws naming everything that is wrong with it. `timeZone` is the one that counts where none is given. */
export function defineSchedule(asked: NewSchedule, timeZone: string, now: Date): Rhythm {
  const errors: InputError[] = []
  const rhythm: Rhythm = {
    at:
      asked.every === undefined
        ? { cron: readCron(asked.cron ?? ''), timeZone: readTimeZone(asked.timeZone ?? timeZone) }
        : { everyMs: readDuration('/every', asked.every) },
    startAt: asked.startAt === undefined ? null : readStart(asked.startAt),
    overlap: asked.overlap,
    catchUpMs: readDuration('/catchUp', asked.catchUp),
  }
  if ((asked.cron === undefined) === (asked.every === undefined)) {
    throw invalidInput([{ pointer: '', detail: 'Give cron, or every: one of the two.' }])
  }
  if (asked.every !== undefined && asked.timeZone !== undefined) {
    errors.push({ pointer: '/timeZone', detail: 'An interval has no time zone: say by startAt when it begins.' })
  }
  if (errors.length > 0) throw invalidInput(errors)
  return rhythm

  function readCron(line: string): string {
    const problem = cronProblem(line)
    if (problem !== null) errors.push({ pointer: '/cron', detail: problem })
    return line.trim().split(/\s+/).join(' ')
  }

  function readDuration(pointer: string, text: string): number {
    const ms = parseDuration(text)
    if (ms === null) {
      const detail =
        'Give an ISO 8601 duration in weeks or in days, hours and minutes, such as P7D: months have no fixed length.'
      errors.push({ pointer, detail })
    } else if (ms < shortestMs || ms > longestMs) {
      errors.push({ pointer, detail: 'Give at least PT1M and at most P366D.' })
    }
    return ms ?? 0
  }

  // A time that has passed is taken: the same schedule can be sent again.
  function readStart(text: string): Date {
    const start = new Date(text)
    if (!(Math.abs(start.getTime() - now.getTime()) <= longestMs)) {
      errors.push({ pointer: '/startAt', detail: 'Give a time of at most 366 days before or after now.' })
    }
    return start
  }

  function readTimeZone(name: string): string {
    if (!isTimeZone(name)) {
      errors.push({ pointer: '/timeZone', detail: 'No time zone has this name: give one such as America/Chicago.' })
    }
    return name
  }
}

/** By name: a fixed offset such as +02:00 is none to Temporal. */
function isTimeZone(name: string): boolean {
  try {
    return /^[a-z]/i.test(name) && Boolean(new Intl.DateTimeFormat('en', { timeZone: name }))
  } catch {
    return false
  }
}
