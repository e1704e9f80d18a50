import { randomUUID } from 'node:crypto'
import { isSameAddress } from '../../db/addresses.ts'
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
import { mendedAfterMs, type SendingWorld } from './deliveries.ts'
import { startWithinMs } from './message-decisions.ts'
import { turnContext } from './turn-context.ts'
import { decideTurn, type TurnContext, type UnclearTurn } from './turns.ts'

/** A call begins within 10 s of its claim and ends within another 10: until then, whoever claimed may still be at it. */
const callIsOverMs = 25_000
/** Each takes a request of its own at most, besides those that read the provider's list. */
const lookUpsPerBatch = 20
const againMs = 30_000
const shortestPauseMs = 3_000

export interface UnclearSettings {
  sequenceId: string
  /** Before this time a provider may not show a message that it has taken. */
  lookUpAfterMs: number
}

/** Finds out about messages that may have gone: by repeating the very call while the provider knows its key, else by asking for them. */
export async function settleUnclear(
  turns: readonly UnclearTurn[],
  world: SendingWorld,
  settings: UnclearSettings,
): Promise<void> {
  const sending = turns.filter(({ message }) => message.status === 'sending')
  for (const [batchId, ofBatch] of Map.groupBy(sending, ({ message }) => message.batchId)) {
    if (batchId !== null) await repeatCall(batchId, ofBatch, world, settings)
  }
  const unconfirmed = turns.filter(({ message }) => message.status === 'unconfirmed')
  await lookUp(unconfirmed, world, settings)
}

type Repetition =
  | { may: 'repeat'; batch: UnclearBatch; claim: string; claimedMs: number; taken: string[] }
  | { may: 'not'; again: Date }

async function repeatCall(
  batchId: string,
  turns: readonly UnclearTurn[],
  world: SendingWorld,
  settings: UnclearSettings,
): Promise<void> {
  const { as, now, email, signal, tally } = world
  const repetition = await as((tx) => claimRepetition(tx, batchId, world, settings))
  if (repetition.may === 'not') {
    for (const { traveller } of turns) tally.due(traveller.seat, repetition.again, now())
    return
  }
  const { batch, claim, claimedMs, taken } = repetition
  if (performance.now() - claimedMs > startWithinMs) {
    for (const { traveller } of turns) tally.due(traveller.seat, now(), now())
    return
  }
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
    // Their own rows say now what became of it: they go on from there.
    for (const { traveller } of turns) tally.due(traveller.seat, at, at)
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error
    // Whatever this call met, the one before may have been taken: only the provider's own word ends that.
    const at = now()
    const again = later(at, pauseMs(error, at.getTime() - batch.firstCalledAt.getTime()))
    if (error.outcome === 'retryAfter') await as((tx) => pauseSlots(tx, batch.senderId, again))
    for (const { traveller } of turns) tally.due(traveller.seat, again, at)
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
  { now, email }: SendingWorld,
  { sequenceId, lookUpAfterMs }: UnclearSettings,
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
  const isKnown = batch.firstCalledAt.getTime() + email.keyLifetimeMs > at.getTime()
  if (isKnown && (await mayAllGo(tx, sequenceId, { batchId, open }, at))) {
    const claim = randomUUID()
    return {
      may: 'repeat',
      batch,
      claim,
      claimedMs,
      taken: await takeOverClaims(
        tx,
        open.map(({ id }) => id),
        claim,
        at,
      ),
    }
  }
  const lastClaimMs = Math.max(...open.map(({ claimedAt }) => claimedAt?.getTime() ?? 0))
  if (at.getTime() < lastClaimMs + callIsOverMs) return { may: 'not', again: new Date(lastClaimMs + callIsOverMs) }
  await markUnconfirmed(
    tx,
    open.map(({ id }) => id),
    at,
  )
  return { may: 'not', again: new Date(Math.max(at.getTime(), lastClaimMs + lookUpAfterMs)) }
}

/** Whether each would be sent now if it had not been claimed yet: to the same address, whatever went since. */
async function mayAllGo(
  tx: Tx,
  sequenceId: string,
  { batchId, open }: { batchId: string; open: UnclearBatch['members'] },
  now: Date,
): Promise<boolean> {
  const { people, context } = await turnContext(tx, sequenceId, open, { now, exceptBatchId: batchId })
  const unsent: TurnContext = { ...context, messagesOf: () => [] }
  const addresses = new Map(open.map(({ enrolmentId, addressHash }) => [enrolmentId, addressHash]))
  return people.every(
    (traveller) =>
      isSameAddress(addresses.get(traveller.enrolmentId), traveller.emailHash) &&
      decideTurn(traveller, unsent).is === 'send',
  )
}

async function lookUp(turns: readonly UnclearTurn[], world: SendingWorld, settings: UnclearSettings): Promise<void> {
  const { as, now, email, signal, tally } = world
  const at = now()
  const shownAt = ({ message }: UnclearTurn) => (message.claimedAt ?? at).getTime() + settings.lookUpAfterMs
  const unasked: UnclearTurn[] = []
  for (const turn of turns) {
    if (at.getTime() < shownAt(turn)) tally.due(turn.traveller.seat, new Date(shownAt(turn)), at)
    else unasked.push(turn)
  }
  // The others are looked at again at once.
  const asking = unasked.slice(0, lookUpsPerBatch)
  if (asking.length === 0) return
  const batchIds = new Set(asking.flatMap(({ message }) => message.batchId ?? []))
  const batches = await as((tx) => unclearBatches(tx, [...batchIds]))
  // From the first call on: one of its repetitions may have claimed it long after.
  const calls = new Map(
    batches.flatMap(({ firstCalledAt: calledAt, members }) =>
      members.map(({ id, rendered }) => [id, { message: rendered, calledAt }]),
    ),
  )
  const asked = asking.map(({ message }) => {
    const call = calls.get(message.id)
    if (!call) throw new Error('an unconfirmed message without its call')
    return call
  })
  try {
    const found = await email.lookUp(asked, signal)
    const foundAt = now()
    for (const [index, { message, traveller }] of asking.entries()) {
      const told = found[index]
      if (!told) throw new ProviderError('channel', 'retry', 'fewer_answers_than_messages')
      const outcome = told.is === 'not_found' ? { is: told.is, mayGoAgain: traveller.status !== 'exited' } : told
      const call = { id: message.id, batchId: message.batchId ?? '' }
      await as((tx) => recordLookUp(tx, call, outcome, foundAt))
      tally.due(traveller.seat, foundAt, foundAt)
    }
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error
    const again = later(now(), error.retryAfterMs ?? againMs)
    for (const { traveller } of asking) tally.due(traveller.seat, again, now())
  }
}
