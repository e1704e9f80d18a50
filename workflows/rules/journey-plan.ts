import type { SendingPolicy } from '../contracts/sending.ts'
import type { MessageStep, SequenceDefinition, Step } from '../contracts/sequences.ts'
import { type PersonFacts, type Walked, walk, walkOn } from './journeys.ts'
import { decideSend, type Recipient } from './send-decision.ts'

/** One thing that will happen. A message that has to wait is a `wait` with its reason, and then whatever becomes of it. */
export interface PlanEntry {
  /** Null for the end behind the last step. */
  stepKey: string | null
  type: Step['type'] | null
  at: Date
  what: 'send' | 'skip' | 'wait' | 'branch' | 'exit' | 'end' | 'hold'
  /** Why a message waits, is left out or held, or how the journey ends: a code. */
  reason: string | null
  /** Of a wait; without it only an event ends the wait, and the plan ends here. */
  until?: Date
  /** Whose clocks a message waits for. */
  zone?: string
}

/**
 * What a sequence does with a person who enters it now, by the very decisions that are taken on the way. It assumes that each message goes
 * when it is due and that nothing more is heard of the person: waits for an event run to their time-out.
 */
export function planJourney(
  definition: SequenceDefinition,
  { facts, ...person }: Recipient & { facts: PersonFacts },
  policy: SendingPolicy,
  now: Date,
): PlanEntry[] {
  const plan: PlanEntry[] = []
  const { zones } = person
  let { lastSentAt } = person
  let at = now
  let walked = walk(definition, { stepKey: null, arrivedAt: now }, facts, zones, now)
  for (;;) {
    const { turn } = walked
    plan.push(...stops(definition, walked, at))
    if (turn.is === 'message') {
      const outcome = deal(turn.step, walked.arrivedAt)
      if (outcome === 'hold') return plan
      if (outcome === 'send') lastSentAt = at
      walked = walkOn(definition, turn.step.key, facts, zones, at)
    } else if (turn.is === 'wait' && turn.until !== null) {
      at = turn.until
      walked = walk(definition, walked, facts, zones, at)
    } else {
      return plan
    }
  }

  /** Plans a message, and moves `at` on to when it is dealt with. */
  function deal({ key, type, channel, expiresAfter }: MessageStep, arrivedAt: Date): 'send' | 'skip' | 'hold' {
    for (;;) {
      const act = { purpose: definition.purpose, channel, arrivedAt, expiresAfter, now: at }
      const decision = decideSend(act, { ...person, lastSentAt }, policy)
      const entry = { stepKey: key, type, at, reason: 'reason' in decision ? decision.reason : null }
      if (decision.do !== 'defer') {
        plan.push({ ...entry, what: decision.do })
        return decision.do
      }
      const { until, zone } = decision
      plan.push({ ...entry, what: 'wait', until, ...(zone !== null && { zone }) })
      at = until
    }
  }
}

/** What the way itself brings, all of it at one time: waits, branches and the end. */
function stops({ steps }: SequenceDefinition, { visited, stepKey, turn }: Walked, at: Date): PlanEntry[] {
  const entries = visited.flatMap((key): PlanEntry[] => {
    const type = steps.find((step) => step.key === key)?.type
    if (type === 'branch') return [{ stepKey: key, type, at, what: 'branch', reason: null }]
    if (type !== 'wait') return []
    const until = turn.is === 'wait' && key === stepKey ? turn.until : at
    return [{ stepKey: key, type, at, what: 'wait', reason: null, ...(until !== null && { until }) }]
  })
  if (turn.is !== 'end') return entries
  const { reason } = turn
  const end: PlanEntry =
    reason === 'exit_step'
      ? { stepKey, type: 'exit', at, what: 'exit', reason }
      : { stepKey: null, type: null, at, what: 'end', reason }
  return [...entries, end]
}
