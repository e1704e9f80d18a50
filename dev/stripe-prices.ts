import { seededPlans } from '../db/seeded-plans.ts'

/** A price as Stripe's stand-in knows it from its start. */
export interface StandInPrice {
  id: string
  product: string
  /** Minor units. */
  unitAmount: number
  /** ISO 4217, lower case. */
  currency: string
  interval: 'month' | 'year' | null
}

/** The ids of the catalogue's prices at Stripe's stand-in, by the settings that hold them; those that are set stay. */
export function standInPriceIds(set: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    seededPlans().flatMap(({ prices }) =>
      prices.map(({ setting }) => [
        setting,
        set[setting] ?? `price_${setting.slice('STRIPE_PRICE_'.length).toLowerCase()}`,
      ]),
    ),
  )
}

/** The catalogue's prices as the stand-in sells them, each under the id that its setting gives. */
export function standInPrices(ids: Readonly<Record<string, string>>): StandInPrice[] {
  return seededPlans().flatMap(({ name, prices }) =>
    prices.flatMap(({ amount, currency, every, setting }) => {
      const id = ids[setting]
      const interval = every === null ? null : intervals[every]
      return id === undefined
        ? []
        : [{ id, product: name, unitAmount: amount, currency: currency.toLowerCase(), interval }]
    }),
  )
}

const intervals = { P1M: 'month', P1Y: 'year' } as const
