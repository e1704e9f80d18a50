import type { CarriedCohort, CohortState, Seat, SeatOutcome } from '../contracts/drip-sequence.ts'
import { cohortSize } from '../contracts/sequences.ts'

/**
 * Who sits where in a cohort and when each is next due: eight bytes a person, since a hundred thousand sleep at a time. It decides
 * nothing and knows no clock.
 */
export interface Roster {
  /** Takes in who is not yet, up to this seat: they are due at once. */
  admit(upTo: unknown, now: number): void
  /**
   * Has these due at once, held ones too; no list of seats: everyone who has not ended. Whoever has and is named comes back for a turn: a
   * message of theirs may be wanted again. Whose turn it is right now has another one after it.
   */
  lookAgain(now: number, seats?: unknown): void
  /** Begins the turn of who is due, the longest due first. */
  take(most: number, now: number): Seat[]
  /**
   * Ends the turns of those of whom exactly one thing was told that makes sense, and returns the others. `begun` is when the turns began.
   */
  settle(seats: readonly Seat[], outcomes: unknown, begun: number, now: number): Seat[]
  /** Ends the turns of these: they wait for a person. */
  hold(seats: readonly Seat[], now: number): void
  /** The earliest time that somebody is due at, also in the past; Infinity when everyone sleeps. */
  nextDueAt(): number
  /** Who has not ended, whatever they wait for. */
  present(): Seat[]
  counts(): Pick<CohortState, 'admitted' | 'underWay' | 'atTurn' | 'held' | 'ended'>
  carry(): Pick<CarriedCohort, 'admitted' | 'waiting' | 'held' | 'ended'>
}

/** No time wakes them, but what happens does. */
const asleep = Infinity
/** Has never been there, or is no longer: less, equal and greater are all false of it. */
const absent = Number.NaN

/** For who is said to be due again no later than the turn that says so: turns that move nothing must not become a busy loop. */
const pauseMs = 1_000

export function createRoster(carried?: CarriedCohort): Roster {
  const dueAt = new Float64Array(cohortSize + 1).fill(absent)
  const atTurn = new Set<Seat>()
  const again = new Set<Seat>()
  const held = new Set<Seat>(carried?.held)
  let admitted = carried?.admitted ?? 0
  let ended = carried?.ended ?? 0
  for (const seat of held) dueAt[seat] = asleep
  for (const [due, seats] of carried?.waiting ?? []) for (const seat of seats) dueAt[seat] = due ?? asleep
  return { admit, lookAgain, take, settle, hold, nextDueAt, present, counts, carry }

  function admit(upTo: unknown, now: number): void {
    if (typeof upTo !== 'number') return
    while (admitted < Math.min(upTo, cohortSize)) dueAt[(admitted += 1)] = now
  }

  function lookAgain(now: number, seats: unknown): void {
    for (const seat of Array.isArray(seats) ? seats.filter(isTaken) : present()) {
      if (atTurn.has(seat)) again.add(seat)
      else {
        if (!isPresent(seat)) ended -= 1
        held.delete(seat)
        dueAt[seat] = isPresent(seat) ? Math.min(dueOf(seat), now) : now
      }
    }
  }

  function take(most: number, now: number): Seat[] {
    const due = present().filter((seat) => dueOf(seat) <= now)
    const taken = due.sort((one, other) => dueOf(one) - dueOf(other) || one - other).slice(0, most)
    for (const seat of taken) {
      dueAt[seat] = asleep
      atTurn.add(seat)
    }
    return taken
  }

  function settle(seats: readonly Seat[], outcomes: unknown, begun: number, now: number): Seat[] {
    const told = Map.groupBy(Array.isArray(outcomes) ? outcomes.filter(isOutcome) : [], ({ seat }) => seat)
    return seats.filter((seat) => {
      const [outcome, ...more] = told.get(seat) ?? []
      if (!outcome || more.length > 0) return true
      if (outcome.now === 'due') endTurn(seat, outcome.dueAt > begun ? outcome.dueAt : begun + pauseMs, now)
      else if (outcome.now === 'asleep') endTurn(seat, asleep, now)
      else if (outcome.now === 'held') hold([seat], now)
      else leave(seat, now)
      return false
    })
  }

  function hold(seats: readonly Seat[], now: number): void {
    for (const seat of seats) {
      if (!again.has(seat)) held.add(seat)
      endTurn(seat, asleep, now)
    }
  }

  /** Who was named meanwhile comes back for a turn: what was told came after the answer was made. */
  function leave(seat: Seat, now: number): void {
    if (again.has(seat)) return endTurn(seat, now, now)
    atTurn.delete(seat)
    dueAt[seat] = absent
    ended += 1
  }

  function endTurn(seat: Seat, next: number, now: number): void {
    atTurn.delete(seat)
    dueAt[seat] = again.delete(seat) ? now : next
  }

  function nextDueAt(): number {
    return dueAt.reduce((earliest, due) => (due < earliest ? due : earliest), asleep)
  }

  function present(): Seat[] {
    return Array.from({ length: admitted }, (_, index) => index + 1).filter(isPresent)
  }

  function counts() {
    const underWay = admitted - ended - held.size
    return { admitted, underWay, atTurn: atTurn.size, held: held.size, ended }
  }

  function carry() {
    const waiting = Map.groupBy(
      present().filter((seat) => !held.has(seat)),
      dueOf,
    )
    const byTime = [...waiting].map(([due, seats]): [number | null, Seat[]] => [due === asleep ? null : due, seats])
    return { admitted, waiting: byTime, held: [...held], ended }
  }

  function isTaken(seat: unknown): seat is Seat {
    return typeof seat === 'number' && Number.isInteger(seat) && seat >= 1 && seat <= admitted
  }

  function isPresent(seat: unknown): seat is Seat {
    return typeof seat === 'number' && !Number.isNaN(dueOf(seat))
  }

  function dueOf(seat: Seat): number {
    return dueAt[seat] ?? absent
  }
}

function isOutcome(told: unknown): told is SeatOutcome {
  if (typeof told !== 'object' || told === null || !('seat' in told) || !('now' in told)) return false
  if (told.now === 'due') return 'dueAt' in told && typeof told.dueAt === 'number' && isTime(told.dueAt)
  return told.now === 'asleep' || told.now === 'held' || told.now === 'ended'
}

/** Beyond this no date can be shown. */
const isTime = (ms: number) => Number.isInteger(ms) && Math.abs(ms) <= 8.64e15
