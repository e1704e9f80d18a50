/**
 * So many months after a moment, as Stripe counts them, in UTC: from the 31st they end on the last day of shorter months, and on the 31st again
 * where there is one. Moments are ms since the epoch.
 */
export function monthsAfter(anchoredAt: number, count: number): number {
  const anchor = new Date(anchoredAt)
  const year = anchor.getUTCFullYear()
  const month = anchor.getUTCMonth() + count
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  return anchor.setUTCFullYear(year, month, Math.min(anchor.getUTCDate(), lastDay))
}
