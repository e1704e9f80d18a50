const secondMs = 1_000
const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs
export const dayMs = 24 * hourMs

/** An ISO 8601 duration in ms; null for what is none, and for years and months, which have no fixed length. */
export function parseDuration(text: string): number | null {
  const parts = /^P(?=\d|T\d)(?:(\d+)W|(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?)$/.exec(text)
  if (!parts) return null
  const [weeks, days, hours, minutes, seconds] = parts.slice(1).map((part: string | undefined) => Number(part ?? 0))
  if (weeks === undefined || days === undefined) return null
  const time = (hours ?? 0) * hourMs + (minutes ?? 0) * minuteMs + (seconds ?? 0) * secondMs
  return (weeks * 7 + days) * dayMs + time
}

/** The same of a duration that was checked when it was saved; throws for what is none. */
export function durationMs(text: string): number {
  const ms = parseDuration(text)
  if (ms === null) throw new Error(`not a duration: ${text.slice(0, 50)}`)
  return ms
}

/** In days, hours, minutes and seconds: 90 minutes are PT1H30M. Less than a second is left out. */
export function formatDuration(ms: number): string {
  const days = Math.floor(ms / dayMs)
  const hours = Math.floor((ms % dayMs) / hourMs)
  const minutes = Math.floor((ms % hourMs) / minuteMs)
  const seconds = Math.floor((ms % minuteMs) / secondMs)
  const time = `${hours ? `${hours}H` : ''}${minutes ? `${minutes}M` : ''}${seconds ? `${seconds}S` : ''}`
  return days === 0 && time === '' ? 'PT0S' : `P${days ? `${days}D` : ''}${time && `T${time}`}`
}
