import type { Entitlements } from '../workflows/contracts/entitlements.ts'
import type { SendingPolicy } from '../workflows/contracts/sending.ts'
import type { EnrolmentStatus, SequenceDefinition, SequenceStatus } from '../workflows/contracts/sequences.ts'
import type { Tx } from './client.ts'
import { wholePolicy } from './policies.ts'
import { type Reach, reachColumns } from './reach.ts'
import type { NewSender } from './senders.ts'

/** What is the same for everybody in a cohort. */
export interface CohortGround {
  sequenceStatus: SequenceStatus
  policy: SendingPolicy
  isPaused: boolean
  /** What the organisation's plans let it do; null: nothing limits it. */
  entitlements: Pick<Entitlements, 'access' | 'limits'> | null
  /** The organisation's. */
  country: string
  timeZone: string
  senders: JourneySender[]
}

export interface JourneySender extends NewSender {
  id: string
  nextSlotAt: Date | null
  isPaused: boolean
}

export async function cohortGround(tx: Tx, sequenceId: string): Promise<CohortGround | null> {
  const senders = tx<JourneySender[]>`
    select id, channel, provider, name, address, reply_to, postal_address, rate_per_second::float8,
      nullif(next_slot_at, '-infinity') as next_slot_at, paused_at is not null as is_paused
    from senders
    where id in (select sender_id from sequence_versions where sequence_id = ${sequenceId})`
  const [ground] = await tx<(Omit<CohortGround, 'senders' | 'policy'> & { policy: Partial<SendingPolicy> | null })[]>`
    select sequences.status as sequence_status, policy, policies.paused_at is not null as is_paused, country, time_zone,
      case when access is not null then jsonb_build_object('access', access, 'limits', limits) end as entitlements
    from sequences join organisations on organisations.id = sequences.organisation_id
      left join policies on policies.organisation_id = sequences.organisation_id
      left join entitlements on entitlements.organisation_id = sequences.organisation_id
    where sequences.id = ${sequenceId}`
  return ground ? { ...ground, policy: wholePolicy(ground.policy), senders: await senders } : null
}

/** Definitions by version. Versions never change. */
export async function sequenceDefinitions(
  tx: Tx,
  sequenceId: string,
  versions: readonly number[],
): Promise<Map<number, SequenceDefinition>> {
  const rows = await tx<{ version: number; definition: SequenceDefinition }[]>`
    select version, definition from sequence_versions where sequence_id = ${sequenceId} and version = any(${[...versions]})`
  return new Map(rows.map(({ version, definition }) => [version, definition]))
}

/** Who sits there, and whose turn has to be taken before anything about them is read to decide by. */
export interface Seated {
  seat: number
  enrolmentId: string
  contactId: string
  emailHash: Uint8Array | null
}

export async function seatedIn(tx: Tx, cohortId: string, seats: readonly number[]): Promise<Seated[]> {
  return tx<Seated[]>`
    select seat, enrolments.id as enrolment_id, contact_id, email_hash
    from enrolments join contacts on contacts.id = contact_id
    where cohort_id = ${cohortId} and seat = any(${[...seats]})`
}

/** Somebody on the way, as known inside their turn. */
export interface Traveller extends Reach {
  enrolmentId: string
  seat: number
  status: EnrolmentStatus
  /** Why the journey has ended, or is held. */
  reason: string | null
  version: number
  stepKey: string | null
  arrivedAt: Date
  contactId: string
  externalId: string | null
  email: string | null
  emailHash: Uint8Array | null
  phone: string | null
  country: string | null
  timeZone: string | null
  language: string | null
  properties: Record<string, unknown>
  /** A fresh id for the message that they may get now. */
  messageId: string
}

/** `exceptBatchId`: the messages of that call are not counted as sent. */
export async function travellers(
  tx: Tx,
  enrolmentIds: readonly string[],
  exceptBatchId: string | null,
): Promise<Traveller[]> {
  return tx<Traveller[]>`
    select enrolments.id as enrolment_id, seat, status, reason, version, step_key, coalesce(arrived_at, enrolments.created_at) as arrived_at,
      contacts.id as contact_id, external_id, email, email_hash, phone, country, time_zone, language, properties, uuidv7() as message_id,
      ${reachColumns(tx, exceptBatchId)}
    from enrolments join contacts on contacts.id = contact_id
    where enrolments.id = any(${[...enrolmentIds]})
    order by seat`
}

/** The types of what has happened to each since the journey began, by enrolment. */
export async function eventsSinceEntry(tx: Tx, enrolmentIds: readonly string[]): Promise<Map<string, Set<string>>> {
  const rows = await tx<{ id: string; types: string[] }[]>`
    select enrolments.id, array_agg(distinct type) as types
    from enrolments join contact_events on contact_events.contact_id = enrolments.contact_id
      and occurred_at >= enrolments.created_at
    where enrolments.id = any(${[...enrolmentIds]})
    group by enrolments.id`
  return new Map(rows.map(({ id, types }) => [id, new Set(types)]))
}

/** Where somebody goes from where they were. */
export interface Move {
  enrolmentId: string
  fromStep: string | null
  stepKey: string | null
  arrivedAt: Date
  /** The steps newly come to. */
  visited: string[]
  status: EnrolmentStatus
  reason: string | null
  dueAt: Date | null
  waitingFor: string[] | null
}

export interface Moved {
  enrolmentId: string
  status: EnrolmentStatus
}

/**
 * Moves people on who still stand where they were thought to. Whoever was paused, held or has left meanwhile keeps that status: the place
 * changes, and nothing is begun from it. Returns how they stand now; who stood elsewhere is left out.
 */
export async function moveOn(tx: Tx, moves: readonly Move[], now: Date): Promise<Moved[]> {
  if (moves.length === 0) return []
  return tx<Moved[]>`
    update enrolments
    set step_key = move."stepKey", arrived_at = move."arrivedAt", visited = enrolments.visited || move.visited,
      due_at = case when enrolments.status = 'active' then move."dueAt" end,
      waiting_for = case when enrolments.status = 'active' then move."waitingFor" end,
      status = case when enrolments.status = 'active' then move.status else enrolments.status end,
      reason = case when enrolments.status = 'active' then move.reason else enrolments.reason end,
      ended_at = case when enrolments.status = 'active' and move.status in ('completed', 'exited') then ${now} else ended_at end
    from jsonb_to_recordset(${tx.json(moves.map((move) => ({ ...move })))}) as move(
      "enrolmentId" uuid, "fromStep" text, "stepKey" text, "arrivedAt" timestamptz, visited text[], status text, reason text,
      "dueAt" timestamptz, "waitingFor" text[])
    where enrolments.id = move."enrolmentId" and enrolments.step_key is not distinct from move."fromStep"
      and enrolments.status in ('active', 'paused', 'held')
    returning enrolments.id as enrolment_id, enrolments.status`
}

/** Why somebody did not get a message yet, or is held: for their history, once for the same reason and time. */
export interface Decision {
  contactId: string
  enrolmentId: string
  type: 'message.deferred' | 'enrolment.held'
  sourceKey: string
  data: { stepKey: string | null; reason: string; until?: string | null; zone?: string | null; detail?: string }
}

export async function recordDecisions(tx: Tx, decisions: readonly Decision[], now: Date): Promise<void> {
  if (decisions.length === 0) return
  await tx`
    insert into contact_events (contact_id, enrolment_id, type, source_key, data, occurred_at)
    select "contactId", "enrolmentId", type, "sourceKey", data, ${now}
    from jsonb_to_recordset(${tx.json(decisions.map((decision) => ({ ...decision })))}) as decision(
      "contactId" uuid, "enrolmentId" uuid, type text, "sourceKey" text, data jsonb)
    on conflict (organisation_id, source_key) do nothing`
}

interface Held {
  enrolmentId: string
  contactId: string
  stepKey: string | null
}

/** Holds people where they stand until somebody resumes them; whoever has ended is left alone. Returns those who are held now. */
export async function holdSeated(tx: Tx, cohortId: string, seats: readonly number[], reason: string): Promise<Held[]> {
  return tx<Held[]>`
    update enrolments set status = 'held', reason = ${reason}, due_at = null, waiting_for = null
    where cohort_id = ${cohortId} and seat = any(${[...seats]}) and status in ('active', 'paused')
    returning id as enrolment_id, contact_id, step_key`
}

/** How many have entered the cohort, and whether more may. One that is not there has nobody. */
export async function seatsTaken(tx: Tx, cohortId: string): Promise<{ size: number; isClosed: boolean }> {
  const [row] = await tx<{ size: number; isClosed: boolean }[]>`
    select size, closed_at is not null as is_closed from cohorts where id = ${cohortId}`
  return row ?? { size: 0, isClosed: true }
}

/** Nobody enters the cohort any more; returns how many have. Takes the sequence's turn, as enrolling does. */
export async function closeCohort(tx: Tx, cohortId: string, now: Date): Promise<number> {
  await tx`select id from sequences where id = (select sequence_id from cohorts where id = ${cohortId}) for no key update`
  const [row] = await tx<{ size: number }[]>`
    update cohorts set closed_at = coalesce(closed_at, ${now}) where id = ${cohortId} returning size`
  return row?.size ?? 0
}
