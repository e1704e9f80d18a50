import type {
  BranchStep,
  EventWait,
  endOfSequence,
  MessageStep,
  PersonCondition,
  SequenceDefinition,
  Step,
  WaitStep,
} from '../contracts/sequences.ts'
import { durationMs } from './durations.ts'
import { momentAfter } from './local-moments.ts'

/** What is known of somebody when the way is chosen. */
export interface PersonFacts {
  properties: Readonly<Record<string, unknown>>
  /** Types of the events since the journey began. */
  events: ReadonlySet<string>
}

/** Where somebody stands and since when; `stepKey` null: before the first step. */
export interface Position {
  stepKey: string | null
  arrivedAt: Date
}

/** What is to be done where somebody has come to. `until` null: only an event ends the wait. */
type Turn =
  | { is: 'message'; step: MessageStep }
  | { is: 'wait'; until: Date | null; events: string[] }
  /** Facts are needed: it is asked again with them. */
  | { is: 'look' }
  | { is: 'end'; reason: 'completed' | 'exit_step' }

export interface Walked extends Position {
  /** The keys newly come to, in order. */
  visited: string[]
  turn: Turn
}

/** Where a step that holds nobody back leads: a key, or none for what stands behind it; and when it was left. */
interface Passage {
  to: string | undefined
  at: Date
}

const end: typeof endOfSequence = 'end'

/**
 * From where somebody stands as far as it goes at `now`: past waits that are over and branches, up to a message, a wait or the end. A
 * wait counts from the arrival at it, and whoever comes late to its end has left it in time, so that what follows does not drift.
 * Without facts it stops where they would decide.
 */
export function walk(
  definition: SequenceDefinition,
  position: Position,
  facts: PersonFacts | null,
  zones: readonly string[],
  now: Date,
): Walked {
  const { stepKey, arrivedAt } = position
  const first: Passage = { to: definition.steps[0]?.key, at: arrivedAt }
  const met = stepKey === null ? first : meet(stepAt(definition, stepKey), arrivedAt, facts, zones, now)
  return follow(definition, position, met, facts, zones, now)
}

/** The same from behind a step that is done, such as a message that was dealt with at `now`. */
export function walkOn(
  definition: SequenceDefinition,
  doneKey: string,
  facts: PersonFacts | null,
  zones: readonly string[],
  now: Date,
): Walked {
  const done = stepAt(definition, doneKey)
  const passage: Passage = { to: 'next' in done ? done.next : undefined, at: now }
  return follow(definition, { stepKey: doneKey, arrivedAt: now }, passage, facts, zones, now)
}

function follow(
  definition: SequenceDefinition,
  from: Position,
  met: Turn | Passage,
  facts: PersonFacts | null,
  zones: readonly string[],
  now: Date,
): Walked {
  const visited: string[] = []
  let { stepKey, arrivedAt } = from
  let turn = met
  while (!('is' in turn)) {
    const step = targetOf(definition, stepKey, turn.to)
    if (step === null) {
      turn = { is: 'end', reason: 'completed' }
    } else {
      stepKey = step.key
      arrivedAt = turn.at
      visited.push(step.key)
      turn = meet(step, arrivedAt, facts, zones, now)
    }
  }
  return { visited, stepKey, arrivedAt, turn }
}

function meet(
  step: Step,
  arrivedAt: Date,
  facts: PersonFacts | null,
  zones: readonly string[],
  now: Date,
): Turn | Passage {
  if (step.type === 'message') return { is: 'message', step }
  if (step.type === 'exit') return { is: 'end', reason: 'exit_step' }
  if (step.type === 'branch') {
    return facts === null ? { is: 'look' } : { to: armOf(step, facts), at: arrivedAt }
  }
  if (step.event !== undefined) return waitForEvent(step, step.event, arrivedAt, facts, now)
  return waitFor(endOf(step, arrivedAt, zones), step.next, now)
}

function waitFor(until: Date, to: string | undefined, now: Date): Turn | Passage {
  return until <= now ? { to, at: until } : { is: 'wait', until, events: [] }
}

function endOf({ for: duration, until }: WaitStep, arrivedAt: Date, zones: readonly string[]): Date {
  if (until !== undefined) return momentAfter(until, zones, arrivedAt)
  return later(arrivedAt, duration ?? 'PT0S')
}

function waitForEvent(
  step: WaitStep,
  { firstOf, timeout, onTimeout }: EventWait,
  arrivedAt: Date,
  facts: PersonFacts | null,
  now: Date,
): Turn | Passage {
  if (facts === null) return { is: 'look' }
  const happened = firstOf.find(({ type }) => facts.events.has(type))
  if (happened !== undefined) return { to: happened.next ?? step.next, at: now }
  const until = timeout === undefined ? null : later(arrivedAt, timeout)
  if (until !== null && until <= now) return { to: onTimeout ?? step.next, at: until }
  return { is: 'wait', until, events: firstOf.map(({ type }) => type) }
}

function later(from: Date, duration: string): Date {
  return new Date(from.getTime() + durationMs(duration))
}

function armOf({ arms, else: otherwise }: BranchStep, facts: PersonFacts): string {
  return arms.find(({ when }) => when.every((condition) => holds(condition, facts)))?.next ?? otherwise
}

function holds(condition: PersonCondition, { properties, events }: PersonFacts): boolean {
  if ('event' in condition) return events.has(condition.event) === condition.happened
  const { property } = condition
  const known = Object.hasOwn(properties, property) ? (properties[property] ?? null) : null
  if ('exists' in condition) return (known !== null) === condition.exists
  if ('is' in condition) return known === condition.is
  if ('in' in condition) return condition.in.some((value) => value === known)
  const { atLeast = -Infinity, atMost = Infinity } = condition
  return typeof known === 'number' && known >= atLeast && known <= atMost
}

function stepAt({ steps }: SequenceDefinition, key: string): Step {
  const step = steps.find((one) => one.key === key)
  if (step === undefined) throw new Error('no_such_step')
  return step
}

/** The step that a key, or none, means behind `from`; null for the end. Only what stands later is found, so nobody walks in a circle. */
function targetOf({ steps }: SequenceDefinition, from: string | null, to: string | undefined): Step | null {
  if (to === end) return null
  const behind = steps.findIndex(({ key }) => key === from) + 1
  if (to === undefined) return steps[behind] ?? null
  const target = steps.slice(behind).find(({ key }) => key === to)
  if (target === undefined) throw new Error('no_such_step')
  return target
}
