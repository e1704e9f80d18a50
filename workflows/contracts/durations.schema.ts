import { z } from 'zod'
import { dayMs, parseDuration } from '../rules/durations.ts'

/** An ISO 8601 duration of up to so many days, as it was written. */
export function durationUpTo(mostDays: number) {
  return z
    .string()
    .max(50)
    .check(({ value, issues }) => {
      const ms = parseDuration(value)
      const message =
        ms === null
          ? 'Give an ISO 8601 duration such as P3D or PT90M: years and months have no fixed length.'
          : `Give at most ${mostDays} days.`
      if (ms === null || ms > mostDays * dayMs) issues.push({ code: 'custom', message, input: value })
    })
    .meta({ description: `ISO 8601, without years and months, of at most ${mostDays} days`, example: 'P3D' })
}

export const Duration = durationUpTo(400)

/** One of more than so many seconds. */
export function durationAbove(seconds: number) {
  return Duration.refine(
    (text) => (parseDuration(text) ?? Infinity) > seconds * 1000,
    `Give more than ${seconds} seconds.`,
  )
}

/** Whether the one lasts longer than the other; false where one is no duration. */
export function isLonger(one: string, other: string): boolean {
  return (parseDuration(one) ?? Number.NaN) > (parseDuration(other) ?? Number.NaN)
}
