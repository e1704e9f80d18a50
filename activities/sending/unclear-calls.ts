import { randomUUID } from 'node:crypto'
import type { Tx } from '../../db/client.ts'
import {
  type MessageOutcome,
  markUnconfirmed,
  recordLookUp,
  recordOutcomes,
  takeOverClaims,
  type UnclearBatch,
  unclearBatches,
} from '../../db/messages.ts'
import { lockPersons } from '../../db/person-locks.ts'
import { pauseSlots } from '../../db/sender-slots.ts'
import { later } from '../clock.ts'
import { ProviderError } from '../ports.ts'
import { type CallWorld, mendedAfterMs } from './calls.ts'
import { startWithinMs } from './message-decisions.ts'

/** A call begins within 10 s of its claim and ends within another 10: until then, whoever claimed may still be at it. */
const callIsOverMs = 25_000
/** Each takes a request of its own at most, besides those that read the provider's list. */
const mostLookUps = 20
const againMs = 30_000
const shortestPauseMs = 3_000

export interface Repeating {
  /** Before this time a provider may not show a message that it has taken. */
  lookUpAfterMs: number
  /** Whether each of the open members would be sent now if it had not been claimed yet. Asked inside the turns of all. */
  mayAllGo(tx: Tx, call: { batchId: string; open: UnclearBatch['members'] }, now: Date): Promise<boolean>
}

type Repetition =
  | { may: 'repeat'; batch: UnclearBatch; claim: string; claimedMs: number; taken: string[] }
  | { may: 'not'; again: Date }

/**
 * Repeats the very call while the provider knows its key, and records what became of it; once that is over, its messages are unconfirmed. Tells
 * when they are to be looked at again.
 */
export async function repeatCall(batchId: string, world: CallWorld, repeating: Repeating): Promise<Date> {
  const { as, now, email, signal } = world
  const repetition = await as((tx) => claimRepetition(tx, batchId, world, repeating))
  if (repetition.may === 'not') return repetition.again
  const { batch, claim, claimedMs, taken } = repetition
  if (performance.now() - claimedMs > startWithinMs) return now()
  try {
    const outcomes = await email.send(
      { key: batch.providerKey, messages: batch.members.map(({ rendered }) => rendered) },
      signal,
    )
    const known = batch.members.flatMap(({ id }, index): MessageOutcome[] => {
      const outcome = outcomes[index]
      return outcome && taken.includes(id) ? [{ id, ...outcome }] : []
    })
    const at = now()
    await as((tx) => recordOutcomes(tx, claim, known, at))
    return at
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error
    // Whatever this call met, the one before may have been taken: only the provider's own word ends that.
    const at = now()
    const again = later(at, pauseMs(error, at.getTime() - batch.firstCalledAt.getTime()))
    if (error.outcome === 'retryAfter') await as((tx) => pauseSlots(tx, batch.senderId, again))
    return again
  }
}

/** As long as it has gone on already, within bounds; where somebody has to mend something first, at their pace. */
function pauseMs({ outcome, retryAfterMs }: ProviderError, sinceMs: number): number {
  if (outcome === 'rejected') return mendedAfterMs
  return retryAfterMs || Math.min(mendedAfterMs, Math.max(shortestPauseMs, sinceMs))
}

/** Takes the call over when the provider still knows its key, and every message in it may still go; else leaves it to a look-up. */
async function claimRepetition(
  tx: Tx,
  batchId: string,
  { now, email }: CallWorld,
  { mayAllGo, lookUpAfterMs }: Repeating,
): Promise<Repetition> {
  const [seen] = await unclearBatches(tx, [batchId])
  if (!seen) throw new Error('an unclear message without its call')
  await lockPersons(tx, {
    contactIds: seen.members.map(({ contactId }) => contactId),
    addressHashes: seen.members.map(({ addressHash }) => addressHash),
  })
  const at = now()
  const claimedMs = performance.now()
  const [batch = seen] = await unclearBatches(tx, [batchId])
  const open = batch.members.filter(({ status }) => status === 'sending')
  if (open.length === 0) return { may: 'not', again: at }
  const ids = open.map(({ id }) => id)
  const isKnown = batch.firstCalledAt.getTime() + email.keyLifetimeMs > at.getTime()
  if (isKnown && (await mayAllGo(tx, { batchId, open }, at))) {
    const claim = randomUUID()
    return { may: 'repeat', batch, claim, claimedMs, taken: await takeOverClaims(tx, ids, claim, at) }
  }
  const lastClaimMs = Math.max(...open.map(({ claimedAt }) => claimedAt?.getTime() ?? 0))
  if (at.getTime() < lastClaimMs + callIsOverMs) return { may: 'not', again: new Date(lastClaimMs + callIsOverMs) }
  await markUnconfirmed(tx, ids, at)
  return { may: 'not', again: new Date(Math.max(at.getTime(), lastClaimMs + lookUpAfterMs)) }
}

/** A message of which nobody knows whether it has gone. */
export interface Unconfirmed {
  id: string
  batchId: string | null
  claimedAt: Date | null
}

/** Asks the provider for messages and records what it says. Tells of each by its id when it is to be looked at again; of the others: at once. */
export async function lookUpMessages<Message extends Unconfirmed>(
  messages: readonly Message[],
  world: CallWorld,
  looking: {
    lookUpAfterMs: number
    /** Whether one that the provider does not know is still wanted. */
    mayGoAgain(message: Message): boolean
  },
): Promise<Map<string, Date>> {
  const { as, now, email, signal } = world
  const at = now()
  const again = new Map<string, Date>()
  const unasked: Message[] = []
  for (const message of messages) {
    const shownAt = later(message.claimedAt ?? at, looking.lookUpAfterMs)
    if (at < shownAt) again.set(message.id, shownAt)
    else unasked.push(message)
  }
  const asking = unasked.slice(0, mostLookUps)
  if (asking.length === 0) return again
  const batchIds = new Set(asking.flatMap(({ batchId }) => batchId ?? []))
  const batches = await as((tx) => unclearBatches(tx, [...batchIds]))
  // From the first call on: one of its repetitions may have claimed it long after.
  const calls = new Map(
    batches.flatMap(({ firstCalledAt: calledAt, members }) =>
      members.map(({ id, rendered }) => [id, { message: rendered, calledAt }]),
    ),
  )
  const asked = asking.map(({ id }) => {
    const call = calls.get(id)
    if (!call) throw new Error('an unconfirmed message without its call')
    return call
  })
  try {
    const found = await email.lookUp(asked, signal)
    const foundAt = now()
    for (const [index, message] of asking.entries()) {
      const told = found[index]
      if (!told) throw new ProviderError('channel', 'retry', 'fewer_answers_than_messages')
      const outcome = told.is === 'not_found' ? { is: told.is, mayGoAgain: looking.mayGoAgain(message) } : told
      await as((tx) => recordLookUp(tx, { id: message.id, batchId: message.batchId ?? '' }, outcome, foundAt))
      again.set(message.id, foundAt)
    }
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error
    const pausedUntil = later(now(), error.retryAfterMs ?? againMs)
    for (const { id } of asking) again.set(id, pausedUntil)
  }
  return again
}
