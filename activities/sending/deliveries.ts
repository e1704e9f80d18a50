import { moveOn } from '../../db/journeys.ts'
import { type MessageOutcome, recordOutcomes } from '../../db/messages.ts'
import { type CallWorld, handOver } from './calls.ts'
import type { Claimed } from './claims.ts'
import { moveBehind } from './moves.ts'
import type { Tally } from './tally.ts'

/** What a batch of turns works with. */
export interface SendingWorld extends CallWorld {
  tally: Tally
}

/**
 * Hands claimed messages over in one call and records what became of them. True when the provider has refused the call as a whole, for
 * something in one of the messages or for all that we send.
 */
export async function deliver(claimed: Claimed, world: SendingWorld): Promise<boolean> {
  const called = await handOver(claimed, world)
  if (called.is === 'answered') {
    await record(claimed, world, called.outcomes)
    return false
  }
  const reason = called.is === 'given_back' ? called.reason : null
  for (const { traveller } of claimed.turns) {
    if (reason !== null) world.tally.notSent(reason)
    world.tally.due(traveller.seat, called.again, world.now())
  }
  return called.is === 'given_back' && called.isRefused
}

/** Records what became of each message, and moves its person on, in one transaction. */
async function record(
  { batch, turns, ground }: Claimed,
  { as, now, tally }: SendingWorld,
  known: readonly MessageOutcome[],
): Promise<void> {
  const at = now()
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
