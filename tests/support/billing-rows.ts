import type { Database } from '../../db/client.ts'
import type {
  BillingFacts,
  ShownBilling,
  StripeStatus,
  SubscriptionState,
  Timer,
} from '../../workflows/contracts/subscriptions.ts'

/** The prices of these rows, by their settings. */
export const rowPrices = {
  STRIPE_PRICE_SCOUT: 'price_scout',
  STRIPE_PRICE_HUNTER_149: 'price_hunter',
  STRIPE_PRICE_COMMAND: 'price_command',
  STRIPE_PRICE_STARTER_MONTHLY: 'price_starter',
  STRIPE_PRICE_CALLS_60: 'price_calls',
}

export const june = { startsAt: Date.UTC(2026, 5, 1), endsAt: Date.UTC(2026, 6, 1) }

interface Row {
  id: string
  planKey: string
  priceId: string
  amount: number
  stripeStatus?: StripeStatus
  state?: SubscriptionState
}

let made = 0

/** Each a subscription of its own at Stripe. */
export function scoutRow(changes: Partial<Row> = {}): Row {
  made += 1
  return { id: `sub_${made}`, planKey: 'scout', priceId: 'price_scout', amount: 9_900, ...changes }
}
export const starterRow = (): Row => scoutRow({ planKey: 'starter', priceId: 'price_starter', amount: 1_900 })

interface Seen {
  facts?: Partial<BillingFacts>
  shown?: Partial<ShownBilling>
  timers?: Timer[]
  isFrozen?: boolean
}

/** What Stripe tells of them, and of nothing else. */
export function factsOf(rows: Row[]): BillingFacts {
  return {
    subscriptions: rows.map(({ id, planKey, stripeStatus = 'active' }) => ({
      id,
      status: stripeStatus,
      startedAt: june.startsAt,
      items: [{ planKey, every: 'P1M', period: june }],
      trialEndsAt: null,
      cancelsAt: null,
      endedAt: null,
      ownCardId: null,
      collectionPaused: null,
    })),
    openInvoices: [],
    payments: [],
    refunds: [],
    disputes: [],
    card: null,
  }
}

/** An organisation as the story would have left it: with these subscriptions, in June, and what else was seen. */
export async function billingRows(database: Database, organisationId: string, rows: Row[], seen: Seen = {}) {
  const facts = { ...factsOf(rows), ...seen.facts }
  const shown: ShownBilling = {
    card: null,
    openInvoices: [],
    disputes: [],
    subscriptions: rows.map(({ id, priceId, amount }) => ({
      id,
      prices: [{ priceId, quantity: 1, amount: { amount, currency: 'USD' } }],
    })),
    ...seen.shown,
  }
  const at = new Date(june.startsAt)
  await database.as(organisationId, async (tx) => {
    await tx`
      insert into stripe_customers (stripe_id, created_at) values (${`cus_${organisationId}`}, ${at})
      on conflict (organisation_id) do nothing`
    for (const { id, planKey, stripeStatus = 'active', state = 'active' } of rows) {
      await tx`
        insert into subscriptions (stripe_id, stripe_status, state, access, plan_versions, created_at)
        values (${id}, ${stripeStatus}, ${state}, 'full', ${tx.json({ [planKey]: 1 })}, ${at})`
    }
    await tx`
      insert into billing_states (facts, shown, access, is_frozen, timers, seen_at)
      values (${JSON.stringify(facts)}::text::jsonb, ${JSON.stringify(shown)}::text::jsonb, 'full', ${seen.isFrozen ?? false},
        ${JSON.stringify(seen.timers ?? [])}::text::jsonb, ${at})`
  })
}
