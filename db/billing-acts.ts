import type { Act } from '../workflows/contracts/subscriptions.ts'
import type { Tx } from './client.ts'

export interface BegunAct {
  /** From 1: under which of its keys the provider is asked. */
  attempt: number
  isEnded: boolean
}

/** Claims an act before it is done. One that was claimed before is begun still, or over. */
export async function beginAct(tx: Tx, act: Act, now: Date): Promise<BegunAct> {
  const [inserted] = await tx`
    insert into billing_acts (act_key, act, status, begun_at) values (${act.key}, ${tx.json({ ...act })}, 'doing', ${now})
    on conflict do nothing returning 1`
  if (inserted) return { attempt: 1, isEnded: false }
  const [known] = await tx<BegunAct[]>`
    select attempt, status <> 'doing' as is_ended from billing_acts where act_key = ${act.key}`
  if (!known) throw new Error('an act that is there cannot be read')
  return known
}

/** The provider may keep a failure of its own under the key: the act goes on under the next. */
export async function nextAttempt(tx: Tx, key: string): Promise<void> {
  await tx`update billing_acts set attempt = attempt + 1 where act_key = ${key} and status = 'doing'`
}

/** `failed`: it was tried and is not to be tried again; `outcome`: why, or what else there is to say of it. */
export interface ActEnd {
  status: 'done' | 'failed'
  outcome: string | null
}

/** Records how an act ended, once, with its place in the timeline. */
export async function endAct(tx: Tx, act: Act, { status, outcome }: ActEnd, now: Date): Promise<void> {
  const [ended] = await tx`
    update billing_acts set status = ${status}, outcome = ${outcome}, ended_at = ${now}
    where act_key = ${act.key} and status = 'doing' returning 1`
  if (!ended) return
  const { key, is, ...body } = act
  const details = { ...body, ...(status === 'failed' && { failed: true }), ...(outcome !== null && { outcome }) }
  await recordBillingEvents(tx, [{ sourceKey: `act/${key}`, type: `billing.${is}`, at: now.getTime(), details }])
}

/** Something that happened, for people to read. `at`: ms since the epoch. Without personal data. */
export interface NewBillingEvent {
  sourceKey: string
  type: string
  at: number
  details: Readonly<Record<string, unknown>>
}

/** Adds to the timeline what is not in it yet. */
export async function recordBillingEvents(tx: Tx, events: readonly NewBillingEvent[]): Promise<void> {
  if (events.length === 0) return
  await tx`
    insert into billing_events (source_key, type, details, at)
    select source_key, type, details, to_timestamp(at / 1000.0)
    from jsonb_to_recordset(${JSON.stringify(
      events.map(({ sourceKey, type, at, details }) => ({ source_key: sourceKey, type, at, details })),
    )}::text::jsonb) as told (source_key text, type text, details jsonb, at bigint)
    on conflict (organisation_id, source_key) do nothing`
}
