import type { JSONValue } from 'postgres'
import { type CohortRef, dripSequenceId, lookAgain, type Seat } from '../workflows/contracts/drip-sequence.ts'
import type { Tx } from './client.ts'
import { enqueueSignal } from './outbox.ts'

/** Where somebody stands in a sequence, as its workflow knows it. */
export interface Journey extends CohortRef {
  seat: Seat
}

interface Asked {
  requestId: string
  now: Date
}

/** Tells the workflows of these journeys to look at them again; returns the workflows' ids. */
export function wakeJourneys(tx: Tx, journeys: readonly Journey[], asked: Asked): Promise<string[]> {
  const told = [...Map.groupBy(journeys, ({ cohortId }) => cohortId).values()].flatMap((ofCohort) => {
    const [cohort] = ofCohort
    const seats = ofCohort.map(({ seat }) => seat).sort((one, other) => one - other)
    return cohort ? [{ cohort, args: { seats } }] : []
  })
  return tellCohorts(tx, lookAgain.name, told, asked)
}

/**
 * Tells the cohorts of these sequences that have people under way to look at all of them again, after a change that concerns everybody: a
 * pause that is over, another policy. Null: of every sequence. Returns the workflows' ids.
 */
export async function wakeSequences(tx: Tx, sequenceIds: readonly string[] | null, asked: Asked): Promise<string[]> {
  const cohorts = await tx<CohortRef[]>`
    select distinct enrolments.organisation_id, sequence_id, cohort_id
    from sequences join enrolments on sequence_id = sequences.id and enrolments.status in ('active', 'paused', 'held')
    where ${sequenceIds === null ? tx`true` : tx`sequences.id = any(${[...sequenceIds]}::uuid[])`}
    order by cohort_id`
  const told = cohorts.map((cohort) => ({ cohort, args: {} }))
  return tellCohorts(tx, lookAgain.name, told, asked)
}

/** Tells cohorts of something by way of the outbox; returns the workflows' ids. */
export async function tellCohorts(
  tx: Tx,
  signal: string,
  told: readonly { cohort: CohortRef; args: JSONValue }[],
  { requestId, now }: Asked,
): Promise<string[]> {
  const signals = told.map(({ cohort, args }) => ({ ...dripStory(cohort), requestId, signal, signalArgs: args }))
  // All at once: there may be hundreds, and none needs the answer of another.
  await Promise.all(signals.map((one) => enqueueSignal(tx, one, now)))
  return signals.map(({ workflowId }) => workflowId)
}

/** A cohort's story as the outbox starts it. */
export function dripStory({ organisationId, sequenceId, cohortId }: CohortRef) {
  return {
    workflowId: dripSequenceId(sequenceId, cohortId),
    name: 'dripSequence',
    args: { organisationId, sequenceId, cohortId },
    subjectId: sequenceId,
    summary: 'Up to 500 people on their way through a sequence',
  }
}
