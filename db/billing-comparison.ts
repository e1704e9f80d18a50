import type { BillingFacts } from '../workflows/contracts/subscriptions.ts'
import type { Sql } from './client.ts'

/** What reconciliation reads of all organisations: by the system login, since it belongs to none of them. */

export interface KnownCustomer {
  organisationId: string
  customerId: string
}

/** By organisation, those after this one. */
export async function knownCustomersAfter(
  system: Sql,
  { after, limit }: { after: string | null; limit: number },
): Promise<KnownCustomer[]> {
  return system<KnownCustomer[]>`
    select organisation_id, stripe_id as customer_id from stripe_customers
    where ${after}::uuid is null or organisation_id > ${after}
    order by organisation_id limit ${limit}`
}

export interface SeenFacts {
  facts: BillingFacts
  seenAt: Date
}

/** What was last seen of them, by organisation; of some nothing was yet. */
export async function factsSeenOf(system: Sql, organisationIds: readonly string[]): Promise<Map<string, SeenFacts>> {
  const rows = await system<(SeenFacts & { organisationId: string })[]>`
    select organisation_id, facts, seen_at from billing_states where organisation_id = any(${organisationIds})`
  return new Map(rows.map(({ organisationId, ...seen }) => [organisationId, seen]))
}

/** Those of the customers who are no organisation's, each once. */
export async function unknownCustomers(system: Sql, customerIds: readonly string[]): Promise<string[]> {
  const rows = await system<{ customerId: string }[]>`
    select distinct customer_id from unnest(${customerIds}::text[]) as customer_id
    where not exists (select from stripe_customers where stripe_id = customer_id)`
  return rows.map(({ customerId }) => customerId)
}

/** What a story has looked at since it was found to differ, differs no more. */
export async function settleDifferences(system: Sql): Promise<void> {
  await system`
    update billing_differences as difference set repaired_at = seen_at_stripe
    from (select organisation_id, seen_at as seen_at_stripe from billing_states) as state
    where state.organisation_id = about_organisation_id and repaired_at is null and seen_at_stripe > last_seen_at`
}
