import type { CohortGround, Decision, JourneySender, Move, Traveller } from '../../db/journeys.ts'
import type { JourneyMessage } from '../../db/messages.ts'
import type { NotSentReason } from '../../workflows/contracts/sending.ts'
import type { MessageStep, SequenceDefinition } from '../../workflows/contracts/sequences.ts'
import { parseDuration } from '../../workflows/rules/durations.ts'
import { type PersonFacts, type Walked, walk, walkOn } from '../../workflows/rules/journeys.ts'
import { possibleZones } from '../../workflows/rules/zones.ts'
import { later } from '../clock.ts'
import { deferral, holding } from './decisions.ts'
import { decideMessage, type MessageDecision } from './message-decisions.ts'
import { moveOf } from './moves.ts'

/** What is to be done about somebody whose turn it is. */
export type Turn = SendTurn | MoveTurn | StayTurn | UnclearTurn

interface TurnBase {
  traveller: Traveller
  /** Left out on the way, for good. */
  skipped: SkippedMessage[]
}

interface MoveTurn extends TurnBase {
  is: 'move'
  move: Move
  notSent?: NotSentReason
  decision?: Decision
}

/** The person stays where they are, until something happens to them or to the sequence, or until `dueAt`. */
interface StayTurn extends TurnBase {
  is: 'stay'
  dueAt?: Date
  notSent?: NotSentReason
  decision?: Decision
}

/** A message of theirs may have gone, and nobody knows. */
export interface UnclearTurn extends TurnBase {
  is: 'unclear'
  message: JourneyMessage
}

export interface SendTurn extends TurnBase {
  is: 'send'
  step: MessageStep
  definition: SequenceDefinition
  sender: JourneySender
  walked: Walked
  /** The message that was planned before. */
  planned: string | null
  /** The journey has gone past the step already, and stays where it is. */
  isBehind: boolean
}

interface SkippedMessage {
  step: MessageStep
  definition: SequenceDefinition
  reason: NotSentReason
}

/** All that a turn is decided by besides the person. */
export interface TurnContext {
  ground: CohortGround
  definitionOf(version: number): SequenceDefinition
  factsOf(traveller: Traveller): PersonFacts
  /** The messages of an enrolment. */
  messagesOf(enrolmentId: string): readonly JourneyMessage[]
  now: Date
}

/** After which a message that is wanted again, and may not go just now, is looked at again: nobody else would. */
const wantedAgainMs = 15 * 60_000

/**
 * Decides what becomes of a person now: the story of a journey from one wake-up to the next. What may have gone is found out about first,
 * whatever else stands still. Then steps that are over are passed, up to a message that may go, one that may not yet, a wait, or the end.
 */
export function decideTurn(traveller: Traveller, context: TurnContext): Turn {
  const { ground, now } = context
  const messages = context.messagesOf(traveller.enrolmentId)
  const unclear = messages.find(isUnclear)
  if (unclear) return { is: 'unclear', traveller, skipped: [], message: unclear }

  if (traveller.status === 'exited') return { is: 'stay', traveller, skipped: leftUnsent(traveller, context) }
  const isOver = traveller.status === 'completed'
  if (traveller.status !== 'active' && !isOver) return { is: 'stay', traveller, skipped: [] }
  if (ground.sequenceStatus === 'archived' && !isOver) return cutShort(traveller, context)

  const wanted = wantedAgain(traveller, context)
  if (isOver && wanted === undefined) return { is: 'stay', traveller, skipped: [] }
  if (ground.isPaused || ground.sequenceStatus !== 'live') {
    const stay: StayTurn = { is: 'stay', traveller, skipped: [], notSent: 'paused' }
    const pausedBy = ground.isPaused ? 'organisation' : 'sequence'
    const decision = deferral(traveller, traveller.stepKey, { reason: 'paused', pausedBy, at: now })
    return isOver ? { ...stay, dueAt: later(now, wantedAgainMs) } : { ...stay, decision }
  }
  return wanted === undefined ? goOn(traveller, context) : sendAgain(traveller, wanted, context)
}

/** From where the person stands to where the journey comes to a halt. */
function goOn(traveller: Traveller, context: TurnContext): Turn {
  const { ground, now } = context
  const definition = context.definitionOf(traveller.version)
  const facts = context.factsOf(traveller)
  const zones = possibleZones(traveller, ground)
  const messages = context.messagesOf(traveller.enrolmentId)
  const skipped: SkippedMessage[] = []
  let walked = walk(definition, traveller, facts, zones, now)
  const visited = [...walked.visited]

  for (;;) {
    const { turn } = walked
    if (turn.is === 'look') throw new Error('a walk with facts asked for them')
    if (turn.is === 'wait') return move({ dueAt: turn.until, waitingFor: turn.events.length > 0 ? turn.events : null })
    if (turn.is === 'end') {
      const isCompleted = turn.reason === 'completed'
      return move({ status: isCompleted ? 'completed' : 'exited', reason: isCompleted ? null : turn.reason })
    }
    const { step } = turn
    const earlier = messages.find(({ stepKey }) => stepKey === step.key)
    const givenUpAt = earlier?.status === 'unconfirmed' ? goesOnAt(earlier, ground) : now
    if (givenUpAt > now) return move({ dueAt: givenUpAt })
    if (earlier === undefined || earlier.status === 'planned') {
      const decision = decideMessage(traveller, step, walked.arrivedAt, context)
      const halt = haltAt(step, decision, earlier?.id ?? null)
      if (halt) return halt
    }
    walked = walkOn(definition, step.key, facts, zones, now)
    visited.push(...walked.visited)
  }

  /** Null: the message is left out, and the journey goes on. */
  function haltAt(step: MessageStep, decision: MessageDecision, planned: string | null): Turn | null {
    if (decision.do === 'send') {
      const place = { ...walked, visited }
      const { sender } = decision
      return { is: 'send', traveller, skipped, step, definition, sender, walked: place, planned, isBehind: false }
    }
    if (decision.do === 'skip') {
      skipped.push({ step, definition, reason: decision.reason })
      return null
    }
    if (decision.do === 'hold') {
      const held = holding(traveller, step.key, decision.reason, now)
      return { ...move({ status: 'held', reason: decision.reason }), notSent: decision.reason, decision: held }
    }
    return {
      ...move({ dueAt: decision.until }),
      notSent: decision.reason,
      decision: deferral(traveller, step.key, { ...decision, at: now }),
    }
  }

  function move(to: Partial<Move>): MoveTurn {
    return { is: 'move', traveller, skipped, move: moveOf(traveller, { ...walked, visited }, to) }
  }
}

/** A message that somebody wants sent once more, though the journey has gone on without it. */
function sendAgain(traveller: Traveller, { step, id }: WantedMessage, context: TurnContext): Turn {
  const { now } = context
  const definition = context.definitionOf(traveller.version)
  const decision = decideMessage(traveller, step, now, context)
  if (decision.do === 'send') {
    const { stepKey, arrivedAt } = traveller
    const walked: Walked = { stepKey, arrivedAt, visited: [], turn: { is: 'look' } }
    const { sender } = decision
    return { is: 'send', traveller, skipped: [], step, definition, sender, walked, planned: id, isBehind: true }
  }
  // Without it, until it may go: others of the journey may.
  const skipped = decision.do === 'skip' ? [{ step, definition, reason: decision.reason }] : []
  const until = decision.do === 'defer' && decision.until ? decision.until : later(now, wantedAgainMs)
  if (traveller.status === 'completed') {
    return { is: 'stay', traveller, skipped, ...(decision.do !== 'skip' && { dueAt: until }) }
  }
  const turn = goOn(traveller, context)
  turn.skipped.push(...skipped)
  if (turn.is !== 'move' || turn.move.status !== 'active' || decision.do === 'skip') return turn
  const { dueAt } = turn.move
  return { ...turn, move: { ...turn.move, dueAt: dueAt === null || dueAt > until ? until : dueAt } }
}

interface WantedMessage {
  id: string
  step: MessageStep
}

/** The journey has gone on, by the time that the policy gives or to its end, and somebody has said: send it again. */
function wantedAgain(traveller: Traveller, context: TurnContext): WantedMessage | undefined {
  const planned = context.messagesOf(traveller.enrolmentId).filter(({ status }) => status === 'planned')
  if (planned.length === 0) return undefined
  const { steps } = context.definitionOf(traveller.version)
  const standing = steps.findIndex(({ key }) => key === traveller.stepKey)
  for (const [index, step] of steps.entries()) {
    const message = planned.find(({ stepKey }) => stepKey === step.key)
    const isBehind = traveller.status === 'completed' || index < standing
    if (message && isBehind && step.type === 'message') return { id: message.id, step }
  }
  return undefined
}

/** Archiving was interrupted before it came to them. */
function cutShort(traveller: Traveller, context: TurnContext): MoveTurn {
  const move = moveOf(traveller, { ...traveller, visited: [] }, { status: 'exited', reason: 'sequence_archived' })
  return { is: 'move', traveller, skipped: leftUnsent(traveller, context), move }
}

/** What was put off, and will not go any more since its person has left. */
function leftUnsent({ enrolmentId, version }: Traveller, context: TurnContext): SkippedMessage[] {
  const planned = context.messagesOf(enrolmentId).filter(({ status }) => status === 'planned')
  if (planned.length === 0) return []
  const definition = context.definitionOf(version)
  return definition.steps.flatMap((step): SkippedMessage[] =>
    step.type === 'message' && planned.some(({ stepKey }) => stepKey === step.key)
      ? [{ step, definition, reason: 'exited' }]
      : [],
  )
}

/** It may have gone, and nobody has asked the provider yet. */
function isUnclear({ status, lookUp }: JourneyMessage): boolean {
  return status === 'sending' || (status === 'unconfirmed' && lookUp === null)
}

/** When the journey goes on as if the message had been sent. */
function goesOnAt({ unconfirmedAt }: JourneyMessage, { policy }: CohortGround): Date {
  return later(unconfirmedAt ?? new Date(0), parseDuration(policy.unconfirmedAfter) ?? 0)
}
