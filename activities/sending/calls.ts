import { setTimeout as wait } from 'node:timers/promises'
import type { Tx } from '../../db/client.ts'
import { type MessageBatch, type MessageOutcome, recordOutcomes } from '../../db/messages.ts'
import { pauseSlots } from '../../db/sender-slots.ts'
import { later } from '../clock.ts'
import { problemOf } from '../failures.ts'
import { type EmailChannel, ProviderError } from '../ports.ts'
import { startWithinMs } from './message-decisions.ts'

/** What a call works with. */
export interface CallWorld {
  as<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  email: EmailChannel
  /** The time to decide by. */
  now(): Date
  signal: AbortSignal
}

/** Messages that were claimed to be handed over in one call. */
export interface ClaimedCall {
  batch: MessageBatch
  /** When the sender's rate lets the last of them go. */
  callAt: Date
  /** When they were claimed, by the machine's monotonic clock: ms. */
  claimedMs: number
}

/** What a call has come to; `again`: when its messages are to be looked at again. */
export type Called =
  /** Of each message, in their order. It is still to be recorded. */
  | { is: 'answered'; outcomes: MessageOutcome[] }
  /** Nothing was taken, and what was claimed is free again. `isRefused`: the provider will not take the call as it is. */
  | { is: 'given_back'; again: Date; reason: string | null; isRefused: boolean }
  /** The claim stands: next time it is found, and found out about. */
  | { is: 'unclear'; again: Date }

/** After a call that the provider surely did not take, and gave no time for the next. */
const againAfterMs = 5_000
/** After one that it will not take until somebody has mended a setting. */
export const mendedAfterMs = 5 * 60_000
const unclearAgainMs = 2_000

/** Hands claimed messages over in one call, at its time; one that would begin too late is not made. */
export async function handOver({ batch, callAt, claimedMs }: ClaimedCall, world: CallWorld): Promise<Called> {
  const { email, now, signal } = world
  const early = callAt.getTime() - now().getTime()
  if (early > 0) await wait(early, undefined, { signal })
  if (performance.now() - claimedMs > startWithinMs) {
    return giveBack(batch, world, { again: now(), reason: null, isRefused: false })
  }
  const { providerKey: key, messages } = batch
  try {
    const told = await email.send({ key, messages: messages.map(({ rendered }) => rendered) }, signal)
    const outcomes = messages.map(({ id }, index): MessageOutcome => {
      const outcome = told[index]
      if (outcome === undefined) throw new ProviderError('channel', 'unconfirmed', 'fewer_outcomes_than_messages')
      return { id, ...outcome }
    })
    return { is: 'answered', outcomes }
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error
    return failed(batch, world, error)
  }
}

async function failed(batch: MessageBatch, world: CallWorld, error: ProviderError): Promise<Called> {
  const at = world.now()
  if (error.outcome === 'unconfirmed') return { is: 'unclear', again: later(at, unclearAgainMs) }
  if (error.outcome === 'rejected') {
    return giveBack(batch, world, { again: later(at, mendedAfterMs), reason: problemOf(error), isRefused: true })
  }
  const again = later(at, error.retryAfterMs || againAfterMs)
  await world.as((tx) => pauseSlots(tx, batch.senderId, again))
  const reason = error.outcome === 'retry' ? problemOf(error) : 'sender_rate'
  return giveBack(batch, world, { again, reason, isRefused: false })
}

async function giveBack(
  { messages, claim }: MessageBatch,
  { as, now }: CallWorld,
  given: { again: Date; reason: string | null; isRefused: boolean },
): Promise<Called> {
  const outcomes = messages.map(({ id }): MessageOutcome => ({ id, is: 'planned', code: given.reason }))
  await as((tx) => recordOutcomes(tx, claim, outcomes, now()))
  return { is: 'given_back', ...given }
}
