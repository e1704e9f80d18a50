import { setTimeout as sleep } from 'node:timers/promises'
import { dripSequenceId } from '../workflows/contracts/drip-sequence.ts'
import { type Audience, enrolAll, messageKeys, publishSequence, threeMessages } from './drip-audience.ts'
import { countHistoryEvents } from './histories.ts'
import type { ProviderStub, StubCounts } from './provider-stub.ts'
import type { MeasuredSystem } from './system.ts'
import { cpuOfParts, type Part, partsOf } from './throughline-campaign.ts'

export interface DripBench {
  system: MeasuredSystem
  audience: Audience
  stub: ProviderStub
}

export interface DripRun {
  /** From the first delivery to the last. */
  seconds: number
  /** From the first list that was posted until the last journey was recorded as over. */
  cpuSeconds: Record<Part, number>
  historyEvents: number
  lost: number
  duplicates: number
}

const pollMs = 100
const quietMs = 300
const patienceMs = 15 * 60_000

/** Everybody goes through three messages; `meanwhile` is done while they do. */
export async function runDrip(
  { system, audience, stub }: DripBench,
  {
    run,
    people,
    steps = threeMessages(run),
  }: { run: string; people: readonly string[]; steps?: ReturnType<typeof threeMessages> },
  meanwhile: (sequenceId: string) => Promise<void> = async () => {},
): Promise<DripRun> {
  const sequenceId = await publishSequence(system, { senderId: audience.senderId, steps })
  const before = cpuOfParts(system)
  await enrolAll(system, sequenceId, people)
  await meanwhile(sequenceId)
  await untilOver({ system, audience, stub }, run, sequenceId)
  const after = cpuOfParts(system)
  const counts = await stub.counts(run)
  return {
    seconds: secondsOf(counts),
    cpuSeconds: partsOf((part) => after[part] - before[part]),
    historyEvents: await eventsOfCohorts(audience, system, sequenceId),
    lost: await countLost({ system, audience, stub }, run, sequenceId),
    duplicates: counts.duplicates,
  }
}

export const secondsOf = ({ firstAt, lastAt }: StubCounts): number => (lastAt - firstAt) / 1000

/** The database is asked once nothing has come to the stub for a while: what it spends on us would count as ours. */
async function untilOver({ system, audience, stub }: DripBench, run: string, sequenceId: string): Promise<void> {
  for (const deadline = Date.now() + patienceMs; Date.now() < deadline; await sleep(pollMs)) {
    const { lastAt } = await stub.counts(run)
    if (lastAt === 0 || Date.now() - lastAt < quietMs) continue
    const [row] = await audience.database.as(
      system.organisationId,
      (tx) => tx<{ isUnderWay: boolean }[]>`
        select exists (
          select from enrolments where sequence_id = ${sequenceId} and status in ('active', 'paused', 'held')
        ) as is_under_way`,
    )
    if (row?.isUnderWay === false) return
  }
  throw new Error('not everybody came to the end')
}

/** Of all its cohorts, over all their runs. */
async function eventsOfCohorts({ database }: Audience, system: MeasuredSystem, sequenceId: string): Promise<number> {
  const cohorts = await database.as(
    system.organisationId,
    (tx) => tx<{ id: string }[]>`select id from cohorts where sequence_id = ${sequenceId}`,
  )
  return countHistoryEvents(
    system.config,
    cohorts.map(({ id }) => dripSequenceId(sequenceId, id)),
  )
}

/** Messages of journeys that came to their end, and messages that were recorded as sent, of which the provider knows nothing. */
async function countLost({ system, audience, stub }: DripBench, run: string, sequenceId: string): Promise<number> {
  const delivered = await stub.delivered(run)
  const owed = await audience.database.as(
    system.organisationId,
    (tx) => tx<{ email: string; stepKey: string }[]>`
      select email, step.key as step_key from enrolments join contacts on contacts.id = contact_id
        cross join unnest(${[...messageKeys]}::text[]) as step (key)
      where sequence_id = ${sequenceId} and enrolments.status = 'completed'
      union
      select email, step_key from messages join contacts on contacts.id = contact_id
      where sequence_id = ${sequenceId} and status = 'sent'`,
  )
  return owed.filter(({ email, stepKey }) => !delivered.has(`${email} ${stepKey}`)).length
}
