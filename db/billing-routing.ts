import { wakeBilling } from './billing-story.ts'
import type { Database, Sql } from './client.ts'

/** What Stripe tells belongs to no request: the system login finds out whose it is, by the ids under which Stripe knows somebody. */

/** Whose customer it is; where that is not told or not known, whose payment one of these is. */
export async function organisationBilled(
  system: Sql,
  { customerId, paymentIds }: { customerId: string | null; paymentIds: readonly string[] },
): Promise<string | null> {
  const [row] = await system<{ organisationId: string | null }[]>`
    select coalesce(
      (select organisation_id from stripe_customers where stripe_id = ${customerId}),
      (select organisation_id from stripe_payments where stripe_id = any(${paymentIds}) limit 1)
    ) as organisation_id`
  return row?.organisationId ?? null
}

/**
 * Gives the events that came before anybody knew these ids, of customers or payments, to the organisations that they turned out to be, and has
 * their stories look again. For whoever has made such ids known, after the commit; it may be repeated. Returns the workflows to hand over.
 */
export async function adoptUnmatched(
  { database, system }: { database: Database; system: Sql },
  stripeIds: readonly string[],
  { requestId, now }: { requestId: string; now: Date },
): Promise<string[]> {
  const owners = await system<{ organisationId: string; events: string[] }[]>`
    select owner.organisation_id, array_agg(distinct event.id) as events from inbound_events as event
    join (
      select stripe_id, organisation_id from stripe_customers where stripe_id = any(${stripeIds})
      union all
      select stripe_id, organisation_id from stripe_payments where stripe_id = any(${stripeIds})
    ) as owner on owner.stripe_id = any(event.about)
    where event.status = 'unmatched' and event.provider = 'stripe' and event.about && ${stripeIds}
    group by owner.organisation_id`
  const workflowIds: string[] = []
  for (const { organisationId, events } of owners) {
    // First: killed after it, the next one finds the events still unmatched.
    workflowIds.push(await database.as(organisationId, (tx) => wakeBilling(tx, { organisationId, requestId }, now)))
    await adopt(system, organisationId, events)
  }
  return workflowIds
}

/** What Stripe has repeated since is the organisation's already: the first copy stays nobody's, and no longer waits for somebody. */
async function adopt(system: Sql, organisationId: string, events: readonly string[]): Promise<void> {
  await system`
    update inbound_events as event
    set status = case when is_repeated then 'ignored' else 'delivered' end,
      organisation_id = case when is_repeated then null else ${organisationId}::uuid end
    from (
      select first.id, repeated.id is not null as is_repeated from inbound_events as first
      left join inbound_events as repeated on repeated.provider = first.provider
        and repeated.provider_event_id = first.provider_event_id and repeated.organisation_id = ${organisationId}
      where first.id = any(${events})
    ) as copy
    where event.id = copy.id and event.status = 'unmatched'`
}
