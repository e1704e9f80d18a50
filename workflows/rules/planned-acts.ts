import type { Act, ActBody, BillingSituation, Timer, TimerWhat } from '../contracts/subscriptions.ts'

/** Something that is to come at its time, or has: facts and memory say what and when, `settle` what of it is due at `now`. */
export interface Planned {
  /** Without the organisation's part of it. */
  key: string
  at: number
  /** Null: something changes by itself, and somebody has to look. */
  act: ActBody | null
  /** What its timer announces. */
  what: TimerWhat
  /** From this moment on it is worth nothing any more. */
  before?: number
  /** Rungs of one ladder: of those that are due only the newest is done, and none that is older than one that was. */
  ladder?: string
  /** Stripe's moments are not ours to move. */
  isMovable?: false
}

/** As `settle` sees it: moved, under its whole key. */
interface Entry extends Planned {
  ladder: string
  /** Its place in the plan. */
  place: number
  isDone: boolean
}

/** The acts that are due, by their time and then as they were planned, and timers for what is not due yet. */
export function settle(planned: readonly Planned[], situation: BillingSituation): { acts: Act[]; timers: Timer[] } {
  const { memory, now } = situation
  const done = new Set(memory.done)
  const entries = planned.map((one, place): Entry => {
    const key = actKey(situation.organisationId, one.key)
    const at = one.isMovable === false ? one.at : plannedAt(situation, one.key, one.at)
    return { ...one, key, at, place, ladder: one.ladder ?? one.key, isDone: done.has(key) }
  })
  const ladders = Map.groupBy(entries.toSorted(byTime), ({ ladder }) => ladder)
  const open = [...ladders.values()].flatMap((rungs) => leftOf(rungs, now))
  const due = new Map(open.filter(({ at }) => at <= now).map((one) => [one.ladder, one]))
  return {
    acts: [...due.values()].toSorted(byTime).flatMap(({ act, key }) => (act === null ? [] : [{ ...act, key }])),
    timers: open
      .filter(({ at }) => at > now)
      .toSorted(byTime)
      .map(({ key, at, what, isMovable = true }) => ({ key, at, what, isMovable })),
  }
}

/** When something is to come, unless an operator has moved it: by its key without the organisation. */
export function plannedAt({ organisationId, memory }: BillingSituation, key: string, at: number): number {
  return memory.movedTimers[actKey(organisationId, key)] ?? at
}

export const actKey = (organisationId: string, key: string): string => `billing/${organisationId}/${key}`

/** What of a ladder, the earliest rung first, may still be done. */
function leftOf(rungs: readonly Entry[], now: number): Entry[] {
  const behind = rungs.findLastIndex(({ isDone }) => isDone) + 1
  return rungs.slice(behind).filter(({ at, before = Infinity }) => Math.max(at, now) < before)
}

const byTime = (one: Entry, other: Entry): number => one.at - other.at || one.place - other.place
