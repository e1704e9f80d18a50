import type { JSONValue } from 'postgres'
import type { ExitReason } from '../workflows/contracts/sequences.ts'
import type { Tx } from './client.ts'
import { lockPersons } from './person-locks.ts'
import { type Journey, wakeJourneys } from './waking.ts'

/** A fact about a person. */
export interface ContactEvent {
  contactId: string
  type: string
  data?: JSONValue
  /** The same fact under the same key is recorded once. */
  sourceKey: string
  enrolmentId?: string | null
  messageId?: string | null
  occurredAt: Date
}

/** Why the fact ends journeys; those whose goal it is end anyway. `optOut`: of which purpose, null for every one. */
export type JourneyEnd = { reason: 'reply' | 'bounce' } | { reason: 'opt_out' | 'complaint'; purpose: string | null }

export interface Recorded {
  isNew: boolean
  /** The workflows that were told of it by way of the outbox. */
  workflowIds: string[]
}

/**
 * Records a fact about a person once. In the same transaction it ends the journeys that end with it, so that nothing is claimed for
 * them once it is committed, and wakes those that wait for it. Takes the person's turn.
 */
export async function recordContactEvent(
  tx: Tx,
  event: ContactEvent,
  told: { ends?: JourneyEnd; requestId: string; now: Date },
): Promise<Recorded> {
  await lockPersons(tx, { contactIds: [event.contactId] })
  const [inserted] = await tx`
    insert into contact_events (contact_id, type, data, source_key, enrolment_id, message_id, occurred_at)
    values (${event.contactId}, ${event.type}, ${tx.json(event.data ?? {})}, ${event.sourceKey}, ${event.enrolmentId ?? null},
      ${event.messageId ?? null}, ${event.occurredAt})
    on conflict (organisation_id, source_key) do nothing
    returning id`
  if (!inserted) return { isNew: false, workflowIds: [] }

  const ended = await endJourneys(tx, event, told)
  const waiting = await tx<Journey[]>`
    select sequence_id, cohort_id, seat, organisation_id from enrolments
    where contact_id = ${event.contactId} and status = 'active' and ${event.type} = any(waiting_for)`
  return { isNew: true, workflowIds: await wakeJourneys(tx, [...ended, ...waiting], told) }
}

async function endJourneys(
  tx: Tx,
  { contactId, type }: ContactEvent,
  { ends, now }: { ends?: JourneyEnd; now: Date },
): Promise<Journey[]> {
  const reason: ExitReason | null = ends?.reason ?? null
  const purpose = ends && 'purpose' in ends ? ends.purpose : null
  const isOptional = reason === 'reply' || reason === 'bounce'
  return tx<Journey[]>`
    update enrolments set status = 'exited', ended_at = ${now}, due_at = null, waiting_for = null,
      reason = case when goal = ${type} then 'goal' else ${reason} end
    from sequence_versions
    where contact_id = ${contactId} and status in ('active', 'paused', 'held')
      and sequence_versions.sequence_id = enrolments.sequence_id and sequence_versions.version = enrolments.version
      and (
        (goal = ${type} and exit_on ? 'goal')
        or (${reason}::text is not null
          and (not ${isOptional} or exit_on ? ${reason ?? ''})
          and (${purpose}::text is null or purpose = ${purpose}))
      )
    returning enrolments.organisation_id, enrolments.sequence_id, cohort_id, seat`
}

/** A fact as it was recorded. */
export interface RecordedEvent {
  id: string
  type: string
  data: JSONValue
  enrolmentId: string | null
  messageId: string | null
  occurredAt: Date
  createdAt: Date
}

export async function findContactEvent(tx: Tx, sourceKey: string): Promise<RecordedEvent | null> {
  const [row] = await tx<RecordedEvent[]>`
    select ${eventColumns(tx)} from contact_events where source_key = ${sourceKey}`
  return row ?? null
}

/** In the order in which they were recorded, the newest first. */
export function listContactEvents(
  tx: Tx,
  contactId: string,
  page: { limit: number; before: string | null; type?: string | undefined },
): Promise<RecordedEvent[]> {
  return tx<RecordedEvent[]>`
    select ${eventColumns(tx)} from contact_events
    where contact_id = ${contactId} and ${page.before === null ? tx`true` : tx`id < ${page.before}`}
      and ${page.type === undefined ? tx`true` : tx`type = ${page.type}`}
    order by id desc limit ${page.limit}`
}

const eventColumns = (tx: Tx) => tx`id, type, data, enrolment_id, message_id, occurred_at, created_at`
