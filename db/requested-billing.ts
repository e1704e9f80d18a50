import type { BillingRequest } from '../workflows/contracts/billing-requests.ts'
import type { OperatorSwitch } from '../workflows/contracts/subscriptions.ts'
import type { Tx } from './client.ts'

/** What a person has asked for, as the story finds it. */
export interface Requested {
  id: string
  request: BillingRequest
  status: 'requested' | 'waiting' | 'done' | 'refused' | 'withdrawn'
  reason: string | null
  /** When what waits is to be done. */
  dueAt: Date | null
  attempt: number
  actor: string
}

/** What was asked before then and is neither done nor waits, the oldest first. */
export async function leftBehind(tx: Tx, before: Date): Promise<string[]> {
  const rows = await tx<{ id: string }[]>`
    select id from billing_requests where status = 'requested' and created_at < ${before} order by id limit 20`
  return rows.map(({ id }) => id)
}

/** Locked: nobody else ends it meanwhile. */
export async function lockRequest(tx: Tx, id: string): Promise<Requested | null> {
  const [row] = await tx<Requested[]>`
    select id, request, status, reason, due_at, attempt, actor from billing_requests where id = ${id} for no key update`
  return row ?? null
}

/** Ends what is requested or waits; what has ended stays as it did. */
export async function endRequest(
  tx: Tx,
  id: string,
  { status, reason }: { status: 'done' | 'refused' | 'withdrawn'; reason: string | null },
  now: Date,
): Promise<void> {
  await tx`
    update billing_requests set status = ${status}, reason = ${reason}, ended_at = ${now}
    where id = ${id} and status in ('requested', 'waiting')`
}

/** It is to be done at that time. */
export async function letRequestWait(tx: Tx, id: string, dueAt: Date): Promise<void> {
  await tx`update billing_requests set status = 'waiting', due_at = ${dueAt} where id = ${id} and status = 'requested'`
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

/** Switches something on; false: it was on already, and stays with the reason that it has. */
export async function switchOn(
  tx: Tx,
  { name, reason, author }: { name: OperatorSwitch; reason: string; author: string },
  now: Date,
): Promise<boolean> {
  const [row] = await tx`
    insert into billing_switches (name, reason, author, on_at) values (${name}, ${reason}, ${author}, ${now})
    on conflict (organisation_id, name) where off_at is null do nothing returning 1`
  return row !== undefined
}

/** False: it was off. */
export async function switchOff(tx: Tx, name: OperatorSwitch, now: Date): Promise<boolean> {
  const [row] =
    await tx`update billing_switches set off_at = ${now} where name = ${name} and off_at is null returning 1`
  return row !== undefined
}

/** What was seen to come; the newest move of a timer holds. */
export async function moveTimer(
  tx: Tx,
  { timerKey, to, author }: { timerKey: string; to: Date; author: string },
  now: Date,
): Promise<void> {
  await tx`
    insert into billing_moved_timers (timer_key, moved_to, author, moved_at) values (${timerKey}, ${to}, ${author}, ${now})
    on conflict (organisation_id, timer_key) do update set moved_to = ${to}, author = ${author}, moved_at = ${now}`
}
