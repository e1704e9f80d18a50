import type { LocalMoment } from '../contracts/sequences.ts'
import { spanAt, timeOfDay } from './clocks.ts'
import { dayMs } from './durations.ts'

/**
 * The first instant after `after`, and not at it, at which it is that time of one of those days; where a person may be in several zones,
 * the first by which it has been so in each, so that nobody is early. A time that the clocks leave out is the end of the gap, one that
 * they show twice the first of the two.
 */
export function momentAfter(moment: LocalMoment, zones: readonly string[], after: Date): Date {
  return new Date(Math.max(...zones.map((zone) => momentIn(zone, moment, after.getTime()))))
}

function momentIn(zone: string, { weekdays, at = '00:00' }: LocalMoment, after: number): number {
  const today = Math.floor((after + spanAt(zone, after).offsetMs) / dayMs)
  // Today's may be over, and so a week is eight days.
  for (let day = today; day <= today + 7; day += 1) {
    if (weekdays !== undefined && !weekdays.includes(weekdayOf(day))) continue
    const instant = firstAt(zone, day * dayMs + timeOfDay(at))
    if (instant > after) return instant
  }
  throw new Error('no_such_weekday')
}

/** Of a day counted from 1 January 1970, a Thursday: 1 Monday to 7 Sunday. */
function weekdayOf(day: number): number {
  return ((((day + 3) % 7) + 7) % 7) + 1
}

/** When the clocks of a zone first show a local time, given in ms as if it were UTC. */
function firstAt(zone: string, local: number): number {
  // Nowhere is it earlier than a day before.
  let span = spanAt(zone, local - dayMs)
  while (local - span.offsetMs >= span.until) span = spanAt(zone, span.until)
  return Math.max(local - span.offsetMs, span.from)
}
