import { randomUUID } from 'node:crypto'
import { isSameAddress } from '../../db/addresses.ts'
import type { Tx } from '../../db/client.ts'
import { type CohortGround, type Move, moveOn, recordDecisions } from '../../db/journeys.ts'
import { claimMessages, skipMessages } from '../../db/messages.ts'
import type { CohortRef } from '../../workflows/contracts/drip-sequence.ts'
import type { RenderBudget } from '../../workflows/rules/templates.ts'
import { chunks } from '../chunks.ts'
import type { ClaimedCall } from './calls.ts'
import { deferral, holding } from './decisions.ts'
import { moveOf } from './moves.ts'
import { type Candidate, messageRow, outgoing } from './outgoing.ts'
import { type Paced, pace, type Timed } from './pacing.ts'
import { withinLimits } from './plan-limits.ts'
import type { Tally } from './tally.ts'
import { needsFacts, takeTurns } from './turn-context.ts'
import { decideTurn, type SendTurn, type Turn, type UnclearTurn } from './turns.ts'

/** What the templates of a hundred people may take together: meanwhile their turns are held, and nobody else's messages are rendered. */
const renderMs = 1_000

/** Messages that may be handed over now, in one call. */
export interface Claimed extends ClaimedCall {
  turns: SendTurn[]
  ground: CohortGround
}

/** What a look at the people of some seats has brought, besides what is recorded already. */
export interface Opened {
  claimed: Claimed[]
  later: Paced['later']
  unclear: UnclearTurn[]
}

export interface Opening {
  seats: readonly number[]
  /** Their sender's times were reserved before. */
  hasSlots: boolean
  mostPerCall: number
  clock: () => Date
  tally: Tally
  publicUrl: string
  logUnexpected: (error: unknown) => void
}

/** Decides what becomes of the people on these seats, in one transaction and inside their turns, and claims the messages that go now. */
export async function openTurns(tx: Tx, cohort: CohortRef, opening: Opening): Promise<Opened> {
  const { seats, clock, tally } = opening
  const { seated, people, context } = await takeTurns(tx, cohort, seats, clock)
  const { now } = context
  const claimedMs = performance.now()
  const hashes = new Map(seated.map(({ enrolmentId, emailHash }) => [enrolmentId, emailHash]))
  const known = new Set(seated.map(({ seat }) => seat))
  for (const seat of seats) if (!known.has(seat)) tally.ended(seat)

  const turns: Exclude<Turn, SendTurn>[] = []
  const candidates: Candidate[] = []
  const budget: RenderBudget = { leftMs: renderMs }
  for (const traveller of people) {
    if (!isSameAddress(hashes.get(traveller.enrolmentId), traveller.emailHash)) {
      tally.due(traveller.seat, now, now) // the address has changed since its turn was taken
      continue
    }
    try {
      const turn = decideTurn(traveller, context)
      if (turn.is !== 'send') turns.push(turn)
      else {
        const message = outgoing(turn, cohort, { publicUrl: opening.publicUrl, budget })
        if (message === 'late') tally.due(traveller.seat, now, now)
        else if ('missing' in message) turns.push(held(turn, 'missing_variable', now, message.missing))
        else candidates.push(message)
      }
    } catch (error) {
      opening.logUnexpected(error)
      turns.push(held({ traveller, skipped: [], walked: { ...traveller, visited: [] } }, 'internal_error', now))
    }
  }

  const paced = opening.hasSlots
    ? { going: candidates.map((candidate) => ({ candidate, at: now })), later: [], refused: [] }
    : await pace(tx, candidates, now)
  const limited = await withinLimits(tx, paced.going, context)
  const refused = [...refusedFor('sender_rate', paced.refused), ...refusedFor('plan_limit', limited.refused)]
  const claimed = inCalls(limited.going, context.ground, { mostPerCall: opening.mostPerCall, now, claimedMs })
  for (const { batch } of claimed) await claimMessages(tx, batch)
  await recordTurns(tx, cohort, { turns, claimed, refused, candidates }, { now, tally })
  return { claimed, later: paced.later, unclear: turns.filter((turn) => turn.is === 'unclear') }
}

/** May go, but not before then. */
interface Refused extends Timed {
  reason: 'sender_rate' | 'plan_limit'
}

function refusedFor(reason: Refused['reason'], timed: readonly Timed[]): Refused[] {
  return timed.map((one) => ({ ...one, reason }))
}

async function recordTurns(
  tx: Tx,
  cohort: CohortRef,
  decided: { turns: Exclude<Turn, SendTurn>[]; claimed: Claimed[]; refused: Refused[]; candidates: Candidate[] },
  { now, tally }: { now: Date; tally: Tally },
): Promise<void> {
  const moving = decided.turns.filter((turn) => turn.is === 'move')
  // A branch once taken stays taken: what happens meanwhile must not lead past the message that is claimed.
  const branching = decided.claimed
    .flatMap(({ turns }) => turns)
    .filter(({ definition, isBehind }) => !isBehind && needsFacts(definition))
  const waiting = decided.refused.filter(({ candidate }) => !candidate.turn.isBehind)
  const moved = await moveOn(
    tx,
    [
      ...moving.map(({ move }) => move),
      ...branching.map((turn) => arrive(turn, now)),
      ...waiting.map(({ candidate: { turn }, at }) => arrive(turn, at)),
    ],
    now,
  )
  const all = [...decided.turns, ...decided.candidates.map(({ turn }) => turn)]
  await skipMessages(
    tx,
    all.flatMap(({ traveller, skipped }) =>
      skipped.map(({ reason, ...act }) => ({ ...messageRow({ traveller, ...act }, cohort), reason })),
    ),
    now,
  )
  const deferred = decided.refused.map(({ candidate: { turn }, reason, at }) =>
    deferral(turn.traveller, turn.step.key, { reason, at: now, until: reason === 'plan_limit' ? at : null }),
  )
  const decisions = decided.turns.flatMap((turn) => ('decision' in turn && turn.decision) || [])
  await recordDecisions(tx, [...decisions, ...deferred], now)

  const standing = new Map(moved.map(({ enrolmentId, status }) => [enrolmentId, status]))
  for (const { skipped } of all) for (const { reason } of skipped) tally.notSent(reason)
  for (const turn of decided.turns) {
    const { seat, status, reason, enrolmentId } = turn.traveller
    if (turn.is === 'unclear') continue
    if (turn.notSent) tally.notSent(turn.notSent)
    if (turn.is === 'stay') {
      if (turn.dueAt) tally.due(seat, turn.dueAt, now)
      else tally.stands(seat, status, null, reason, now)
    } else {
      tally.entered(turn.move.visited)
      tally.stands(seat, standing.get(enrolmentId) ?? status, turn.move.dueAt, turn.move.reason, now)
    }
  }
  for (const { candidate, at, reason } of decided.refused) {
    tally.notSent(reason)
    tally.due(candidate.turn.traveller.seat, at, now)
  }

  /** The person stands now where the message is: its outcome leads on from there. */
  function arrive(turn: SendTurn, dueAt: Date): Move {
    const move = { ...moveOf(turn.traveller, turn.walked), dueAt }
    tally.entered(turn.walked.visited)
    turn.traveller = { ...turn.traveller, stepKey: move.stepKey }
    turn.walked = { ...turn.walked, visited: [] }
    return move
  }
}

function inCalls(
  going: readonly Timed[],
  ground: CohortGround,
  { mostPerCall, now, claimedMs }: { mostPerCall: number; now: Date; claimedMs: number },
): Claimed[] {
  const bySender = Map.groupBy(going, ({ candidate }) => candidate.turn.sender.id)
  return [...bySender].flatMap(([senderId, ofSender]) =>
    chunks(ofSender, mostPerCall).map((members): Claimed => {
      const id = randomUUID()
      return {
        batch: {
          id,
          senderId,
          providerKey: `batch/${id}`,
          claim: randomUUID(),
          claimedAt: now,
          messages: members.map(({ candidate }) => candidate.member),
        },
        turns: members.map(({ candidate }) => candidate.turn),
        ground,
        callAt: members.at(-1)?.at ?? now,
        claimedMs,
      }
    }),
  )
}

function held(
  { traveller, skipped, walked }: Pick<SendTurn, 'traveller' | 'skipped'> & { walked: Parameters<typeof moveOf>[1] },
  reason: 'internal_error' | 'missing_variable',
  now: Date,
  detail?: string,
): Exclude<Turn, SendTurn> {
  return {
    is: 'move',
    traveller,
    skipped,
    move: { ...moveOf(traveller, walked), status: 'held', reason },
    ...(reason === 'missing_variable' && { notSent: reason }),
    decision: holding(traveller, walked.stepKey, reason, now, detail),
  }
}
