/** What clocks show, by the formatter of Intl alone: what the rules about local time are held to. */

const minuteMs = 60_000
const formats = new Map<string, Intl.DateTimeFormat>()

const quarters = new Map<string, number>()

/** Local time less UTC, in ms. Clocks are set on the quarter of an hour, and so each is asked for once. */
function offsetAt(zone: string, at: number): number {
  const quarter = `${zone} ${Math.floor(at / (15 * minuteMs))}`
  let offset = quarters.get(quarter)
  if (offset === undefined) {
    if (quarters.size > 100_000) quarters.clear()
    offset = readOffset(zone, at)
    quarters.set(quarter, offset)
  }
  return offset
}

function readOffset(zone: string, at: number): number {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
    formats.set(zone, format)
  }
  const [, sign, hours, minutes] = /GMT(?:([+-])(\d{2}):(\d{2}))?$/.exec(format.format(at)) ?? []
  return (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * minuteMs
}

/** Local time, as if it were UTC. */
export function shownAt(zone: string, at: number | Date): Date {
  return new Date(Number(at) + offsetAt(zone, Number(at)))
}

/** HH:MM */
export function timeShownAt(zone: string, at: number | Date): string {
  return shownAt(zone, at).toISOString().slice(11, 16)
}

/** Whether it is between two times of day, the second exclusive; over midnight where it comes first, always where they are one. */
export function isWithin({ from, to }: { from: string; to: string }, time: string): boolean {
  if (from < to) return from <= time && time < to
  return from === to || from <= time || time < to
}

/** When the clocks of a zone are set in these years, to the minute. */
export function changesIn(zone: string, firstYear: number, lastYear: number): number[] {
  const changes: number[] = []
  const dayMs = 24 * 60 * minuteMs
  for (let day = Date.UTC(firstYear, 0, 1); day < Date.UTC(lastYear + 1, 0, 1); day += dayMs) {
    if (offsetAt(zone, day) === offsetAt(zone, day + dayMs)) continue
    let [before, after] = [day, day + dayMs]
    while (after - before > minuteMs) {
      const middle = before + Math.floor((after - before) / 2 / minuteMs) * minuteMs
      if (offsetAt(zone, middle) === offsetAt(zone, day)) before = middle
      else after = middle
    }
    changes.push(after)
  }
  return changes
}
