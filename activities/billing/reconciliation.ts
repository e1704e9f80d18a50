import { setTimeout as pause } from 'node:timers/promises'
import type { Sql } from 'postgres'
import { knownCustomersAfter, settleDifferences, unknownCustomers } from '../../db/billing-comparison.ts'
import {
  closeReconciliation,
  insertReconciliation,
  moveReconciliation,
  type ReconciliationPlace,
  reconciliationPlace,
  recordDifference,
} from '../../db/billing-reconciliations.ts'
import type { Database, Tx } from '../../db/client.ts'
import { platformOrganisationId } from '../../db/organisations.ts'
import type { Delivery } from '../../db/outbox.ts'
import { planOfPrices } from '../../db/plan-of-price.ts'
import type { DifferenceWord, ReconciliationResult } from '../../workflows/contracts/billing-reconciliation.ts'
import { chunks } from '../chunks.ts'
import { type Clock, decisionTime } from '../clock.ts'
import { notFound } from '../failures.ts'
import { whileHeartbeating } from '../heartbeat.ts'
import type { BillingProvider } from '../ports.ts'
import { createComparison } from './comparison.ts'

export type ReconciliationActivities = ReturnType<typeof createReconciliationActivities>

interface ReconciliationWorld {
  database: Database
  system: Sql
  billing: BillingProvider
  /** Ids of prices at Stripe by the settings that hold them. */
  prices: Readonly<Record<string, string>>
  clock: Clock
  stories: Delivery
  pace?: Pace
}

interface Pace {
  /** Accounts that are fetched together, or pages of subscribers that are fetched one after the other, before the next pause is over. */
  accountsAtOnce: number
  pauseMs: number
  /** How many one activity compares. */
  accountsPerBatch: number
  pagesPerBatch: number
}

/** An account takes up to eight requests, and a test account of Stripe's gives 25 a second to all who ask. */
const usualPace: Pace = { accountsAtOnce: 2, pauseMs: 1_000, accountsPerBatch: 200, pagesPerBatch: 100 }

const subscribersPerPage = 100

interface Step {
  reconciliationId: string
  /** The workflow's, in ms since the epoch. */
  now: number
}

export function createReconciliationActivities({ pace = usualPace, ...world }: ReconciliationWorld) {
  const { database, system, billing, prices, clock } = world
  const comparison = createComparison(world, asPlatform)

  return {
    /** The row of this story, made once, by the workflow's id of its first run. */
    async beginReconciliation({ begunBy, now }: { begunBy: string; now: number }): Promise<string> {
      await settleDifferences(system)
      return asPlatform((tx) => insertReconciliation(tx, { begunBy, now: decisionTime(clock, now) }))
    },

    /**
     * Compares the next customers whom we know. Of those that differ it is recorded and their stories are woken before the row moves on: whoever
     * begins anew after a kill does no more than that once more.
     */
    async reconcileCustomers({ reconciliationId: id, now }: Step): Promise<{ isDone: boolean }> {
      let compared = 0
      return whileHeartbeating(
        () => ({ compared }),
        async (signal) => {
          let from = await placeOf(id)
          if (from.stage !== 'customers') return { isDone: true }
          const customers = await knownCustomersAfter(system, { after: from.after, limit: pace.accountsPerBatch })
          const plans = await asPlatform((tx) => planOfPrices(tx, prices))
          for (const group of chunks(customers, pace.accountsAtOnce)) {
            const askedAt = decisionTime(clock, now)
            const fetched = await paced(Promise.all(group.map((one) => comparison.fetch(one, plans, signal))), signal)
            await comparison.compare(id, fetched, askedAt)
            const to: ReconciliationPlace = { stage: 'customers', after: group.at(-1)?.organisationId ?? null }
            if (!(await move(id, from, to, group.length))) return { isDone: false }
            compared += group.length
            from = to
          }
          const isDone = customers.length < pace.accountsPerBatch
          if (isDone) await move(id, from, { stage: 'subscribers', after: null })
          return { isDone }
        },
      )
    },

    /** Looks through the next subscribers at the provider for customers whom we do not know. They may be another product's, or lost. */
    async findUnknownCustomers({ reconciliationId: id, now }: Step): Promise<{ isDone: boolean }> {
      let pages = 0
      return whileHeartbeating(
        () => ({ pages }),
        async (signal) => {
          for (let from = await placeOf(id); pages < pace.pagesPerBatch; pages += 1) {
            if (from.stage === 'done') return { isDone: true }
            const page = { limit: subscribersPerPage, after: from.after }
            const { subscribers, after } = await paced(billing.listSubscribers(page, signal), signal)
            await recordUnknown(
              id,
              subscribers.map(({ customerId }) => customerId),
              decisionTime(clock, now),
            )
            const to: ReconciliationPlace = { stage: after === null ? 'done' : 'subscribers', after }
            if (!(await move(id, from, to))) return { isDone: false }
            from = to
          }
          return { isDone: false }
        },
      )
    },

    /** Closes the row: `problem` is the code for which it could not go on, null when it went to its end. */
    async endReconciliation(ended: Step & { problem: string | null }): Promise<ReconciliationResult> {
      const { reconciliationId: id, problem } = ended
      await settleDifferences(system)
      const result = await asPlatform((tx) =>
        closeReconciliation(tx, { id, problem, now: decisionTime(clock, ended.now) }),
      )
      if (result === null) throw notFound('reconciliation')
      return result
    },
  }

  async function asPlatform<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return database.as(await platformOrganisationId(system), work)
  }

  async function placeOf(id: string): Promise<ReconciliationPlace> {
    const place = await asPlatform((tx) => reconciliationPlace(tx, id))
    if (place === null) throw notFound('reconciliation')
    return place
  }

  /** False when another attempt was there first: whoever comes next goes on from where that one is. */
  function move(id: string, from: ReconciliationPlace, to: ReconciliationPlace, customers = 0): Promise<boolean> {
    return asPlatform((tx) => moveReconciliation(tx, id, { from, to, customers }))
  }

  async function paced<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    const [done] = await Promise.all([work, pause(pace.pauseMs, undefined, { signal })])
    return done
  }

  async function recordUnknown(id: string, customerIds: readonly string[], now: Date): Promise<void> {
    const unknown = await unknownCustomers(system, customerIds)
    if (unknown.length === 0) return
    const what: DifferenceWord[] = ['unknown_customer']
    await asPlatform(async (tx) => {
      for (const customerId of unknown) {
        await recordDifference(tx, { reconciliationId: id, customerId, organisationId: null, what, now })
      }
    })
  }
}
