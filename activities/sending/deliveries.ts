import { setTimeout as wait } from 'node:timers/promises'
import type { Tx } from '../../db/client.ts'
import { moveOn } from '../../db/journeys.ts'
import { type MessageOutcome, recordOutcomes } from '../../db/messages.ts'
import { pauseSlots } from '../../db/sender-slots.ts'
import { later } from '../clock.ts'
import { problemOf } from '../failures.ts'
import { type EmailChannel, ProviderError, type SendOutcome } from '../ports.ts'
import type { Claimed } from './claims.ts'
import { startWithinMs } from './message-decisions.ts'
import { moveBehind } from './moves.ts'
import type { Tally } from './tally.ts'

/** What a batch of turns works with. */
export interface SendingWorld {
  as<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  email: EmailChannel
  /** The time to decide by. */
  now(): Date
  signal: AbortSignal
  tally: Tally
}

/** After a call that the provider surely did not take, and gave no time for the next. */
const againAfterMs = 5_000
/** After one that it will not take until somebody has mended a setting. */
export const mendedAfterMs = 5 * 60_000
const unclearAgainMs = 2_000

/**
 * Hands claimed messages over in one call and records what became of them. True when the provider has refused the call as a whole, for
 * something in one of the messages or for all that we send.
 */
export async function deliver(claimed: Claimed, world: SendingWorld): Promise<boolean> {
  const { batch, callAt, claimedMs } = claimed
  const { email, now, signal } = world
  const early = callAt.getTime() - now().getTime()
  if (early > 0) await wait(early, undefined, { signal })
  if (performance.now() - claimedMs > startWithinMs) {
    await giveBack(claimed, world, { again: now(), reason: null })
    return false
  }
  const { providerKey: key, messages } = batch
  try {
    const outcomes = await email.send({ key, messages: messages.map(({ rendered }) => rendered) }, signal)
    await record(claimed, world, outcomes)
    return false
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error
    await recordFailure(claimed, world, error)
    return error.outcome === 'rejected'
  }
}

async function recordFailure(claimed: Claimed, world: SendingWorld, error: ProviderError): Promise<void> {
  const at = world.now()
  if (error.outcome === 'unconfirmed') {
    // The claim stands: at their next turn it is found, and found out about.
    for (const { traveller } of claimed.turns) world.tally.due(traveller.seat, later(at, unclearAgainMs), at)
  } else if (error.outcome === 'rejected') {
    await giveBack(claimed, world, { again: later(at, mendedAfterMs), reason: problemOf(error) })
  } else {
    const again = later(at, error.retryAfterMs || againAfterMs)
    await world.as((tx) => pauseSlots(tx, claimed.batch.senderId, again))
    await giveBack(claimed, world, { again, reason: error.outcome === 'retry' ? problemOf(error) : 'sender_rate' })
  }
}

/** Records what became of each message, and moves its person on, in one transaction. */
async function record(
  { batch, turns, ground }: Claimed,
  { as, now, tally }: SendingWorld,
  outcomes: readonly SendOutcome[],
): Promise<void> {
  const at = now()
  const known = batch.messages.map(({ id }, index): MessageOutcome => {
    const outcome = outcomes[index]
    if (outcome === undefined) throw new ProviderError('channel', 'unconfirmed', 'fewer_outcomes_than_messages')
    return { id, ...outcome }
  })
  const moves = turns.map((turn) => moveBehind(turn, ground, at))
  const moved = await as(async (tx) => {
    const recorded = await recordOutcomes(tx, batch.claim, known, at)
    // Whose message another has claimed meanwhile is that one's to move.
    const moving = moves.filter((_, index) => !turns[index]?.isBehind && recorded.has(known[index]?.id ?? ''))
    return moveOn(tx, moving, at)
  })
  const standing = new Map(moved.map(({ enrolmentId, status }) => [enrolmentId, status]))
  for (const [index, turn] of turns.entries()) {
    const { traveller, step } = turn
    const move = moves[index]
    if (known[index]?.is === 'sent') tally.sent(step.key)
    else tally.notSent('rejected')
    const status = standing.get(traveller.enrolmentId)
    // Whoever stands elsewhere, or has left, is looked at again.
    if (turn.isBehind || status === undefined || !move) tally.due(traveller.seat, at, at)
    else {
      tally.entered(move.visited)
      tally.stands(traveller.seat, status, move.dueAt, move.reason, at)
    }
  }
}

/** Nothing was taken, and what was claimed is free again. */
async function giveBack(
  { batch, turns }: Claimed,
  { as, now, tally }: SendingWorld,
  { again, reason }: { again: Date; reason: string | null },
): Promise<void> {
  const outcomes = batch.messages.map(({ id }): MessageOutcome => ({ id, is: 'planned', code: reason }))
  await as((tx) => recordOutcomes(tx, batch.claim, outcomes, now()))
  for (const { traveller } of turns) {
    if (reason !== null) tally.notSent(reason)
    tally.due(traveller.seat, again, now())
  }
}
