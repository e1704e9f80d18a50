import type { Stripe } from 'stripe'
import type { BillingFacts, ShownBilling } from '../../activities/ports.ts'
import type { Subscribed } from './account.ts'
import { ms } from './values.ts'

/** What somebody pays with, as decides and as is shown. */
export interface Paying {
  card: NonNullable<BillingFacts['card']>
  shown: ShownBilling['card']
}

/**
 * What a customer pays with. Checkout gives each subscription a card of its own, which Stripe charges before the customer's; the portal changes the
 * customer's alone. So the newest of them holds, which is the one that somebody added last: the client charges it by name, and gives
 * it to the subscription that it paid for (charges.ts). Stripe doesn't tell since when a card is the default. Ours is since it was made: whoever goes back to an
 * older one has added none.
 */
export function payingOf(customer: Stripe.Customer, subscriptions: readonly Subscribed[]): Paying | null {
  const { invoice_settings: settings, default_source: source } = customer
  const own = subscriptions
    .map(({ subscription }) => subscription)
    .filter(({ status }) => status !== 'canceled' && status !== 'incomplete_expired')
    .map((one) => one.default_payment_method ?? one.default_source)
  const [newest] = [...own, settings.default_payment_method ?? source]
    .flatMap(paying)
    .toSorted((one, other) => other.card.defaultSince - one.card.defaultSince)
  return newest ?? null
}

/** What is not a card never expires, as far as one can tell. */
const never = Date.UTC(9999, 11, 31)

type Default = Stripe.Subscription['default_payment_method'] | Stripe.Customer['default_source']

function paying(given: Default): Paying[] {
  if (given === null || typeof given === 'string') return []
  if (given.object === 'payment_method') {
    const { id, created, card, customer } = given
    // One that was taken off the customer pays nothing more.
    return customer === null ? [] : [payingBy(id, created, card)]
  }
  // Of before payment methods: a card has no time at all.
  if (given.object === 'card') return [payingBy(given.id, 0, given)]
  return given.object === 'source' ? [payingBy(given.id, given.created, undefined)] : [payingBy(given.id, 0, undefined)]
}

interface CardParts {
  brand: string
  last4: string
  exp_month: number
  exp_year: number
}

function payingBy(id: string, created: number, card: CardParts | undefined): Paying {
  // Good to the end of the month; months count from 0 here and from 1 at Stripe.
  const expiresAt = card ? Date.UTC(card.exp_year, card.exp_month, 1) : never
  return {
    card: { id, expiresAt, defaultSince: ms(created) },
    shown: card ? { brand: card.brand, last4: card.last4, expiresAt } : null,
  }
}

/** How a call names it: what is older than payment methods has a parameter of its own. */
export function payBy(id: string): { payment_method: string } | { source: string } {
  return id.startsWith('pm_') ? { payment_method: id } : { source: id }
}
