import { isCancellation, proxyActivities } from '@temporalio/workflow'
import type { DripActivities } from '../../activities/drips.ts'
import type { CohortRef, HeldByStory, Seat } from '../contracts/drip-sequence.ts'
import { cohortSize } from '../contracts/sequences.ts'
import { databaseStep, sendBatch } from './activity-options.ts'
import { type CohortView, seatRange } from './cohort-view.ts'
import { unlessFailed } from './problems.ts'
import type { Roster } from './roster.ts'

const { advance } = proxyActivities<DripActivities>(sendBatch)
const { countSeats, holdSeats } = proxyActivities<DripActivities>(databaseStep)

/** A full cohort that is due at once is looked at together: each batch that comes back costs a task of the story. */
const seatsPerBatch = cohortSize
/** One that takes its time does not keep those waiting who come due meanwhile; and no more of a worker's places for any one cohort. */
const mostBatches = 5

/** The turns of a cohort's people, in batches. */
export interface Turns {
  /** Begins the turn of everyone who is due. Where no more batches may be out, they collect and share the next. */
  begin(): void
  /** How many batches are out. */
  out(): number
  /** Ends the turns of these: they wait for a person, who finds them by the reason. */
  hold(seats: Seat[], reason: HeldByStory): Promise<void>
}

/** `onEnd` is called whenever a batch is back. */
export function createTurns(
  cohort: CohortRef,
  { roster, view, onEnd }: { roster: Roster; view: CohortView; onEnd: () => void },
): Turns {
  let batches = 0
  return {
    begin() {
      while (batches < mostBatches && roster.nextDueAt() <= Date.now()) {
        void runBatch(roster.take(seatsPerBatch, Date.now()))
      }
    },
    out: () => batches,
    hold,
  }

  async function runBatch(seats: Seat[]): Promise<void> {
    batches += 1
    try {
      await lookAt(seats)
    } catch (error) {
      // Where the story was cancelled it says so itself. All else is a mistake in these files: it fails the task until it is mended.
      if (!isCancellation(error)) throw error
    } finally {
      batches -= 1
      onEnd()
    }
  }

  /** Sees these through their turn: whoever cannot be looked at is held. */
  async function lookAt(seats: Seat[], isSecondTime = false): Promise<void> {
    const begun = Date.now()
    // One organisation with a hundred thousand people due keeps nobody else's waiting.
    const priority = { fairnessKey: cohort.organisationId }
    const options = { ...sendBatch, summary: seatRange(seats), priority }
    const told = await unlessFailed(advance.executeWithOptions(options, [{ ...cohort, seats, now: begun }]))
    if (told) {
      view.count(told.moves)
      return hold(roster.settle(seats, told.outcomes, begun, Date.now()), 'internal_error')
    }
    // An outage is nobody's fault, and this step outlasts it. Who fails while the database answers is found by halving.
    await unlessFailed(countSeats(cohort))
    if (seats.length === 1) return isSecondTime ? hold(seats, 'internal_error') : lookAt(seats, true)
    const middle = Math.ceil(seats.length / 2)
    await lookAt(seats.slice(0, middle))
    await lookAt(seats.slice(middle))
  }

  async function hold(seats: Seat[], reason: HeldByStory): Promise<void> {
    if (seats.length === 0) return
    await unlessFailed(holdSeats({ ...cohort, seats, reason, now: Date.now() }))
    roster.hold(seats, Date.now())
    view.count({ notSent: { [reason]: seats.length } })
  }
}
