import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { dayMs, hourMs } from './billing-situations.ts'
import type { WebhookManner } from './stripe-in-process.ts'

/** What becomes of webhooks between Stripe and us. The same seed brings the same. */
export type Weather = WebhookManner

export const someWeather: fc.Arbitrary<Weather> = fc.record({
  lost: fc.constant(0.3),
  duplicates: fc.integer({ min: 1, max: 10 }),
  reorder: fc.constant(true),
  seed: fc.nat(1_000_000),
})

/**
 * How late a webhook comes that was sent then, in ms: half of them at once, the others within two days; null: never. Several tell of almost all that
 * happens, and one would do: so on three days of ten there is nobody who hears, whatever else is lost.
 */
export function delayOf({ seed }: Weather, number: number, sentAt: number): number | null {
  if (lot(`${seed}/deaf/${Math.floor(sentAt / dayMs)}`) < 0.3) return null
  const drawn = lot(`${seed}/late/${number}`)
  return drawn < 0.5 ? 0 : Math.floor((2 * drawn - 1) ** 3 * 48) * hourMs
}

/** The first of the story's own looks, one a day, that is not before `now`. */
export function dailyLook({ seed }: Weather, began: number, now: number): number {
  const first = began + Math.floor(lot(`${seed}/look`) * 24) * hourMs
  return first + Math.max(0, Math.ceil((now - first) / dayMs)) * dayMs
}

/** From 0 to 1. */
function lot(name: string): number {
  return createHash('sha256').update(name).digest().readUInt32BE(0) / 2 ** 32
}
