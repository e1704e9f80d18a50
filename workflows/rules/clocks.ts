import { Temporal } from 'temporal-polyfill'
import { dayMs } from './durations.ts'

/** A stretch of time in which a zone's clocks are not set, in ms since the epoch; infinite where nothing is known to change them. */
export interface Span {
  from: number
  /** Exclusive. */
  until: number
  /** Local time less UTC, in ms. */
  offsetMs: number
}

// More than there are zones, and than anyone plans ahead: whoever invents spellings of zones, or asks for far years, costs time, not memory.
const mostZones = 1_000
const mostSpans = 50
const spansByZone = new Map<string, Span[]>()

/** The span that an instant lies in. Throws RangeError for what is no zone. */
export function spanAt(zone: string, at: number): Span {
  const spans = spansByZone.get(zone)
  if (spans !== undefined) {
    for (const span of spans) if (at >= span.from && at < span.until) return span
  }
  return learnSpan(zone, at, spans ?? [])
}

function learnSpan(zone: string, at: number, known: readonly Span[]): Span {
  const here = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone)
  // Looked back on from a moment later: `previous` leaves out the change that happens right now.
  const before = here.add({ milliseconds: 1 }).getTimeZoneTransition('previous')
  const after = here.getTimeZoneTransition('next')
  const span = {
    from: before?.epochMilliseconds ?? -Infinity,
    until: after?.epochMilliseconds ?? Infinity,
    offsetMs: here.offsetNanoseconds / 1_000_000,
  }
  if (spansByZone.size >= mostZones) spansByZone.clear()
  spansByZone.set(zone, [span, ...known.slice(0, mostSpans - 1)])
  return span
}

/** By name: a fixed offset such as +02:00 is nobody's zone. */
export function isTimeZone(name: string): boolean {
  if (!/^[a-z]/i.test(name)) return false
  try {
    spanAt(name, 0)
    return true
  } catch {
    return false
  }
}

/** Of HH:MM, in ms since midnight. */
export function timeOfDay(text: string): number {
  return (Number(text.slice(0, 2)) * 60 + Number(text.slice(3))) * 60_000
}

/** How long ago it was last that time of day, in ms, when it is now `local`; for clocks that were not set meanwhile. */
export function sinceTimeOfDay(local: number, time: number): number {
  return (((local - time) % dayMs) + dayMs) % dayMs
}
