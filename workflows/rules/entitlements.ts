import type { Entitlements, GrantedLimit } from '../contracts/entitlements.ts'
import type { LimitedAct, LimitPeriod, Plan } from '../contracts/plans.ts'
import type { Access, BillingDecision, BillingSituation, SubscriptionFacts } from '../contracts/subscriptions.ts'
import { monthsAfter } from './months.ts'
import { bestAccess, hasBegun } from './subscription-state.ts'

export interface EntitlementsDecision {
  /** Null: nothing was ever subscribed to, and nothing limits. */
  entitlements: Entitlements | null
  /** When the month of a limit is over and the next begins: ms since the epoch; null: nothing changes by itself. */
  changesAt: number | null
}

/**
 * What an organisation may do by its subscriptions. `plans` are those that were bought, in the versions that were. Of several families, features
 * unite and limits add up, so that buying more never takes anything away; what one of them does not limit has no limit. Where months run side
 * by side, those of the oldest subscription count for all.
 */
export function decideEntitlements(
  { facts, plans, now }: Pick<BillingSituation, 'facts' | 'plans' | 'now'>,
  decision: Pick<BillingDecision, 'subscriptions' | 'access'>,
): EntitlementsDecision {
  if (!facts.subscriptions.some(hasBegun)) return { entitlements: null, changesAt: null }
  const access = new Map(decision.subscriptions.map((one) => [one.id, one.access]))
  const bought = facts.subscriptions
    .toSorted((one, other) => one.startedAt - other.startedAt || (one.id < other.id ? -1 : 1))
    .flatMap((one) => boughtWith(one, access.get(one.id) ?? 'none', plans, now))
  const held = biggestOfEachFamily(bought)
  const limits = acts.flatMap((act) => periods.flatMap((per) => sumOf(act, per, held) ?? []))
  const ends = limits.flatMap(({ until }) => (until !== null && until > now ? [until] : []))
  return {
    entitlements: {
      access: decision.access,
      features: [...new Set(held.flatMap(({ plan }) => plan.entitlements.features))].toSorted(),
      limits,
    },
    changesAt: ends.length > 0 ? Math.min(...ends) : null,
  }
}

const acts: readonly LimitedAct[] = ['searches', 'messages', 'contacts']
const periods: readonly LimitPeriod[] = ['day', 'period', 'total']

/** A plan of a subscription that gives some access. */
interface Bought {
  plan: Plan
  access: Access
  month: Month
}

interface Month {
  from: number
  until: number
}

function boughtWith(subscription: SubscriptionFacts, access: Access, plans: readonly Plan[], now: number): Bought[] {
  if (access === 'none') return []
  return subscription.items.flatMap((item) => {
    const plan = plans.find(({ key }) => key === item.planKey)
    return plan ? [{ plan, access, month: monthOf(item, subscription, now) }] : []
  })
}

/** The part of a period that a limit for a month holds in. A trial is one, however long. */
function monthOf(
  { every, period }: SubscriptionFacts['items'][number],
  { status }: SubscriptionFacts,
  now: number,
): Month {
  if (every === 'P1M' || status === 'trialing') return { from: period.startsAt, until: period.endsAt }
  let count = 0
  while (monthsAfter(period.startsAt, count + 1) <= now) count += 1
  const until = monthsAfter(period.startsAt, count + 1)
  return {
    from: monthsAfter(period.startsAt, count),
    until: now < period.endsAt ? Math.min(until, period.endsAt) : until,
  }
}

/** Plans of one family take each other's place: the one with more access, then the bigger one stays. */
function biggestOfEachFamily(bought: readonly Bought[]): Bought[] {
  const families = Map.groupBy(bought, ({ plan }) => plan.family).values()
  const biggest = new Set([...families].flatMap((family) => family.toSorted(byWorth).slice(0, 1)))
  return bought.filter((one) => biggest.has(one))
}

function byWorth(one: Bought, other: Bought): number {
  if (one.access !== other.access) return one.access === 'full' ? -1 : 1
  return other.plan.rank - one.plan.rank
}

/** Null: there is no limit. */
function sumOf(act: LimitedAct, per: LimitPeriod, held: readonly Bought[]): GrantedLimit | null {
  // With less access than others give, nothing is begun that costs: what it would pay for is no search of theirs.
  const best = bestAccess(held)
  const counting = act === 'searches' ? held.filter(({ access }) => access === best) : held
  const limits = counting.map(({ plan }) => plan.entitlements.limits.find((one) => one.act === act && one.per === per))
  const month = per === 'period' ? counting[0]?.month : undefined
  if (limits.length === 0 || limits.some((limit) => limit === undefined)) return null
  const most = limits.reduce((sum, limit) => sum + (limit?.most ?? 0), 0)
  return { act, most, per, from: month?.from ?? null, until: month?.until ?? null }
}
