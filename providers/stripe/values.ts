import type { Money } from '../../activities/ports.ts'

/** Stripe counts seconds. */
export const ms = (seconds: number): number => seconds * 1_000

export const msOrNull = (seconds: number | null | undefined): number | null =>
  seconds === null || seconds === undefined ? null : ms(seconds)

export const money = (amount: number, currency: string): Money => ({ amount, currency: currency.toUpperCase() })

/** Of what Stripe shows as an id or, where that was asked for, as the object. */
export function idOf(shown: string | { id: string }): string {
  return typeof shown === 'string' ? shown : shown.id
}

export function idOrNull(shown: string | { id: string } | null | undefined): string | null {
  return shown ? idOf(shown) : null
}
