import type { BillingRequest } from '../workflows/contracts/billing-requests.ts'
import type { Tx } from './client.ts'

/** What a person has asked an organisation's subscription story to do, and what became of that. */
export interface StoredRequest {
  id: string
  request: BillingRequest
  status: 'requested' | 'waiting' | 'done' | 'refused' | 'withdrawn'
  /** Since when what waits is to be done. */
  dueAt: Date | null
  /** Why its charge was declined, by the provider's code. */
  declineCode: string | null
  createdAt: Date
}

export type ChangeRequest = StoredRequest & { request: Extract<BillingRequest, { kind: 'change_plan' }> }

export async function findBillingRequest(tx: Tx, id: string): Promise<StoredRequest | null> {
  const [row] = await tx<StoredRequest[]>`select ${columns(tx)} from billing_requests where id = ${id}`
  return row ?? null
}

/** What was asked for under this key before, and not refused. */
export async function findRepeatedRequest(tx: Tx, requestKey: string): Promise<StoredRequest | null> {
  const [row] = await tx<StoredRequest[]>`
    select ${columns(tx)} from billing_requests where request_key = ${requestKey} and status <> 'refused'`
  return row ?? null
}

/** The one change of plan that is asked for, or waits for its time. */
export async function pendingChange(tx: Tx): Promise<ChangeRequest | null> {
  const [row] = await tx<ChangeRequest[]>`
    select ${columns(tx)} from billing_requests
    where kind = 'change_plan' and status in ('requested', 'waiting')`
  return row ?? null
}

/** Keeps what is asked for; null when the key is taken or, for a change of plan, another one is pending. */
export async function insertBillingRequest(
  tx: Tx,
  { request, requestKey, actor, now }: { request: BillingRequest; requestKey: string | null; actor: string; now: Date },
): Promise<StoredRequest | null> {
  const [row] = await tx<StoredRequest[]>`
    insert into billing_requests (kind, request, request_key, actor, created_at)
    values (${request.kind}, ${tx.json(request)}, ${requestKey}, ${actor}, ${now})
    on conflict do nothing returning ${columns(tx)}`
  return row ?? null
}

/** What the story would not do is over, also where the story itself had no time to say so. */
export async function refuseRequest(tx: Tx, id: string, reason: string, now: Date): Promise<void> {
  await tx`
    update billing_requests set status = 'refused', reason = ${reason}, ended_at = ${now}
    where id = ${id} and status = 'requested'`
}

/** As the story finds it. */
export type Requested = StoredRequest & { reason: string | null; attempt: number; actor: string }

/** What was asked before then and is neither done nor waits, the oldest first. */
export async function leftBehind(tx: Tx, before: Date): Promise<string[]> {
  const rows = await tx<{ id: string }[]>`
    select id from billing_requests where status = 'requested' and created_at < ${before} order by id limit 20`
  return rows.map(({ id }) => id)
}

/** Locked: nobody else ends it meanwhile. */
export async function lockRequest(tx: Tx, id: string): Promise<Requested | null> {
  const [row] = await tx<Requested[]>`
    select ${columns(tx)}, reason, attempt, actor from billing_requests where id = ${id} for no key update`
  return row ?? null
}

export interface RequestEnd {
  status: 'done' | 'refused' | 'withdrawn'
  /** Of a refusal, a code of ours. */
  reason: string | null
  declineCode?: string | null
}

/** Ends what is requested or waits; what has ended stays as it did. */
export async function endRequest(
  tx: Tx,
  id: string,
  { status, reason, declineCode = null }: RequestEnd,
  now: Date,
): Promise<void> {
  await tx`
    update billing_requests set status = ${status}, reason = ${reason}, decline_code = ${declineCode}, ended_at = ${now}
    where id = ${id} and status in ('requested', 'waiting')`
}

/** It is to be done at that time. */
export async function letRequestWait(tx: Tx, id: string, dueAt: Date): Promise<void> {
  await tx`update billing_requests set status = 'waiting', due_at = ${dueAt} where id = ${id} and status = 'requested'`
}

/** The period that a change waits for ends at another time than it did. */
export async function moveChange(tx: Tx, id: string, dueAt: Date): Promise<void> {
  await tx`update billing_requests set due_at = ${dueAt} where id = ${id} and status = 'waiting'`
}

/** The provider may keep a failure of its own under the key: the request goes on under the next. */
export async function nextRequestAttempt(tx: Tx, id: string): Promise<void> {
  await tx`update billing_requests set attempt = attempt + 1 where id = ${id}`
}

/** Takes back the change of plan that waits for a subscription; false: none does. */
export async function withdrawChange(tx: Tx, subscriptionId: string, now: Date): Promise<boolean> {
  const [row] = await tx`
    update billing_requests set status = 'withdrawn', ended_at = ${now}
    where kind = 'change_plan' and status = 'waiting' and request ->> 'subscriptionId' = ${subscriptionId} returning 1`
  return row !== undefined
}

const columns = (tx: Tx) => tx`id, request, status, due_at, decline_code, created_at`
