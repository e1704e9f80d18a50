import type { CohortMoves, SeatOutcome } from '../../workflows/contracts/drip-sequence.ts'

export type Tally = ReturnType<typeof createTally>

/** Collects what a batch has come to: for each seat how it goes on, and for operators what has happened. */
export function createTally(quantumMs: number) {
  const outcomes = new Map<number, SeatOutcome>()
  const moves: CohortMoves = { entered: {}, sent: {}, notSent: {}, ended: {} }

  function due(seat: number, at: Date, now: Date): void {
    // What is due at once waits for nobody; later wake-ups are shared.
    const dueAt = at <= now ? now.getTime() : Math.ceil(at.getTime() / quantumMs) * quantumMs
    outcomes.set(seat, { seat, now: 'due', dueAt })
  }

  return {
    due,
    ended: (seat: number) => void outcomes.set(seat, { seat, now: 'ended' }),
    entered(steps: readonly string[]): void {
      for (const step of steps) count(moves.entered, step)
    },
    sent: (step: string) => count(moves.sent, step),
    notSent: (reason: string) => count(moves.notSent, reason),

    /** How somebody stands after their turn, as the row says. */
    stands(seat: number, status: string, dueAt: Date | null, reason: string | null, now: Date): void {
      if (status === 'active' && dueAt !== null) due(seat, dueAt, now)
      else if (status === 'active' || status === 'paused') outcomes.set(seat, { seat, now: 'asleep' })
      else if (status === 'held') outcomes.set(seat, { seat, now: 'held' })
      else {
        outcomes.set(seat, { seat, now: 'ended' })
        count(moves.ended, reason ?? status)
      }
    },

    /** Whoever nothing was said of is looked at again. */
    result(seats: readonly number[], now: Date): { outcomes: SeatOutcome[]; moves: CohortMoves } {
      for (const seat of seats) if (!outcomes.has(seat)) due(seat, now, now)
      return { outcomes: [...outcomes.values()], moves }
    },
  }
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1
}
