import { lookAgain } from '../workflows/contracts/drip-sequence.ts'
import type { Tx } from './client.ts'
import { dripStory } from './contact-events.ts'
import { enqueueSignal } from './outbox.ts'

/**
 * Tells the cohorts of these sequences that have people under way to look at all of them again, after a change that concerns everybody: a
 * pause that is over, another policy. Null: of every sequence. Returns the workflows' ids.
 */
export async function wakeSequences(
  tx: Tx,
  sequenceIds: readonly string[] | null,
  { requestId, now }: { requestId: string; now: Date },
): Promise<string[]> {
  const cohorts = await tx<{ organisationId: string; sequenceId: string; cohortId: string }[]>`
    select distinct enrolments.organisation_id, sequence_id, cohort_id
    from sequences join enrolments on sequence_id = sequences.id and enrolments.status in ('active', 'paused', 'held')
    where ${sequenceIds === null ? tx`true` : tx`sequences.id = any(${[...sequenceIds]}::uuid[])`}
    order by cohort_id`
  const stories = cohorts.map(dripStory)
  // All at once: there may be hundreds, and none needs the answer of another.
  await Promise.all(
    stories.map((story) => enqueueSignal(tx, { ...story, requestId, signal: lookAgain.name, signalArgs: {} }, now)),
  )
  return stories.map(({ workflowId }) => workflowId)
}
