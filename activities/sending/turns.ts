import type { CohortGround, Decision, JourneySender, Move, Traveller } from '../../db/journeys.ts'
import type { JourneyMessage } from '../../db/messages.ts'
import { builtInPolicy, type NotSentReason, type SendingPolicy } from '../../workflows/contracts/sending.ts'
import type { MessageStep, SequenceDefinition } from '../../workflows/contracts/sequences.ts'
import { parseDuration } from '../../workflows/rules/durations.ts'
import { type PersonFacts, type Walked, walk, walkOn } from '../../workflows/rules/journeys.ts'
import { decideSend } from '../../workflows/rules/send-decision.ts'
import { possibleZones } from '../../workflows/rules/zones.ts'

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

/** Nothing, until something happens to them, or to the sequence. */
interface StayTurn extends TurnBase {
  is: 'stay'
  notSent?: NotSentReason
}

/** A message of theirs may have gone, and nobody knows. */
export interface UnclearTurn extends TurnBase {
  is: 'unclear'
  message: JourneyMessage
  /** When the journey goes on as if it had been sent; null: the journey is over. */
  givenUpAt: Date | null
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

const policyOf = ({ policy }: CohortGround): SendingPolicy => policy ?? builtInPolicy

/**
 * Decides what becomes of a person now: the story of a journey from one wake-up to the next. Steps that are over are passed; it ends at
 * a message that may go, at one that may not yet, at a wait, or at the end.
 */
export function decideTurn(traveller: Traveller, context: TurnContext): Turn {
  const { ground, now } = context
  const skipped: SkippedMessage[] = []
  const messages = context.messagesOf(traveller.enrolmentId)
  const isOver = traveller.status === 'completed' || traveller.status === 'exited'
  const open = messages.find(isOpen)
  if (isOver && open) return { is: 'unclear', traveller, skipped, message: open, givenUpAt: null }
  if (traveller.status !== 'active' && traveller.status !== 'completed') return { is: 'stay', traveller, skipped }
  if (ground.sequenceStatus === 'archived' && !isOver) {
    // Archiving was cut short before it came to them.
    const place = { ...traveller, visited: [] }
    return {
      is: 'move',
      traveller,
      skipped,
      move: moveOf(traveller, place, { status: 'exited', reason: 'sequence_archived' }),
    }
  }
  if (ground.isPaused || ground.sequenceStatus !== 'live') return { is: 'stay', traveller, skipped, notSent: 'paused' }

  const definition = context.definitionOf(traveller.version)
  const policy = policyOf(ground)
  const facts = context.factsOf(traveller)
  const zones = possibleZones(traveller, ground)
  const again = messages.find(({ status, stepKey }) => status === 'planned' && isBehind(definition, stepKey, traveller))
  let walked = walk(definition, traveller, facts, zones, now)
  const visited = [...walked.visited]

  const move = (to: Partial<Move>): MoveTurn => ({
    is: 'move',
    traveller,
    skipped,
    move: moveOf(traveller, { ...walked, visited }, to),
  })
  const passMessage = (step: MessageStep) => {
    walked = walkOn(definition, step.key, facts, zones, now)
    visited.push(...walked.visited)
  }
  // Somebody has asked for it to be sent again, and the journey has gone on without it.
  const unsent = definition.steps.find(({ key }) => key === again?.stepKey)
  if (unsent?.type === 'message') {
    const decided = decideMessage(unsent, again)
    if (decided?.is === 'send') return { ...decided, isBehind: true }
  }
  if (isOver) return { is: 'stay', traveller, skipped: [] }

  for (;;) {
    const { turn } = walked
    if (turn.is === 'look') throw new Error('a walk with facts asked for them')
    if (turn.is === 'wait') return move({ dueAt: turn.until, waitingFor: turn.events.length > 0 ? turn.events : null })
    if (turn.is === 'end') {
      const isCompleted = turn.reason === 'completed'
      return move({ status: isCompleted ? 'completed' : 'exited', reason: isCompleted ? null : turn.reason })
    }
    const earlier = messages.find(({ stepKey }) => stepKey === turn.step.key)
    if (earlier?.status === 'sending' || earlier?.status === 'unconfirmed') {
      const givenUpAt = new Date(
        (earlier.unconfirmedAt ?? now).getTime() + (parseDuration(policy.unconfirmedAfter) ?? 0),
      )
      if (earlier.status === 'sending' || givenUpAt > now)
        return { is: 'unclear', traveller, skipped, message: earlier, givenUpAt }
    }
    if (earlier !== undefined && earlier.status !== 'planned') {
      passMessage(turn.step)
      continue
    }
    const decided = decideMessage(turn.step, earlier)
    if (decided !== null) return decided
    passMessage(turn.step)
  }

  /** Null: it is left out. */
  function decideMessage(step: MessageStep, planned: JourneyMessage | undefined): Turn | null {
    const sender = ground.senders.find(({ id }) => id === definition.senderId)
    if (!sender) return hold(step, 'paused', 'sender')
    if (sender.isPaused) return { ...move({ dueAt: null }), notSent: 'paused' }
    const decision = decideSend(
      {
        purpose: definition.purpose,
        channel: step.channel,
        arrivedAt: walked.arrivedAt,
        expiresAfter: step.expiresAfter,
        now,
      },
      {
        address: traveller.email,
        zones,
        isSuppressed: isSuppressed(traveller, definition),
        consent: traveller.consent,
        lastSentAt: traveller.lastSentAt,
      },
      policy,
    )
    if (decision.do === 'skip') {
      skipped.push({ step, definition, reason: decision.reason })
      return null
    }
    if (decision.do === 'hold') return hold(step, decision.reason)
    if (decision.do === 'defer') {
      const { reason, until } = decision
      return { ...move({ dueAt: until }), notSent: reason, decision: deferral(traveller, step.key, decision) }
    }
    const place = { ...walked, visited }
    return {
      is: 'send',
      traveller,
      skipped,
      step,
      definition,
      sender,
      walked: place,
      planned: planned?.id ?? null,
      isBehind: false,
    }
  }

  function hold(step: MessageStep, reason: NotSentReason, detail?: string): MoveTurn {
    return {
      ...move({ status: 'held', reason }),
      notSent: reason,
      decision: holding(traveller, step.key, reason, detail),
    }
  }
}

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
export function moveBehind(
  turn: { traveller: Traveller; walked: Walked },
  step: MessageStep,
  definition: SequenceDefinition,
  ground: CohortGround,
  now: Date,
): Move {
  const { traveller, walked } = turn
  const on = walkOn(definition, step.key, null, possibleZones(traveller, ground), now)
  const visited = [...walked.visited, ...on.visited]
  const to = on.turn
  const place = moveOf(traveller, { ...on, visited })
  if (to.is === 'wait') return { ...place, dueAt: to.until, waitingFor: to.events.length > 0 ? to.events : null }
  if (to.is !== 'end') return { ...place, dueAt: now }
  return to.reason === 'completed'
    ? { ...place, status: 'completed', stepKey: step.key }
    : { ...place, status: 'exited', reason: to.reason }
}

function isSuppressed({ suppressedFor }: Traveller, { purpose }: SequenceDefinition): boolean {
  return suppressedFor.includes('all') || suppressedFor.includes(purpose)
}

/** It may have gone, and nobody has asked the provider yet. */
function isOpen({ status, lookUp }: JourneyMessage): boolean {
  return status === 'sending' || (status === 'unconfirmed' && lookUp === null)
}

function isBehind({ steps }: SequenceDefinition, stepKey: string, traveller: Traveller): boolean {
  const indexOf = (key: string | null) => steps.findIndex((step) => step.key === key)
  return traveller.status === 'completed' || indexOf(stepKey) < indexOf(traveller.stepKey)
}

function deferral(
  { contactId, enrolmentId }: Traveller,
  stepKey: string,
  { reason, until, zone }: { reason: string; until: Date; zone: string | null },
): Decision {
  return {
    contactId,
    enrolmentId,
    type: 'message.deferred',
    sourceKey: `defer/${enrolmentId}/${stepKey}/${reason}/${until.toISOString()}`,
    data: { stepKey, reason, until: until.toISOString(), zone },
  }
}

export function holding(
  { contactId, enrolmentId }: Traveller,
  stepKey: string | null,
  reason: string,
  detail?: string,
): Decision {
  return {
    contactId,
    enrolmentId,
    type: 'enrolment.held',
    sourceKey: `held/${enrolmentId}/${stepKey}/${reason}/${detail ?? ''}`,
    data: { stepKey, reason, ...(detail !== undefined && { detail }) },
  }
}
