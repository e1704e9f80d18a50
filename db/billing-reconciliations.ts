import type { ReconciliationResult } from '../workflows/contracts/billing-reconciliation.ts'
import type { Tx } from './client.ts'

/** Rows of the platform's organisation: all of this runs as it. */

/** Where a reconciliation is: after this one of our customers, or of the provider's subscribers; null: at their beginning. */
export interface ReconciliationPlace {
  stage: 'customers' | 'subscribers' | 'done'
  after: string | null
}

/** The same one however often the story asks. Whatever another story left running was abandoned: there is one at a time. */
export async function insertReconciliation(tx: Tx, { begunBy, now }: { begunBy: string; now: Date }): Promise<string> {
  await tx`
    update billing_reconciliations as reconciliation
    set status = 'failed', problem = 'abandoned', ended_at = ${now}, ${counted(tx)}
    where status = 'running' and begun_by <> ${begunBy}`
  await tx`
    insert into billing_reconciliations (begun_by, began_at) values (${begunBy}, ${now}) on conflict (begun_by) do nothing`
  const [row] = await tx<{ id: string }[]>`select id from billing_reconciliations where begun_by = ${begunBy}`
  if (!row) throw new Error('the reconciliation was not inserted')
  return row.id
}

/** Null once it has ended, or been given up: then nobody goes on with it. */
export async function reconciliationPlace(tx: Tx, id: string): Promise<ReconciliationPlace | null> {
  const [row] = await tx<ReconciliationPlace[]>`
    select stage, after from billing_reconciliations where id = ${id} and status = 'running'`
  return row ?? null
}

/** From where it was to where it is, with so many customers compared on the way; false when another attempt was there first. */
export async function moveReconciliation(
  tx: Tx,
  id: string,
  { from, to, customers = 0 }: { from: ReconciliationPlace; to: ReconciliationPlace; customers?: number },
): Promise<boolean> {
  const moved = await tx`
    update billing_reconciliations set stage = ${to.stage}, after = ${to.after}, customers = customers + ${customers}
    where id = ${id} and status = 'running' and stage = ${from.stage} and after is not distinct from ${from.after}`
  return moved.count > 0
}

/** Kept once for as long as it is found: an open one is brought up to date. */
export async function recordDifference(
  tx: Tx,
  found: {
    reconciliationId: string
    customerId: string
    organisationId: string | null
    what: readonly string[]
    now: Date
  },
): Promise<void> {
  await tx`
    insert into billing_differences
      (reconciliation_id, stripe_customer_id, about_organisation_id, what, seen_at, last_seen_at)
    values (${found.reconciliationId}, ${found.customerId}, ${found.organisationId}, ${found.what}, ${found.now}, ${found.now})
    on conflict (stripe_customer_id) where repaired_at is null do update set
      reconciliation_id = excluded.reconciliation_id, about_organisation_id = excluded.about_organisation_id,
      what = excluded.what, last_seen_at = excluded.last_seen_at`
}

/**
 * Ends it, once, and returns what it came to. What a whole one has not found again is over; one that failed knows nothing of what it did not come to.
 */
export async function closeReconciliation(
  tx: Tx,
  { id, problem, now }: { id: string; problem: string | null; now: Date },
): Promise<ReconciliationResult | null> {
  const status = problem === null ? 'completed' : 'failed'
  const ended = await tx`
    update billing_reconciliations as reconciliation
    set status = ${status}, problem = ${problem}, ended_at = ${now}, ${counted(tx)}
    where id = ${id} and status = 'running'`
  if (ended.count > 0 && problem === null) {
    await tx`update billing_differences set repaired_at = ${now} where repaired_at is null and reconciliation_id <> ${id}`
  }
  const [row] = await tx<ReconciliationResult[]>`
    select status, customers, differences, unknown_customers from billing_reconciliations
    where id = ${id} and status <> 'running'`
  return row ?? null
}

/** Afterwards its differences may be found again, and are those of a later one. */
const counted = (tx: Tx) => tx`
  differences = ${found(tx, true)}, unknown_customers = ${found(tx, false)}`

const found = (tx: Tx, isKnown: boolean) => tx`(
  select count(*)::int from billing_differences as difference
  where difference.reconciliation_id = reconciliation.id and (about_organisation_id is not null) = ${isKnown})`

export interface Reconciliation {
  id: string
  status: 'running' | 'completed' | 'failed'
  problem: string | null
  customers: number
  differences: number
  unknownCustomers: number
  beganAt: Date
  endedAt: Date | null
}

/** The newest first. */
export async function listReconciliations(
  tx: Tx,
  { limit, before }: { limit: number; before: string | null },
): Promise<Reconciliation[]> {
  return tx<Reconciliation[]>`
    select id, status, problem, customers, began_at, ended_at,
      coalesce(differences, ${found(tx, true)}) as differences,
      coalesce(unknown_customers, ${found(tx, false)}) as unknown_customers
    from billing_reconciliations as reconciliation
    where ${before}::uuid is null or id < ${before}
    order by id desc limit ${limit}`
}

export interface BillingDifference {
  id: string
  customerId: string
  organisationId: string | null
  what: string[]
  seenAt: Date
  lastSeenAt: Date
  repairedAt: Date | null
}

/** The newest first; `isOpen` null: whether they are over or not. */
export async function listDifferences(
  tx: Tx,
  { limit, before, isOpen }: { limit: number; before: string | null; isOpen: boolean | null },
): Promise<BillingDifference[]> {
  return tx<BillingDifference[]>`
    select id, stripe_customer_id as customer_id, about_organisation_id as organisation_id, what, seen_at, last_seen_at, repaired_at
    from billing_differences
    where (${before}::uuid is null or id < ${before}) and (${isOpen}::boolean is null or (repaired_at is null) = ${isOpen})
    order by id desc limit ${limit}`
}
