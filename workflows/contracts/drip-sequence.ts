import { defineQuery, defineSignal } from '@temporalio/workflow'

/** The workflow's input: ids only. What is carried over continues a long cohort. */
export interface DripSequenceInput {
  organisationId: string
  sequenceId: string
  cohortId: string
  carried?: CarriedCohort
}

/** People are known by their seats, 1 to 500: a number instead of an id, since a cohort is written into every history that it begins. */
export type Seat = number

/** A cohort between two runs. */
export interface CarriedCohort {
  /** Seats 1 to this one have been taken in. */
  admitted: number
  /** Whether nobody enters any more. */
  isClosed: boolean
  /** Until when the cohort takes people in: ms since the epoch. */
  closesAt: number
  /** The seats that are still under way, and when each is next due, in ms since the epoch; null: woken by what happens. */
  waiting: [Seat, number | null][]
  ended: number
  held: number
}

/** What became of a seat at its turn. */
export interface SeatOutcome {
  seat: Seat
  /** `due` and `asleep` stay under way; `held` waits for a person. */
  now: 'due' | 'asleep' | 'held' | 'ended'
  /** Of `due`: ms since the epoch, already rounded up to the quantum. */
  dueAt?: number
}

export interface DripResult {
  enrolled: number
}

/** The state of a cohort. */
export interface CohortState {
  admitted: number
  underWay: number
  held: number
  ended: number
  isClosed: boolean
  /** When the next of them is due: ms since the epoch. */
  nextDueAt: number | null
}

export const dripSequenceId = (sequenceId: string, cohortId: string): string => `drip/${sequenceId}/${cohortId}`

// Signals, not updates: each says only that rows have changed, which `advance` reads. They may come twice, late, or in any order.
/** People have taken the seats up to this one. */
export const seatsTaken = defineSignal<[taken: { upTo: Seat }]>('seatsTaken')
/** Something has happened to these people that may change where they go: a reply, an exit, a pause that is over. No seats: to all. */
export const lookAgain = defineSignal<[whom: { seats?: Seat[] }]>('lookAgain')

export const cohortState = defineQuery<CohortState>('cohortState')
