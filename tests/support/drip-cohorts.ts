import type { Client, WorkflowHandle } from '@temporalio/client'
import { type NativeConnection, Worker } from '@temporalio/worker'
import type { DripActivities } from '../../activities/drips.ts'
import { sendsQueue, storiesQueue } from '../../temporal-config/task-queues.ts'
import {
  type CohortMoves,
  dripSequenceId,
  type Seat,
  type SeatOutcome,
  seatsTaken,
} from '../../workflows/contracts/drip-sequence.ts'
import type { dripSequence } from '../../workflows/drip-sequence.ts'
import { workflowBundle } from './campaign-world.ts'

/** Before each act of the person on a seat: how long, in ms, or null for until something happens. */
export type Waits = (seat: Seat) => readonly (number | null)[]

type Batch = Parameters<DripActivities['advance']>[0]

interface Row {
  acts: number
  /** Null: it waits for something to happen. */
  dueAt: number | null
  hasEnded: boolean
}

/** A cohort's rows in memory, and what was done by them: as much of the activities as the story relies on. */
export interface CohortRows {
  activities: Omit<DripActivities, 'advance'> & { advance(batch: Batch): Promise<unknown> }
  acts: { seat: Seat; act: number; dueAt: number; at: number }[]
  batches: Seat[][]
  /** Why the story has held people. */
  held: Map<Seat, string>
  /** Seats that were in two batches at the same time. */
  twiceAtOnce: Seat[]
  taken: number
  isClosed: boolean
  /** What the person on this seat waits for has happened. */
  happened(seat: Seat, now: number): void
  /** For tests to replace: an attempt may fail or wait, and the answer be one that no type allows. */
  before: (seats: readonly Seat[]) => void | Promise<void>
  answer: (outcomes: SeatOutcome[]) => unknown
}

const quantumMs = 1_000

export function cohortRows(waitsOf: Waits, taken = 0): CohortRows {
  const rows = new Map<Seat, Row>()
  const atTurn = new Set<Seat>()
  const cohort: CohortRows = {
    activities: { advance, holdSeats, countSeats, closeCohort },
    acts: [],
    batches: [],
    held: new Map(),
    twiceAtOnce: [],
    taken,
    isClosed: false,
    happened: (seat, now) => void (rowOf(seat, now).dueAt ??= now),
    before: () => {},
    answer: (outcomes) => outcomes,
  }
  return cohort

  async function advance({ seats, now }: Batch): Promise<unknown> {
    cohort.batches.push(seats)
    cohort.twiceAtOnce.push(...seats.filter((seat) => atTurn.has(seat)))
    for (const seat of seats) atTurn.add(seat)
    try {
      await cohort.before(seats)
      const moves: CohortMoves = { entered: {}, sent: {}, notSent: {}, ended: {} }
      const outcomes = seats.map((seat) => turn(seat, now, moves))
      return { outcomes: cohort.answer(outcomes), moves }
    } finally {
      for (const seat of seats) atTurn.delete(seat)
    }
  }

  function turn(seat: Seat, now: number, moves: CohortMoves): SeatOutcome {
    const row = rowOf(seat, now)
    cohort.held.delete(seat)
    if (!row.hasEnded && row.dueAt !== null && row.dueAt <= now) {
      cohort.acts.push({ seat, act: row.acts, dueAt: row.dueAt, at: now })
      const step = `step-${row.acts}`
      moves.entered[step] = moves.sent[step] = (moves.sent[step] ?? 0) + 1
      row.acts += 1
      row.hasEnded = row.acts === waitsOf(seat).length
      if (row.hasEnded) moves.ended.completed = (moves.ended.completed ?? 0) + 1
      row.dueAt = after(waitsOf(seat)[row.acts], now)
    }
    if (row.hasEnded) return { seat, now: 'ended' }
    return row.dueAt === null ? { seat, now: 'asleep' } : { seat, now: 'due', dueAt: row.dueAt }
  }

  function rowOf(seat: Seat, now: number): Row {
    const row = rows.get(seat) ?? { acts: 0, dueAt: after(waitsOf(seat)[0], now), hasEnded: false }
    rows.set(seat, row)
    return row
  }

  async function holdSeats({ seats, reason }: Parameters<DripActivities['holdSeats']>[0]): Promise<void> {
    for (const seat of seats) cohort.held.set(seat, reason)
  }

  async function countSeats() {
    return { size: cohort.taken, isClosed: cohort.isClosed }
  }

  async function closeCohort() {
    cohort.isClosed = true
    return { size: cohort.taken }
  }
}

function after(wait: number | null | undefined, now: number): number | null {
  if (wait === 0) return now
  return typeof wait === 'number' ? Math.ceil((now + wait) / quantumMs) * quantumMs : null
}

/** Starts workers for cohorts by these activities; they stop when the returned object is disposed of. */
export async function workOnCohorts(
  { client, connection }: { client: Client; connection: NativeConnection },
  { activities }: Pick<CohortRows, 'activities'>,
  maxCachedWorkflows = 50,
): Promise<AsyncDisposable> {
  const { holdSeats, countSeats, closeCohort, advance } = activities
  const shared = { connection, namespace: client.options.namespace }
  const stories = { ...shared, ...(await workflowBundle()), taskQueue: storiesQueue, maxCachedWorkflows }
  const workers = await Promise.all([
    Worker.create({ ...stories, activities: { holdSeats, countSeats, closeCohort } }),
    Worker.create({ ...shared, taskQueue: sendsQueue, activities: { advance } }),
  ])
  const running = Promise.all(workers.map((worker) => worker.run()))
  return {
    async [Symbol.asyncDispose]() {
      for (const worker of workers) worker.shutdown()
      await running
    },
  }
}

/** A cohort's story, begun by its first people. */
export async function startCohort(client: Client, upTo: Seat): Promise<WorkflowHandle<typeof dripSequence>> {
  const cohort = { organisationId: 'organisation', sequenceId: 'sequence', cohortId: crypto.randomUUID() }
  return client.workflow.signalWithStart<typeof dripSequence, [{ upTo: Seat }]>('dripSequence', {
    workflowId: dripSequenceId(cohort.sequenceId, cohort.cohortId),
    taskQueue: storiesQueue,
    args: [cohort],
    signal: seatsTaken,
    signalArgs: [{ upTo }],
  })
}
