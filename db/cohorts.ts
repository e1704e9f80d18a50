import { seatsTaken } from '../workflows/contracts/drip-sequence.ts'
import { cohortSize, type SequenceStatus } from '../workflows/contracts/sequences.ts'
import type { Tx } from './client.ts'
import { type EntryRules, entryRules, lockSequence } from './sequences.ts'
import { tellCohorts } from './waking.ts'

export interface Enrolling {
  sequenceId: string
  contactIds: readonly string[]
  /** Who asks for it: 'key:{id}', 'campaign/{id}'. */
  source: string
  requestId: string
  now: Date
}

export const refusals = [
  'not_found',
  'already_under_way',
  'entered_before',
  'no_address',
  'suppressed',
  'consent_withdrawn',
] as const
type Refusal = (typeof refusals)[number]

export interface Enrolled {
  enrolled: { contactId: string; enrolmentId: string }[]
  refused: { contactId: string; reason: Refusal }[]
  /** The workflows to hand over after the commit. */
  workflowIds: string[]
}

/** Only a live sequence takes people in; `status` is what it is, null where there is none. */
export class SequenceTakesNobody extends Error {
  override name = 'SequenceTakesNobody'
  readonly status: SequenceStatus | null

  constructor(status: SequenceStatus | null) {
    super(`the sequence is ${status ?? 'not there'}`)
    this.status = status
  }
}

/**
 * Lets people enter a live sequence by its newest version, and says why others may not. Whoever is named twice, here or by another request
 * at the same moment, enters once. Throws SequenceTakesNobody.
 *
 * One after the other per sequence: its row's lock comes before those of cohorts and people, so no two of these wait for each other.
 */
export async function enrolContacts(tx: Tx, enrolling: Enrolling): Promise<Enrolled> {
  const { sequenceId, source, requestId, now } = enrolling
  const sequence = await lockSequence(tx, sequenceId)
  if (sequence?.status !== 'live') throw new SequenceTakesNobody(sequence?.status ?? null)
  const { version } = sequence
  const rules = await entryRules(tx, sequenceId, version)

  // By id, so that rows of people are referred to in one order.
  const contactIds = [...new Set(enrolling.contactIds)].sort()
  const refused = await refusedOf(tx, sequenceId, rules, contactIds)
  const isRefused = new Set(refused.map(({ contactId }) => contactId))
  const admitted = contactIds.filter((contactId) => !isRefused.has(contactId))
  const seats = await takeSeats(tx, sequenceId, admitted.length, now)
  const enrolled = await tx<Enrolled['enrolled']>`
    insert into enrolments (sequence_id, contact_id, cohort_id, seat, version, status, due_at, source, created_at)
    select ${sequenceId}, contact_id, cohort_id, seat, ${version}, 'active', ${now}, ${source}, ${now}
    from unnest(${admitted}::uuid[], ${seats.map(({ cohortId }) => cohortId)}::uuid[], ${seats.map(({ seat }) => seat)}::int[])
      as seated (contact_id, cohort_id, seat)
    returning contact_id, id as enrolment_id`
  return { enrolled, refused, workflowIds: await tellOfSeats(tx, sequenceId, seats, { requestId, now }) }
}

/** The contacts that have these external ids, by them. */
export async function contactsByExternalIds(tx: Tx, externalIds: readonly string[]): Promise<Map<string, string>> {
  const rows = await tx<{ id: string; externalId: string }[]>`
    select id, external_id from contacts where external_id = any(${[...externalIds]}::text[])`
  return new Map(rows.map(({ id, externalId }) => [externalId, id]))
}

function refusedOf(
  tx: Tx,
  sequenceId: string,
  { entry, purpose, hasMessages }: EntryRules,
  contactIds: readonly string[],
): Promise<Enrolled['refused']> {
  return tx<Enrolled['refused']>`
    select * from (
      select wanted.id as contact_id, case
        when contacts.id is null then 'not_found'
        when is_under_way then 'already_under_way'
        when ${entry === 'once'} and is_under_way is not null then 'entered_before'
        when ${hasMessages} and email_hash is null then 'no_address'
        when ${hasMessages} and is_suppressed then 'suppressed'
        when ${hasMessages && purpose === 'marketing'} and consent = 'withdrawn' then 'consent_withdrawn'
      end as reason
      from unnest(${[...contactIds]}::uuid[]) as wanted (id)
      left join contacts on contacts.id = wanted.id and erased_at is null
      -- Sums, so that each looks up one person however many are on their way.
      left join lateral (
        select bool_or(status in ('active', 'paused', 'held')) filter (where sequence_id = ${sequenceId}) as is_under_way
        from enrolments where contact_id = wanted.id
      ) as earlier on true
      left join lateral (
        select bool_or(suppressions.purpose is null or suppressions.purpose = ${purpose}) as is_suppressed
        from suppressions where channel = 'email' and address_hash = email_hash and lifted_at is null
      ) as told on true
      left join lateral (
        select state as consent from consents where contact_id = wanted.id and channel = 'email' and purpose = 'marketing'
        order by given_at desc, id desc limit 1
      ) as agreed on true
    ) as judged where reason is not null`
}

interface TakenSeat {
  organisationId: string
  cohortId: string
  seat: number
}

/** A cohort takes people in for a day, so that its story is over some day. */
const cohortOpenMs = 24 * 60 * 60_000

/** The next seats of the sequence, first those of its open cohort. Whoever calls has the sequence's lock. */
async function takeSeats(tx: Tx, sequenceId: string, wanted: number, now: Date): Promise<TakenSeat[]> {
  const seats: TakenSeat[] = []
  while (seats.length < wanted) {
    const { id, organisationId, size } = await openCohort(tx, sequenceId, now)
    const newSize = Math.min(cohortSize, size + wanted - seats.length)
    for (let seat = size + 1; seat <= newSize; seat += 1) seats.push({ organisationId, cohortId: id, seat })
    await tx`
      update cohorts set size = ${newSize}, closed_at = ${newSize === cohortSize ? now : null} where id = ${id}`
  }
  return seats
}

interface OpenCohort {
  id: string
  organisationId: string
  size: number
}

/** The cohort with free seats. Locked, since its story closes it, too. */
async function openCohort(tx: Tx, sequenceId: string, now: Date): Promise<OpenCohort> {
  const tooOld = new Date(now.getTime() - cohortOpenMs)
  await tx`
    update cohorts set closed_at = ${now} where sequence_id = ${sequenceId} and closed_at is null and created_at <= ${tooOld}`
  const [open] = await tx<OpenCohort[]>`
    select id, organisation_id, size from cohorts where sequence_id = ${sequenceId} and closed_at is null
    for no key update`
  if (open) return open
  const [begun] = await tx<OpenCohort[]>`
    insert into cohorts (sequence_id, created_at) values (${sequenceId}, ${now}) returning id, organisation_id, size`
  if (!begun) throw new Error('insert returned no row')
  return begun
}

/** Tells each cohort up to where its seats are taken now; returns the workflows' ids. */
function tellOfSeats(
  tx: Tx,
  sequenceId: string,
  seats: readonly TakenSeat[],
  asked: { requestId: string; now: Date },
): Promise<string[]> {
  const lastOf = new Map(seats.map((taken) => [taken.cohortId, taken]))
  const told = [...lastOf.values()].map(({ organisationId, cohortId, seat }) => ({
    cohort: { organisationId, sequenceId, cohortId },
    args: { upTo: seat },
  }))
  return tellCohorts(tx, seatsTaken.name, told, asked)
}
