import type { CohortGround, Move, Traveller } from '../../db/journeys.ts'
import { type Walked, walkOn } from '../../workflows/rules/journeys.ts'
import { possibleZones } from '../../workflows/rules/zones.ts'
import type { SendTurn } from './turns.ts'

/** How a person moves who has come this far and goes no further for now. */
export function moveOf(traveller: Traveller, walked: Omit<Walked, 'turn'>, to: Partial<Move> = {}): Move {
  return {
    enrolmentId: traveller.enrolmentId,
    fromStep: traveller.stepKey,
    stepKey: walked.stepKey ?? traveller.stepKey,
    arrivedAt: walked.arrivedAt,
    visited: walked.visited,
    status: 'active',
    reason: null,
    dueAt: null,
    waitingFor: null,
    ...to,
  }
}

/** Where somebody goes whose message is dealt with: as far as it can be told without a look at what has happened since. */
export function moveBehind({ traveller, walked, step, definition }: SendTurn, ground: CohortGround, now: Date): Move {
  const on = walkOn(definition, step.key, null, possibleZones(traveller, ground), now)
  const place = moveOf(traveller, { ...on, visited: [...walked.visited, ...on.visited] })
  const { turn } = on
  if (turn.is === 'wait') return { ...place, dueAt: turn.until }
  if (turn.is !== 'end') return { ...place, dueAt: now }
  return turn.reason === 'completed'
    ? { ...place, status: 'completed' }
    : { ...place, status: 'exited', reason: turn.reason }
}
