import type { Plan } from '../workflows/contracts/plans.ts'
import type {
  Access,
  BillingFacts,
  OperatorSwitch,
  ShownBilling,
  StripeStatus,
  SubscriptionState,
  Timer,
} from '../workflows/contracts/subscriptions.ts'
import type { Tx } from './client.ts'

/** How it stood with an organisation when it was last looked at Stripe. */
export interface BillingState {
  facts: BillingFacts
  shown: ShownBilling
  isFrozen: boolean
  timers: Timer[]
  seenAt: Date
}

/** Null: nobody has looked yet, since there was no reason to. */
export async function findBillingState(tx: Tx): Promise<BillingState | null> {
  const [row] = await tx<BillingState[]>`select facts, shown, is_frozen, timers, seen_at from billing_states`
  return row ?? null
}

export interface KnownSubscription {
  /** At Stripe. */
  id: string
  stripeStatus: StripeStatus
  state: SubscriptionState
  access: Access
  overdueSince: Date | null
  /** By key, each in the version that was bought; null: the catalogue has none of that name. */
  plans: { key: string; version: number; definition: Plan | null }[]
}

/** All that there ever were, the oldest first. */
export async function listSubscriptions(tx: Tx): Promise<KnownSubscription[]> {
  return tx<KnownSubscription[]>`
    select stripe_id as id, stripe_status, state, access, overdue_since,
      array(
        select jsonb_build_object('key', held.key, 'version', held.value::int, 'definition', saved.definition)
        from jsonb_each_text(subscriptions.plan_versions) as held
          left join plan_versions as saved on saved.plan_key = held.key and saved.version = held.value::int
        order by held.key
      ) as plans
    from subscriptions order by created_at, id`
}

export interface SwitchedOnBy {
  name: OperatorSwitch
  reason: string
  author: string
  onAt: Date
}

/** What an operator has switched on, and not off again. */
export async function listSwitches(tx: Tx): Promise<SwitchedOnBy[]> {
  return tx<SwitchedOnBy[]>`
    select name, reason, author, on_at from billing_switches where off_at is null order by on_at, name`
}
