import { defineQuery, defineSignal } from '@temporalio/workflow'

/** A cohort, for its story and whoever works for it. */
export interface CohortRef {
  organisationId: string
  sequenceId: string
  cohortId: string
}

/** The workflow's input: ids only. What is carried over continues a long cohort. */
export interface DripSequenceInput extends CohortRef {
  carried?: CarriedCohort
}

/** People are known by their seats, 1 to 500: a number instead of an id, since a cohort is written into every history that it begins. */
export type Seat = number

/** A cohort between two runs: nobody's turn is under way then. */
export interface CarriedCohort {
  /** Seats 1 to this one have been taken in. */
  admitted: number
  /** Whether nobody enters any more. */
  isClosed: boolean
  /** Until when the cohort takes people in: ms since the epoch. */
  closesAt: number
  /** The seats under way by when they are next due, in ms since the epoch; null: woken by what happens. */
  waiting: [dueAt: number | null, seats: Seat[]][]
  held: Seat[]
  ended: number
  moves: CohortMoves
}

/** What became of a seat at its turn. `due` and `asleep` stay under way; `held` waits for a person. */
export type SeatOutcome =
  /** `dueAt`: ms since the epoch, already rounded up to the quantum. */
  { seat: Seat; now: 'due'; dueAt: number } | { seat: Seat; now: 'asleep' | 'held' | 'ended' }

/** What turns have changed, in numbers of people, for operators alone: by step, and by reason. */
export interface CohortMoves {
  entered: Record<string, number>
  sent: Record<string, number>
  notSent: Record<string, number>
  ended: Record<string, number>
}

export interface DripResult {
  enrolled: number
}

/** The state of a cohort: whoever was admitted is under way, held or ended. */
export interface CohortState {
  admitted: number
  underWay: number
  /** Of those under way, whose turn it is right now. */
  atTurn: number
  held: number
  ended: number
  isClosed: boolean
  /** When the next of them is due: ms since the epoch. */
  nextDueAt: number | null
}

/** Why the story itself holds somebody: their turn fails whatever is tried, or an operator has cancelled the workflow. */
export type HeldByStory = 'internal_error' | 'workflow_cancelled'

export const dripSequenceId = (sequenceId: string, cohortId: string): string => `drip/${sequenceId}/${cohortId}`

// Signals, not updates: each says only that rows have changed, which `advance` reads. They may come twice, late, or in any order.
/** People have taken the seats up to this one. */
export const seatsTaken = defineSignal<[taken: { upTo: Seat }]>('seatsTaken')
/** Something has happened to these people that may change where they go: a reply, an exit, a pause that is over. No seats: to all. */
export const lookAgain = defineSignal<[whom?: { seats?: Seat[] }]>('lookAgain')

export const cohortState = defineQuery<CohortState>('cohortState')
