import type { BillingDecision, BillingFacts, DunningDecision } from '../workflows/contracts/subscriptions.ts'
import type { Tx } from './client.ts'

/** What was seen and decided at a moment, to be read by whoever asks. */
export interface Look {
  facts: BillingFacts
  shown: unknown
  decision: BillingDecision
  /** Of each subscription, the versions of its plans. */
  planVersions: ReadonlyMap<string, Record<string, number>>
  paymentIds: readonly string[]
  seenAt: Date
}

/** Returns the payments that nobody knew before. */
export async function saveLook(tx: Tx, look: Look): Promise<string[]> {
  const { facts, shown, decision, paymentIds, seenAt } = look
  const json = (value: unknown) => tx`${JSON.stringify(value)}::text::jsonb`
  await tx`
    insert into billing_states (facts, shown, access, is_frozen, timers, seen_at)
    values (${json(facts)}, ${json(shown)}, ${decision.access}, ${decision.isFrozen}, ${json(decision.timers)}, ${seenAt})
    on conflict (organisation_id) do update set facts = excluded.facts, shown = excluded.shown, access = excluded.access,
      is_frozen = excluded.is_frozen, timers = excluded.timers, seen_at = excluded.seen_at`
  await saveSubscriptions(tx, look)
  await saveDunning(tx, look)
  if (paymentIds.length === 0) return []
  const added = await tx<{ stripeId: string }[]>`
    insert into stripe_payments (stripe_id) select unnest(${[...paymentIds]}::text[])
    on conflict (stripe_id) do nothing returning stripe_id`
  return added.map(({ stripeId }) => stripeId)
}

async function saveSubscriptions(tx: Tx, { facts, decision, planVersions, seenAt }: Look): Promise<void> {
  const rows = decision.subscriptions.map(({ id, state, access, overdueSince }) => ({
    stripe_id: id,
    stripe_status: facts.subscriptions.find((one) => one.id === id)?.status,
    state,
    access,
    plan_versions: planVersions.get(id) ?? {},
    overdue_since: overdueSince === null ? null : new Date(overdueSince).toISOString(),
  }))
  await tx`
    insert into subscriptions (stripe_id, stripe_status, state, access, plan_versions, overdue_since, created_at)
    select *, ${seenAt}::timestamptz from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as seen (stripe_id text,
      stripe_status text, state text, access text, plan_versions jsonb, overdue_since timestamptz)
    on conflict (stripe_id) do update set stripe_status = excluded.stripe_status, state = excluded.state,
      access = excluded.access, plan_versions = excluded.plan_versions, overdue_since = excluded.overdue_since`
}

/** A case that is told of no more is paid, or nobody asks for it any longer. */
async function saveDunning(tx: Tx, { facts, decision, seenAt }: Look): Promise<void> {
  const rows = decision.dunning.map(({ invoiceId, subscriptionId, status }: DunningDecision) => ({
    invoice_id: invoiceId,
    stripe_subscription_id: subscriptionId,
    status,
  }))
  await tx`
    insert into dunning_cases (invoice_id, stripe_subscription_id, status, opened_at, closed_at)
    select invoice_id, stripe_subscription_id, status, ${seenAt}, case when status = 'exhausted' then ${seenAt}::timestamptz end
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
      as told (invoice_id text, stripe_subscription_id text, status text)
    on conflict (invoice_id) do update set status = excluded.status, closed_at = excluded.closed_at
      where dunning_cases.status <> excluded.status`
  const told = rows.map(({ invoice_id }) => invoice_id)
  const paid = facts.payments.map(({ id }) => id)
  await tx`
    update dunning_cases set closed_at = ${seenAt},
      status = case when invoice_id = any(${paid}::text[]) then 'recovered' else 'exhausted' end
    where invoice_id <> all(${told}::text[]) and (closed_at is null or (status = 'exhausted' and invoice_id = any(${paid}::text[])))`
}
