import { randomUUID } from 'node:crypto'
import type { Sql } from 'postgres'
import { recordBillingEvents } from '../../db/billing-acts.ts'
import { saveLook } from '../../db/billing-looks.ts'
import { billingMemory } from '../../db/billing-memory.ts'
import { leftBehind, moveChange } from '../../db/billing-requests.ts'
import { adoptUnmatched } from '../../db/billing-routing.ts'
import { findBillingState, type KnownSubscription, listSubscriptions } from '../../db/billing-states.ts'
import type { Database, Tx } from '../../db/client.ts'
import { creditWatch } from '../../db/credit-top-ups.ts'
import { saveEntitlements, wakeForEntitlements } from '../../db/entitlements.ts'
import { saveMeteredTypes, unreportedSince } from '../../db/metered-usage.ts'
import { meterOfPrices, planOfPrices } from '../../db/plan-of-price.ts'
import { listPlans } from '../../db/plans.ts'
import { findStripeCustomer, lockCustomer } from '../../db/stripe-customers.ts'
import type { MeteredType } from '../../workflows/contracts/credits.ts'
import type { Entitlements } from '../../workflows/contracts/entitlements.ts'
import type { Plan } from '../../workflows/contracts/plans.ts'
import type { BillingLook } from '../../workflows/contracts/subscription-lifecycle.ts'
import {
  type BillingDecision,
  type BillingFacts,
  type BillingMemory,
  type BillingPolicy,
  bestState,
} from '../../workflows/contracts/subscriptions.ts'
import { decideBilling } from '../../workflows/rules/billing-decision.ts'
import { noFacts } from '../../workflows/rules/billing-differences.ts'
import { timelineOf } from '../../workflows/rules/billing-timeline.ts'
import { decideEntitlements } from '../../workflows/rules/entitlements.ts'
import { decideMeteredTypes } from '../../workflows/rules/metered-types.ts'
import { timeOfChange } from '../../workflows/rules/plan-change-times.ts'
import { type Clock, decisionTime } from '../clock.ts'
import { needsRepair } from '../failures.ts'
import type { BillingAccount, BillingProvider } from '../ports.ts'
import { reportAtOf } from './metered-usage.ts'

export type BillingLookActivities = ReturnType<typeof createBillingLookActivities>

export interface BillingWorld {
  database: Database
  billing: BillingProvider
  /** The ids of prices at the provider, by the settings that hold them. */
  prices: Readonly<Record<string, string>>
  billingPolicy: BillingPolicy
  clock: Clock
}

export interface BillingLookWorld extends BillingWorld {
  /** For what was told before anybody knew whose it is. */
  system: Sql
  /** Keeps whom the notices go to. */
  keepPayer: (organisationId: string, email: string | null, now: Date) => Promise<void>
  /** Goes on with notices that have not gone yet, or may have; tells when to ask again, in ms since the epoch. */
  followUpNotices: (asked: { organisationId: string; now: number }) => Promise<{ again: number | null }>
}

/** An Update comes within seconds of its row. */
const leftBehindMs = 60_000

/** Below the time that an activity has. */
const providerMs = 40_000

/** Of a customer whom Stripe does not know any more. */
const nothing: BillingAccount = {
  facts: noFacts,
  shown: { card: null, openInvoices: [], disputes: [], subscriptions: [] },
  paymentIds: [],
  email: null,
}

export function createBillingLookActivities(world: BillingLookWorld) {
  const { database, system, billing, prices, billingPolicy, clock, keepPayer, followUpNotices } = world
  return {
    /**
     * Fetches what the provider has of an organisation, decides by it and by what we remember, and writes down how it stands. Returns what
     * is to be done now and what comes next. Repeated, it comes to the same, or to what has changed meanwhile.
     */
    async lookAtBilling({ organisationId, now }: { organisationId: string; now: number }): Promise<BillingLook> {
      const as = <T>(work: (tx: Tx) => Promise<T>) => database.as(organisationId, work)
      const begunAt = decisionTime(clock, now)
      const { customerId, plans } = await as(async (tx) => ({
        customerId: await findStripeCustomer(tx),
        plans: await planOfPrices(tx, prices),
      }))
      if (customerId === null) return idle
      const account = await billing.fetchAccount(customerId, plans, AbortSignal.timeout(providerMs))
      await keepPayer(organisationId, account?.email ?? null, begunAt)
      const { again } = await followUpNotices({ organisationId, now })
      const { seen, newIds, requests, reportAt } = await as(async (tx) => {
        if ((await lockCustomer(tx)) === null) throw needsRepair('stripe:no_such_customer')
        const decided = await decide(tx, { organisationId, account: account ?? nothing, at: begunAt })
        // Another look that began later has been written meanwhile: what this one saw is old.
        const before = (await findBillingState(tx))?.seenAt ?? null
        const isNewest = before === null || before <= begunAt
        const newPayments = isNewest ? await save(tx, decided) : []
        return {
          seen: decided,
          newIds: before === null ? [customerId, ...newPayments] : newPayments,
          requests: await leftBehind(tx, new Date(begunAt.getTime() - leftBehindMs)),
          reportAt: reportAtOf(await unreportedSince(tx, begunAt)),
        }
      })
      // Their events are the story's, which is looking already.
      if (newIds.length > 0)
        await adoptUnmatched({ database, system }, newIds, { requestId: randomUUID(), now: begunAt })
      return { ...lookOf(seen, again), requests, reportAt }
    },
  }

  async function decide(
    tx: Tx,
    { organisationId, account, at }: { organisationId: string; account: BillingAccount; at: Date },
  ): Promise<Seen> {
    const { facts } = account
    const known = await listSubscriptions(tx)
    const { plans, versions } = await plansOf(tx, known)
    const memory = await rescheduled(tx, await billingMemory(tx, known), facts)
    const credits = await creditWatch(tx, at)
    const situation = { organisationId, facts, memory, plans, policy: billingPolicy, credits, now: at.getTime() }
    const decision = decideBilling(situation)
    const metered = decideMeteredTypes(facts, decision, await meterOfPrices(tx, prices))
    return { account, known, versions, decision, metered, at, ...decideEntitlements(situation, decision) }
  }

  async function save(tx: Tx, { account, known, versions, decision, metered, at, entitlements }: Seen) {
    const { facts, shown, paymentIds } = account
    const before = known.map(({ id, state, plans }) => ({ id, state, plans: plans.map(({ key }) => key) }))
    await recordBillingEvents(tx, timelineOf(before, { facts, decision, now: at.getTime() }))
    const planVersions = versionsOf(facts, known, versions)
    const newPayments = await saveLook(tx, { facts, shown, decision, planVersions, paymentIds, seenAt: at })
    await saveMeteredTypes(tx, metered, at)
    // Whoever waits for what the plans did not give; the sweep tells them, within the minute.
    if (await saveEntitlements(tx, entitlements, at))
      await wakeForEntitlements(tx, { requestId: randomUUID(), now: at })
    return newPayments
  }
}

/** What a look comes to. */
interface Seen {
  account: BillingAccount
  known: KnownSubscription[]
  versions: ReadonlyMap<string, number>
  decision: BillingDecision
  metered: MeteredType[]
  entitlements: Entitlements | null
  /** When they change by themselves: ms since the epoch. */
  changesAt: number | null
  at: Date
}

/** Changes that wait, each at the end of the period that runs now. */
async function rescheduled(tx: Tx, memory: BillingMemory, { subscriptions }: BillingFacts): Promise<BillingMemory> {
  const changes = memory.changes.map((change) => {
    const subscription = subscriptions.find(({ id }) => id === change.subscriptionId)
    return subscription ? { ...change, at: timeOfChange(change.at, subscription) } : change
  })
  for (const [index, { id, at }] of changes.entries()) {
    if (at !== memory.changes[index]?.at) await moveChange(tx, id, new Date(at))
  }
  return { ...memory, changes }
}

/** The catalogue as this organisation has bought of it: a plan that it has keeps the version by which it was bought, of several the first. */
async function plansOf(
  tx: Tx,
  known: readonly KnownSubscription[],
): Promise<{ plans: Plan[]; versions: ReadonlyMap<string, number> }> {
  const newest = await listPlans(tx, { family: null, withRetired: true })
  const chosen = new Map(newest.map(({ version, definition }) => [definition.key, { version, definition }]))
  const bought = known.flatMap(({ plans }) => plans).toSorted((one, other) => other.version - one.version)
  for (const { key, version, definition } of bought) if (definition) chosen.set(key, { version, definition })
  return {
    plans: [...chosen.values()].map(({ definition }) => definition),
    versions: new Map([...chosen].map(([key, { version }]) => [key, version])),
  }
}

/** What is subscribed to now, each plan in the version by which it was bought: now, where it was not there before. */
function versionsOf(
  { subscriptions }: BillingFacts,
  known: readonly KnownSubscription[],
  newest: ReadonlyMap<string, number>,
): ReadonlyMap<string, Record<string, number>> {
  return new Map(
    subscriptions.map(({ id, items }) => {
      const before = new Map(known.find((one) => one.id === id)?.plans.map(({ key, version }) => [key, version]))
      const keys = [...new Set(items.map(({ planKey }) => planKey))]
      return [id, Object.fromEntries(keys.map((key) => [key, before.get(key) ?? newest.get(key) ?? 0]))]
    }),
  )
}

function lookOf(
  { decision, changesAt }: Seen,
  noticesAgain: number | null,
): Omit<BillingLook, 'requests' | 'reportAt'> {
  const { subscriptions, access, isFrozen, acts, timers } = decision
  const month = changesAt === null ? [] : [{ at: changesAt, what: 'next_month' }]
  const notices = noticesAgain === null ? [] : [{ at: noticesAgain, what: 'unclear_notices' }]
  const [next] = [...timers, ...month, ...notices].toSorted((one, other) => one.at - other.at)
  return {
    state: bestState(subscriptions),
    access,
    isFrozen,
    acts,
    next: next ? { at: next.at, what: next.what } : null,
  }
}

const idle: BillingLook = {
  state: 'none',
  access: 'none',
  isFrozen: false,
  acts: [],
  requests: [],
  next: null,
  reportAt: null,
}
