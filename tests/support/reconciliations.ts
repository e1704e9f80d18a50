import type { Client } from '@temporalio/client'
import { type NativeConnection, Worker } from '@temporalio/worker'
import { createReconciliationActivities } from '../../activities/billing/reconciliation.ts'
import { createFailureInterceptor } from '../../activities/failures.ts'
import type { BillingAccount, BillingProvider } from '../../activities/ports.ts'
import { listDifferences, listReconciliations } from '../../db/billing-reconciliations.ts'
import { createOrganisation, platformOrganisationId } from '../../db/organisations.ts'
import type { OutboxRow } from '../../db/outbox.ts'
import { sitesQueue, storiesQueue } from '../../temporal-config/task-queues.ts'
import { refusing } from '../../workers/billing-provider.ts'
import type { BillingFacts } from '../../workflows/contracts/subscriptions.ts'
import { noFacts } from '../../workflows/rules/billing-differences.ts'
import { workflowBundle } from './campaign-world.ts'
import type { TestOrganisation } from './organisation.ts'

/** As much of a provider as reconciliation asks: what it has of whom, in memory. */
interface StandInBilling {
  provider: BillingProvider
  facts: Map<string, BillingFacts>
  /** Customers by subscription. */
  subscribers: string[]
  asked: string[]
  /** For tests to replace: it may throw, or wait. */
  before: (customerId: string) => void | Promise<void>
}

function standInBilling(subscribersPerPage = 2): StandInBilling {
  const billing: StandInBilling = {
    facts: new Map(),
    subscribers: [],
    asked: [],
    before: () => {},
    provider: {
      ...refusing('not_played'),
      async fetchAccount(customerId): Promise<BillingAccount | null> {
        await billing.before(customerId)
        billing.asked.push(customerId)
        const facts = billing.facts.get(customerId)
        const shown = { card: null, openInvoices: [], disputes: [], subscriptions: [] }
        return facts === undefined ? null : { facts, shown, paymentIds: [`pi_of_${customerId}`], email: null }
      },
      async listSubscribers({ after }) {
        const from = Number(after ?? 0)
        const page = billing.subscribers.slice(from, from + subscribersPerPage)
        const isLast = from + subscribersPerPage >= billing.subscribers.length
        const subscribers = page.map((customerId, index) => ({ customerId, subscriptionId: `sub_${from + index}` }))
        return { subscribers, after: isLast ? null : String(from + subscribersPerPage) }
      },
    },
  }
  return billing
}

/** Reconciliations on real rows, with a provider in memory, and stories that are only told of. */
export async function reconciliationWorld(
  { database, system }: TestOrganisation,
  { client, connection }: { client: Client; connection: NativeConnection },
) {
  const billing = standInBilling()
  const delivered: OutboxRow[] = []
  const stories = {
    deliver: async (row: OutboxRow) => void delivered.push(row),
    isFinal: () => false,
    codeOf: () => 'UNAVAILABLE',
  }
  const platform = await platformOrganisationId(system)
  let customers = 0
  let runs = 0

  return {
    billing,
    /** What stories were told, by workflow id. */
    told: () => delivered.splice(0).map(({ workflowId }) => workflowId),
    /** Workers that compare so many customers in an activity; they stop when what is returned is disposed of. */
    async work({ accountsPerBatch = 10, clock = () => new Date() } = {}): Promise<AsyncDisposable> {
      const pace = { accountsAtOnce: 2, pauseMs: 0, accountsPerBatch, pagesPerBatch: 2 }
      const activities = createReconciliationActivities({
        database,
        system,
        billing: billing.provider,
        prices: {},
        clock,
        stories,
        pace,
      })
      const { beginReconciliation, endReconciliation, ...outside } = activities
      const shared = {
        connection,
        namespace: client.options.namespace,
        interceptors: { activity: [() => ({ inbound: createFailureInterceptor(() => {}) })] },
      }
      const workers = await Promise.all([
        Worker.create({
          ...shared,
          ...(await workflowBundle()),
          taskQueue: storiesQueue,
          activities: { beginReconciliation, endReconciliation },
        }),
        Worker.create({ ...shared, taskQueue: sitesQueue, activities: outside }),
      ])
      const running = Promise.all(workers.map((worker) => worker.run()))
      return {
        async [Symbol.asyncDispose]() {
          for (const worker of workers) worker.shutdown()
          await running
        },
      }
    },
    /** As its schedule does it. */
    async reconcile(): Promise<{ workflowId: string; result: unknown }> {
      const workflowId = `billing-reconciliation-${(runs += 1)}`
      const result: unknown = await client.workflow.execute('billingReconciliation', {
        workflowId,
        taskQueue: storiesQueue,
      })
      return { workflowId, result }
    },
    /** An organisation that is this customer; `seen` null: its story has not looked yet. */
    async customer(seen: BillingFacts | null = noFacts) {
      const customerId = `cus_${(customers += 1)}`
      const { id: organisationId } = await createOrganisation(system, customerId, 'US')
      await database.as(
        organisationId,
        (tx) => tx`insert into stripe_customers (stripe_id, created_at) values (${customerId}, now())`,
      )
      if (seen) await see(organisationId, seen, new Date('2026-01-01T00:00:00Z'))
      return { organisationId, customerId }
    },
    see,
    differences: () => database.as(platform, (tx) => listDifferences(tx, { limit: 100, before: null, isOpen: null })),
    runs: () => database.as(platform, (tx) => listReconciliations(tx, { limit: 100, before: null })),
  }

  /** As its story does it when it looks. */
  async function see(organisationId: string, facts: BillingFacts, seenAt: Date): Promise<void> {
    const text = JSON.stringify(facts)
    await database.as(
      organisationId,
      (tx) => tx`
        insert into billing_states (facts, shown, access, is_frozen, timers, seen_at)
        values (${text}::text::jsonb, '{}', 'full', false, '[]', ${seenAt})
        on conflict (organisation_id) do update set facts = excluded.facts, seen_at = excluded.seen_at`,
    )
  }
}
