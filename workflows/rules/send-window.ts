import type { SendingPolicy } from '../contracts/sending.ts'
import { sinceTimeOfDay, spanAt, timeOfDay } from './clocks.ts'
import { dayMs } from './durations.ts'

const furthestMs = 8 * dayMs

/**
 * The first instant from `from` on that lies within the window in all zones, whose end is exclusive, and the zone that holds it back; null
 * where nobody is. Null as a whole when the zones have no such instant in common within 8 days. A window that opens at a time that the
 * clocks leave out opens when they go on; a time that they show twice counts twice.
 */
export function nextAllowed(
  window: SendingPolicy['window'],
  zones: readonly string[],
  from: Date,
): { at: Date; zone: string | null } | null {
  const opens = timeOfDay(window.from)
  const length = sinceTimeOfDay(timeOfDay(window.to), opens) || dayMs
  const earliest = from.getTime()
  let at = earliest
  let holding: string | null = null
  // No zone opens earlier than `at`, so what one of them moves it to is asked of all the others again.
  for (let index = 0, agreed = 0; agreed < zones.length; index += 1, agreed += 1) {
    const zone = zones[index % zones.length] ?? ''
    const open = openFrom(zone, at, opens, length)
    if (open === at) continue
    if (open - earliest > furthestMs) return null
    at = open
    holding = zone
    agreed = 0
  }
  return { at: new Date(at), zone: holding }
}

/** The first instant from `from` on that lies within the window in this zone. */
function openFrom(zone: string, from: number, opens: number, length: number): number {
  for (let at = from; ; ) {
    const { until, offsetMs } = spanAt(zone, at)
    const since = sinceTimeOfDay(at + offsetMs, opens)
    if (since < length) return at
    const opening = at + dayMs - since
    if (opening < until) return opening
    at = until
  }
}
