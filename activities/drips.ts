import { setTimeout as wait } from 'node:timers/promises'
import type { Database, Tx } from '../db/client.ts'
import { closeCohort, holdSeated, recordDecisions, seatsTaken } from '../db/journeys.ts'
import type { CohortMoves, CohortRef, HeldByStory, Seat, SeatOutcome } from '../workflows/contracts/drip-sequence.ts'
import { chunks } from './chunks.ts'
import { type Clock, decisionTime } from './clock.ts'
import { whileHeartbeating } from './heartbeat.ts'
import type { EmailChannel } from './ports.ts'
import { openTurns } from './sending/claims.ts'
import { holding } from './sending/decisions.ts'
import { deliver, type SendingWorld } from './sending/deliveries.ts'
import { oneCallMs } from './sending/pacing.ts'
import { createTally } from './sending/tally.ts'
import { settleUnclear } from './sending/unclear.ts'

export type DripActivities = ReturnType<typeof createDripActivities>

/** How often `advance` gives a sign of life, within the 3 s after which a silent worker is given up (`sendBatch`). */
export const advanceBeatMs = 800

/** Whose turns are taken in one transaction: as many as a provider takes in one call. */
const seatsPerTurn = 100

/** Each mostly waits, for the database or the provider; together they hold no more connections than there are. */
const concurrentTurns = 16

export interface DripSettings {
  /** Later wake-ups are rounded up to a multiple of it, so that people share timers and batches. */
  quantumMs: number
  /** Before this time a provider may not show a message that it has taken. */
  lookUpAfterMs: number
  /** Where links in messages lead. */
  publicUrl: string
}

export function createDripActivities({
  database,
  email,
  clock,
  drips,
  logUnexpected,
}: {
  database: Database
  email: EmailChannel
  clock: Clock
  drips: DripSettings
  logUnexpected: (error: unknown) => void
}) {
  const lane = createLanes(concurrentTurns)
  return {
    /**
     * Takes the people on these seats as far as they go now: what may be sent to them is claimed, sent and recorded, and for each it is told
     * when they are next due. Whatever is wrong with one of them is their own outcome; it throws only when the database does not
     * answer. Repeated after a kill, it sends nothing twice.
     */
    async advance(
      batch: CohortRef & { seats: Seat[]; now: number },
    ): Promise<{ outcomes: SeatOutcome[]; moves: CohortMoves }> {
      const { organisationId, sequenceId, seats } = batch
      const tally = createTally(drips.quantumMs)
      const now = () => decisionTime(clock, batch.now)
      const as = <T>(work: (tx: Tx) => Promise<T>) => database.as(organisationId, work)

      return whileHeartbeating(
        () => ({}),
        async (signal) => {
          const world: SendingWorld = { as, email, now, signal, tally }
          const looks = await allOf(chunks(seats, seatsPerTurn), (some) =>
            lane(() => openAndDeliver(some, { hasSlots: false })),
          )
          const unclear = looks.flatMap((some) => some.unclear)
          const later = looks.flatMap((some) => some.later).sort((one, other) => one.at.getTime() - other.at.getTime())
          for (const { at, seats: seatsLater } of later) {
            const earlyMs = at.getTime() - now().getTime()
            if (earlyMs > 0) await wait(earlyMs, undefined, { signal })
            // Times that have passed are given up: used late, they would come on top of others'.
            await openAndDeliver(seatsLater, { hasSlots: earlyMs > -oneCallMs })
          }
          await settleUnclear(unclear, world, { sequenceId, lookUpAfterMs: drips.lookUpAfterMs })
          return tally.result(seats, now())

          async function openAndDeliver(
            some: readonly number[],
            { hasSlots, mostPerCall = email.mostPerCall }: { hasSlots: boolean; mostPerCall?: number },
          ) {
            const { publicUrl } = drips
            const opening = { seats: some, hasSlots, mostPerCall, clock: now, tally, publicUrl, logUnexpected }
            const opened = await as((tx) => openTurns(tx, batch, opening))
            let refusals = 0
            for (const claimed of opened.claimed) {
              if (!(await deliver(claimed, world))) continue
              refusals += 1
              // One of them may be at fault: each by itself, until one more refusal says that it is none of them.
              for (const { traveller } of claimed.turns.length > 1 ? claimed.turns : []) {
                const alone = await openAndDeliver([traveller.seat], { hasSlots: true, mostPerCall: 1 })
                if (alone.refusals > 0) break
              }
            }
            return { ...opened, refusals }
          }
        },
        advanceBeatMs,
      )
    },

    /** Holds those of these people who are under way, each visible and to be resumed. */
    async holdSeats({ organisationId, cohortId, seats, reason, now }: CohortRef & Hold): Promise<void> {
      const at = decisionTime(clock, now)
      await database.as(organisationId, async (tx) => {
        const held = await holdSeated(tx, cohortId, seats, reason)
        const decisions = held.map((person) => holding(person, person.stepKey, reason, at))
        await recordDecisions(tx, decisions, at)
      })
    },

    /** How many seats are taken, and whether more will be. */
    async countSeats({ organisationId, cohortId }: CohortRef): Promise<{ size: number; isClosed: boolean }> {
      return database.as(organisationId, (tx) => seatsTaken(tx, cohortId))
    },

    /** Nobody takes a seat from here on; tells how many are taken. */
    async closeCohort({ organisationId, cohortId, now }: CohortRef & { now: number }): Promise<{ size: number }> {
      const at = decisionTime(clock, now)
      return { size: await database.as(organisationId, (tx) => closeCohort(tx, cohortId, at)) }
    },
  }
}

/** Begins what it is given as soon as fewer than so many are under way, in the order in which they came. */
function createLanes(most: number) {
  const waiting: (() => void)[] = []
  let free = most
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free += 1
    }
  }
}

/** As Promise.all, but whoever has failed waits for the others: nothing goes on behind the back of the next attempt. */
async function allOf<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const settled = await Promise.allSettled(all.map(work))
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
}

interface Hold {
  seats: Seat[]
  reason: HeldByStory
  /** ms since the epoch. */
  now: number
}
