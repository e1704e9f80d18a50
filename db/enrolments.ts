import { randomUUID } from 'node:crypto'
import type { EnrolmentStatus, HeldReason } from '../workflows/contracts/sequences.ts'
import type { Tx } from './client.ts'
import { recordContactEvent } from './contact-events.ts'
import { lockPersons } from './person-locks.ts'
import { type Journey, wakeJourneys } from './waking.ts'

/** Somebody's way through a sequence. */
export interface Enrolment {
  id: string
  sequenceId: string
  contactId: string
  /** The version that it goes by, whatever is saved meanwhile. */
  version: number
  status: EnrolmentStatus
  /** Why it is held or has ended. */
  reason: string | null
  /** Where the person is and since when; null before the first step. */
  stepKey: string | null
  arrivedAt: Date | null
  /** When something is next due; null: not before something happens. */
  dueAt: Date | null
  waitingFor: string[] | null
  source: string
  createdAt: Date
  endedAt: Date | null
}

export async function findEnrolment(tx: Tx, id: string): Promise<Enrolment | null> {
  const [row] = await tx<Enrolment[]>`select ${columns(tx)} from enrolments where id = ${id}`
  return row ?? null
}

/** Those of a sequence, newest first, from below the id `before`. */
export function listEnrolments(
  tx: Tx,
  sequenceId: string,
  page: { limit: number; before: string | null; status?: EnrolmentStatus | undefined; contactId?: string | undefined },
): Promise<Enrolment[]> {
  return tx<Enrolment[]>`
    select ${columns(tx)} from enrolments
    where sequence_id = ${sequenceId} and ${page.before === null ? tx`true` : tx`id < ${page.before}`}
      and ${page.status === undefined ? tx`true` : tx`status = ${page.status}`}
      and ${page.contactId === undefined ? tx`true` : tx`contact_id = ${page.contactId}`}
    order by id desc limit ${page.limit}`
}

export const enrolmentActions = ['pause', 'resume', 'exit'] as const
export type EnrolmentAction = (typeof enrolmentActions)[number]

/** What may be done to a journey that is how. */
export const allowedFor: Record<EnrolmentAction, readonly EnrolmentStatus[]> = {
  pause: ['active'],
  resume: ['paused', 'held'],
  exit: ['active', 'paused', 'held'],
}

export interface Steered {
  /** As it is now. */
  enrolment: Enrolment
  /** False: its status did not allow it, and nothing has changed. */
  isDone: boolean
  /** The workflows to hand over after the commit. */
  workflowIds: string[]
}

/**
 * Pauses a journey where it stands, lets it go on from there, or ends it, and records that. Takes the person's turn: whatever is claimed
 * after the commit goes by it. A journey that was held is due at once. Null when there is no such enrolment.
 */
export async function steerEnrolment(
  tx: Tx,
  id: string,
  { action, actor, requestId, now }: { action: EnrolmentAction; actor: string; requestId: string; now: Date },
): Promise<Steered | null> {
  const before = await findEnrolment(tx, id)
  if (!before) return null
  await lockPersons(tx, { contactIds: [before.contactId] })
  const [journey] = await tx<Journey[]>`
    update enrolments set ${changeBy(tx, action, now)}
    where id = ${id} and status = any(${[...allowedFor[action]]}) returning organisation_id, sequence_id, cohort_id, seat`
  const enrolment = await findEnrolment(tx, id)
  if (!enrolment) throw new Error('enrolments are never removed')
  if (!journey) return { enrolment, isDone: false, workflowIds: [] }
  const recorded = await recordContactEvent(
    tx,
    {
      contactId: enrolment.contactId,
      type: eventTypes[action],
      data: { sequenceId: journey.sequenceId, actor, ...(action === 'exit' && { reason: 'manual' }) },
      // Each change of the row is a fact of its own.
      sourceKey: `enrolment/${id}/${action}/${randomUUID()}`,
      enrolmentId: id,
      occurredAt: now,
    },
    { requestId, now },
  )
  const woken = await wakeJourneys(tx, [journey], { requestId, now })
  return { enrolment, isDone: true, workflowIds: [...new Set([...recorded.workflowIds, ...woken])] }
}

const eventTypes = { pause: 'enrolment.paused', resume: 'enrolment.resumed', exit: 'enrolment.exited' } as const

function changeBy(tx: Tx, action: EnrolmentAction, now: Date) {
  if (action === 'pause') return tx`status = 'paused'`
  // What is paused in a wait goes on waiting: only what was held has to be tried at once.
  if (action === 'resume') {
    return tx`due_at = case status when 'held' then ${now}::timestamptz else due_at end, status = 'active', reason = null`
  }
  return tx`status = 'exited', reason = 'manual', ended_at = ${now}, due_at = null, waiting_for = null`
}

/**
 * Lets those go on who are held, of one sequence or of all, for one reason or any, and records that; each is tried again at once. Nothing is
 * claimed for who is held, so that nobody's turn has to be taken.
 */
export async function resumeHeld(
  tx: Tx,
  { sequenceId, reason }: { sequenceId?: string; reason?: HeldReason | undefined },
  { actor, requestId, now }: { actor: string; requestId: string; now: Date },
): Promise<{ resumed: number; workflowIds: string[] }> {
  const journeys = await tx<Journey[]>`
    with resumed as (
      update enrolments set status = 'active', reason = null, due_at = ${now}
      where status = 'held' and ${sequenceId === undefined ? tx`true` : tx`sequence_id = ${sequenceId}`}
        and ${reason === undefined ? tx`true` : tx`reason = ${reason}`}
      returning id, contact_id, organisation_id, sequence_id, cohort_id, seat
    ), recorded as (
      insert into contact_events (contact_id, enrolment_id, type, source_key, data, occurred_at)
      select contact_id, id, ${eventTypes.resume}, 'enrolment/' || id || '/resume/' || gen_random_uuid(),
        jsonb_build_object('sequenceId', sequence_id, 'actor', ${actor}::text), ${now}
      from resumed
    )
    select organisation_id, sequence_id, cohort_id, seat from resumed`
  return { resumed: journeys.length, workflowIds: await wakeJourneys(tx, journeys, { requestId, now }) }
}

/** The cohorts of a sequence that have people under way. */
export async function cohortsUnderWay(tx: Tx, sequenceId: string): Promise<string[]> {
  const rows = await tx<{ cohortId: string }[]>`
    select distinct cohort_id from enrolments
    where sequence_id = ${sequenceId} and status in ('active', 'paused', 'held') order by cohort_id`
  return rows.map(({ cohortId }) => cohortId)
}

/**
 * Ends the journeys of everyone in a cohort of an archived sequence, and tells its story; returns the workflows' ids. A cohort at a time: the turns of
 * all its people are taken, and a database has room for so many locks only.
 */
export async function exitCohort(
  tx: Tx,
  cohortId: string,
  { requestId, now }: { requestId: string; now: Date },
): Promise<string[]> {
  const people = await tx<{ contactId: string }[]>`
    select contact_id from enrolments where cohort_id = ${cohortId} and status in ('active', 'paused', 'held')`
  await lockPersons(tx, { contactIds: people.map(({ contactId }) => contactId) })
  const journeys = await tx<Journey[]>`
    update enrolments set status = 'exited', reason = 'sequence_archived', ended_at = ${now}, due_at = null,
      waiting_for = null
    where cohort_id = ${cohortId} and status in ('active', 'paused', 'held')
    returning organisation_id, sequence_id, cohort_id, seat`
  return wakeJourneys(tx, journeys, { requestId, now })
}

const columns = (tx: Tx) => tx`
  id, sequence_id, contact_id, version, status, reason, step_key, arrived_at, due_at, waiting_for, source, created_at,
  ended_at`
