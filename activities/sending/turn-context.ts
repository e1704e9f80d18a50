import type { Tx } from '../../db/client.ts'
import {
  type CohortGround,
  cohortGround,
  eventsSinceEntry,
  type Seated,
  seatedIn,
  sequenceDefinitions,
  type Traveller,
  travellers,
} from '../../db/journeys.ts'
import { messagesOf } from '../../db/messages.ts'
import { lockPersons } from '../../db/person-locks.ts'
import type { CohortRef } from '../../workflows/contracts/drip-sequence.ts'
import { builtInPolicy } from '../../workflows/contracts/sending.ts'
import type { SequenceDefinition } from '../../workflows/contracts/sequences.ts'
import type { TurnContext } from './turns.ts'

/** Takes the turns of the people on these seats and reads what is known of them then. `clock` is read inside their turns. */
export async function takeTurns(
  tx: Tx,
  { sequenceId, cohortId }: CohortRef,
  seats: readonly number[],
  clock: () => Date,
): Promise<{ seated: Seated[]; people: Traveller[]; context: TurnContext }> {
  const seated = await seatedIn(tx, cohortId, seats)
  await lockPersons(tx, {
    contactIds: seated.map(({ contactId }) => contactId),
    addressHashes: seated.flatMap(({ emailHash }) => (emailHash ? [emailHash] : [])),
  })
  return { seated, ...(await turnContext(tx, sequenceId, seated, { now: clock() })) }
}

/** All that their turns are decided by. Call it inside them. */
export async function turnContext(
  tx: Tx,
  sequenceId: string,
  who: readonly Pick<Seated, 'enrolmentId' | 'contactId'>[],
  { now, exceptBatchId = null }: { now: Date; exceptBatchId?: string | null },
): Promise<{ people: Traveller[]; context: TurnContext }> {
  const enrolmentIds = who.map(({ enrolmentId }) => enrolmentId)
  const contactIds = who.map(({ contactId }) => contactId)
  const [ground, people, messages] = await Promise.all([
    cohortGround(tx, sequenceId),
    travellers(tx, enrolmentIds, exceptBatchId),
    messagesOf(tx, { contactIds, enrolmentIds }),
  ])
  const byVersion = await definitionsOf(tx, sequenceId, new Set(people.map(({ version }) => version)))
  const events = [...byVersion.values()].some(needsFacts) ? await eventsSinceEntry(tx, enrolmentIds) : null
  const messagesBy = Map.groupBy(messages, ({ enrolmentId }) => enrolmentId)
  return {
    people,
    context: {
      ground: ground ?? noGround,
      definitionOf(version) {
        const definition = byVersion.get(version)
        if (!definition) throw new Error(`the sequence has no version ${version}`)
        return definition
      },
      factsOf: ({ enrolmentId, properties }) => ({ properties, events: events?.get(enrolmentId) ?? nothing }),
      messagesOf: (enrolmentId) => messagesBy.get(enrolmentId) ?? [],
      now,
    },
  }
}

const nothing: ReadonlySet<string> = new Set()

const noGround: CohortGround = {
  sequenceStatus: 'archived',
  policy: builtInPolicy,
  isPaused: false,
  entitlements: null,
  country: 'US',
  timeZone: 'UTC',
  senders: [],
}

/** Whether where somebody goes depends on more than the time. */
export function needsFacts({ steps }: SequenceDefinition): boolean {
  return steps.some((step) => step.type === 'branch' || (step.type === 'wait' && step.event !== undefined))
}

/** Versions never change, so they are read once. The oldest leave. */
const definitions = new Map<string, SequenceDefinition>()
const mostDefinitions = 500

async function definitionsOf(
  tx: Tx,
  sequenceId: string,
  versions: ReadonlySet<number>,
): Promise<Map<number, SequenceDefinition>> {
  const keyOf = (version: number) => `${sequenceId}/${version}`
  const unknown = [...versions].filter((version) => !definitions.has(keyOf(version)))
  const read =
    unknown.length > 0 ? await sequenceDefinitions(tx, sequenceId, unknown) : new Map<number, SequenceDefinition>()
  const known = new Map<number, SequenceDefinition>()
  for (const version of versions) {
    const definition = read.get(version) ?? definitions.get(keyOf(version))
    if (definition) known.set(version, definition)
  }
  for (const [version, definition] of read) definitions.set(keyOf(version), definition)
  for (const key of definitions.keys()) {
    if (definitions.size <= mostDefinitions) break
    definitions.delete(key)
  }
  return known
}
