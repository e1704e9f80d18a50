import type { Period } from './sandbox-billing-objects.ts'
import type { Interval, Price } from './sandbox-objects.ts'
import { day } from './sandbox-values.ts'

/** The period of a price in which a time falls, counted from the anchor; the 31st of a short month is its last day. */
export function periodAt(anchor: number, price: Price, at: number): Period {
  const { interval, interval_count: step } = price.recurring ?? { interval: 'month', interval_count: 1 }
  let count = Math.max(0, Math.floor((at - anchor) / (step * longest[interval])))
  while (shifted(anchor, interval, (count + 1) * step) <= at) count += 1
  return { start: shifted(anchor, interval, count * step), end: shifted(anchor, interval, (count + 1) * step) }
}

const longest: Record<Interval, number> = { day, week: 7 * day, month: 31 * day, year: 366 * day }

function shifted(anchor: number, interval: Interval, count: number): number {
  if (interval === 'day' || interval === 'week') return anchor + count * longest[interval]
  const from = new Date(anchor * 1000)
  const months = from.getUTCMonth() + count * (interval === 'year' ? 12 : 1)
  const lastDay = new Date(Date.UTC(from.getUTCFullYear(), months + 1, 0)).getUTCDate()
  const to = new Date(from)
  to.setUTCFullYear(from.getUTCFullYear(), months, Math.min(from.getUTCDate(), lastDay))
  return Math.floor(to.getTime() / 1000)
}

/** What of an amount falls on the rest of a period, to the cent. */
export function shareOf(amount: number, { start, end }: Period, from: number): number {
  return Math.round((amount * Math.max(0, end - from)) / (end - start))
}
