import { recordBillingEvents } from '../../db/billing-acts.ts'
import { findCustomer, lastSeenAt, lockCustomer, saveLook } from '../../db/billing-looks.ts'
import { billingMemory, type KnownSubscription, knownSubscriptions } from '../../db/billing-memory.ts'
import type { Database, Tx } from '../../db/client.ts'
import { findPlanVersion, listPlans } from '../../db/plans.ts'
import type { Plan } from '../../workflows/contracts/plans.ts'
import type { BillingLook, LifecycleState } from '../../workflows/contracts/subscription-lifecycle.ts'
import {
  type BillingDecision,
  type BillingFacts,
  type BillingPolicy,
  subscriptionStates,
} from '../../workflows/contracts/subscriptions.ts'
import { decideBilling } from '../../workflows/rules/billing-decision.ts'
import { timelineOf } from '../../workflows/rules/billing-timeline.ts'
import { type Clock, decisionTime } from '../clock.ts'
import { needsRepair } from '../failures.ts'
import type { BillingAccount, BillingProvider } from '../ports.ts'
import { planOfPrices } from './plan-of-price.ts'

export type BillingLookActivities = ReturnType<typeof createBillingLookActivities>

export interface BillingWorld {
  database: Database
  billing: BillingProvider
  /** The ids of prices at the provider, by the settings that hold them. */
  prices: Readonly<Record<string, string>>
  billingPolicy: BillingPolicy
  clock: Clock
}

/** Below the time that an activity has. */
const providerMs = 40_000

const nothing: BillingAccount = {
  facts: { subscriptions: [], openInvoices: [], payments: [], refunds: [], disputes: [], card: null },
  shown: { card: null, openInvoices: [], disputes: [], subscriptions: [] },
  paymentIds: [],
}

export function createBillingLookActivities({ database, billing, prices, billingPolicy, clock }: BillingWorld) {
  return {
    /**
     * Fetches what the provider has of an organisation, decides by it and by what we remember, and writes down how it stands. Returns what
     * is to be done now and what comes next. Repeated, it comes to the same, or to what has changed meanwhile.
     */
    async lookAtBilling({ organisationId, now }: { organisationId: string; now: number }): Promise<BillingLook> {
      const as = <T>(work: (tx: Tx) => Promise<T>) => database.as(organisationId, work)
      const begunAt = decisionTime(clock, now)
      const { customerId, plans } = await as(async (tx) => ({
        customerId: await findCustomer(tx),
        plans: await planOfPrices(tx, prices),
      }))
      if (customerId === null) return idle
      const account = await billing.fetchAccount(customerId, plans, AbortSignal.timeout(providerMs))
      return as(async (tx) => {
        if ((await lockCustomer(tx)) === null) throw needsRepair('stripe:no_such_customer')
        const seen = await decide(tx, { organisationId, account: account ?? nothing, at: begunAt })
        // Another look that began later has been written meanwhile: what this one saw is old.
        const before = await lastSeenAt(tx)
        if (before === null || before <= begunAt) await save(tx, seen)
        return lookOf(seen.decision)
      })
    },
  }

  async function decide(
    tx: Tx,
    { organisationId, account, at }: { organisationId: string; account: BillingAccount; at: Date },
  ) {
    const { facts } = account
    const known = await knownSubscriptions(tx)
    const { plans, versions } = await plansOf(tx, known)
    const memory = await billingMemory(tx, known)
    const situation = { organisationId, facts, memory, plans, policy: billingPolicy, now: at.getTime() }
    return { account, known, versions, decision: decideBilling(situation), at }
  }

  async function save(tx: Tx, { account, known, versions, decision, at }: Awaited<ReturnType<typeof decide>>) {
    const { facts, shown, paymentIds } = account
    const before = known.map(({ id, state, planVersions }) => ({
      id,
      state,
      plans: Object.keys(planVersions).toSorted(byText),
    }))
    await recordBillingEvents(tx, timelineOf(before, { facts, decision, now: at.getTime() }))
    const planVersions = versionsOf(facts, known, versions)
    await saveLook(tx, { facts, shown, decision, planVersions, paymentIds, seenAt: at })
  }
}

/** The catalogue as this organisation has bought of it: a plan that it has keeps the version by which it was bought. */
async function plansOf(
  tx: Tx,
  known: readonly KnownSubscription[],
): Promise<{ plans: Plan[]; versions: ReadonlyMap<string, number> }> {
  const bought = new Map<string, number>()
  for (const [key, version] of known.flatMap(({ planVersions }) => Object.entries(planVersions))) {
    bought.set(key, Math.min(version, bought.get(key) ?? version))
  }
  const all = await listPlans(tx, { family: null, withRetired: true })
  const plans: Plan[] = []
  const versions = new Map<string, number>()
  for (const newest of all) {
    const version = bought.get(newest.definition.key) ?? newest.version
    const plan = version === newest.version ? newest : await findPlanVersion(tx, newest.definition.key, version)
    if (!plan) continue
    plans.push(plan.definition)
    versions.set(plan.definition.key, plan.version)
  }
  return { plans, versions }
}

/** What is subscribed to now, each plan in the version by which it was bought: now, where it was not there before. */
function versionsOf(
  { subscriptions }: BillingFacts,
  known: readonly KnownSubscription[],
  newest: ReadonlyMap<string, number>,
): ReadonlyMap<string, Record<string, number>> {
  return new Map(
    subscriptions.map(({ id, items }) => {
      const before = known.find((one) => one.id === id)?.planVersions ?? {}
      const keys = [...new Set(items.map(({ planKey }) => planKey))]
      return [id, Object.fromEntries(keys.map((key) => [key, before[key] ?? newest.get(key) ?? 0]))]
    }),
  )
}

function lookOf({ subscriptions, access, isFrozen, acts, timers }: BillingDecision): BillingLook {
  const [next] = timers
  const states = subscriptions.map(({ state }) => state)
  const state: LifecycleState = subscriptionStates.find((one) => states.includes(one)) ?? 'none'
  return { state, access, isFrozen, acts, next: next ? { at: next.at, what: next.what } : null }
}

const idle: BillingLook = { state: 'none', access: 'none', isFrozen: false, acts: [], next: null }

const byText = (one: string, other: string): number => (one < other ? -1 : 1)
