import type { Sql } from 'postgres'
import { factsSeenOf, type KnownCustomer, type SeenFacts } from '../../db/billing-comparison.ts'
import { recordDifference } from '../../db/billing-reconciliations.ts'
import { adoptUnmatched } from '../../db/billing-routing.ts'
import { wakeBilling } from '../../db/billing-story.ts'
import type { Database, Tx } from '../../db/client.ts'
import type { Delivery } from '../../db/outbox.ts'
import type { DifferenceWord } from '../../workflows/contracts/billing-reconciliation.ts'
import { differingFacts, noFacts } from '../../workflows/rules/billing-differences.ts'
import { handOver } from '../handing-over.ts'
import { type BillingFacts, type BillingProvider, type PlanOfPrice, ProviderError } from '../ports.ts'

/** What Stripe has of a customer of ours; `facts` null: nothing that we understand. */
interface Fetched extends KnownCustomer {
  facts: BillingFacts | null
  paymentIds: readonly string[]
}

interface ComparedWorld {
  database: Database
  system: Sql
  billing: BillingProvider
  stories: Delivery
}

/** Holds what Stripe has against what we have seen; `asPlatform` writes what comes of it. */
export function createComparison(world: ComparedWorld, asPlatform: (work: (tx: Tx) => Promise<void>) => Promise<void>) {
  const { database, system, billing } = world

  return {
    /** One account that cannot be read keeps nobody else from being compared. */
    async fetch(customer: KnownCustomer, plans: PlanOfPrice, signal: AbortSignal): Promise<Fetched> {
      try {
        const account = await billing.fetchAccount(customer.customerId, plans, signal)
        return { ...customer, facts: account?.facts ?? noFacts, paymentIds: account?.paymentIds ?? [] }
      } catch (error) {
        if (isOfOneAccount(error)) return { ...customer, facts: null, paymentIds: [] }
        throw error
      }
    },

    /**
     * Records for a reconciliation who of them differs, has their stories look again, and gives them the events that came before they were known.
     * `askedAt`: when the first of them was asked for.
     */
    async compare(reconciliationId: string, fetched: readonly Fetched[], askedAt: Date): Promise<void> {
      const ids = fetched.map(({ organisationId }) => organisationId)
      const seen = await factsSeenOf(system, ids)
      for (const { organisationId, customerId, facts } of fetched) {
        const what = differences(facts, seen.get(organisationId), askedAt)
        if (what.length === 0) continue
        const found = { reconciliationId, customerId, organisationId, what, now: askedAt }
        await asPlatform((tx) => recordDifference(tx, found))
        if (facts !== null) await wake(organisationId, `reconciliation/${reconciliationId}`, askedAt)
      }
      await adopt(fetched, `reconciliation/${reconciliationId}`, askedAt)
    },
  }

  async function adopt(fetched: readonly Fetched[], requestId: string, now: Date): Promise<void> {
    const stripeIds = fetched.flatMap(({ customerId, paymentIds }) => [customerId, ...paymentIds])
    const adopted = await adoptUnmatched({ database, system }, stripeIds, { requestId, now })
    for (const workflowId of adopted) await handOver(world, workflowId, now)
  }

  async function wake(organisationId: string, requestId: string, now: Date): Promise<void> {
    const workflowId = await database.as(organisationId, (tx) => wakeBilling(tx, { organisationId, requestId }, now))
    await handOver(world, workflowId, now)
  }
}

function differences(
  current: BillingFacts | null,
  seen: SeenFacts | undefined,
  askedAt: Date,
): (keyof BillingFacts | DifferenceWord)[] {
  if (current === null) return ['unreadable']
  // Its story has looked in the meantime, and knows better than what was fetched here.
  if (seen && seen.seenAt > askedAt) return []
  return differingFacts(seen?.facts ?? noFacts, current)
}

/** Neither the key, nor the network, nor the rate: the next account may well be readable. */
function isOfOneAccount(error: unknown): boolean {
  if (!(error instanceof ProviderError)) return false
  if (error.code === 'unexpected_answer') return true
  return error.outcome === 'rejected' && error.code !== 'invalid_credentials' && error.code !== 'no_key'
}
