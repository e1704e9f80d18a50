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
import { ProviderError } from '../ports.ts'
import type { SendingWorld } from './deliveries.ts'
import { turnContext } from './turn-context.ts'
import { decideTurn, type TurnContext, type UnclearTurn } from './turns.ts'

/** A call begins within 10 s of its claim and ends within another 10: until then, whoever claimed may still be at it. */
const callIsOverMs = 25_000
/** Look-ups are calls of their own, one message each. */
const lookUpsPerBatch = 20
const againMs = 30_000

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
  for (const [index, turn] of unconfirmed.entries()) {
    if (index < lookUpsPerBatch) await lookUp(turn, world, settings)
  }
}

type Repetition = { may: 'repeat'; batch: UnclearBatch; claim: string; taken: string[] } | { may: 'not'; again: Date }

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
  const { batch, claim, taken } = repetition
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
    for (const { traveller } of turns)
      tally.due(traveller.seat, new Date(at.getTime() + (error.retryAfterMs ?? againMs / 10)), at)
  }
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
  const [batch = seen] = await unclearBatches(tx, [batchId])
  const open = batch.members.filter(({ status }) => status === 'sending')
  if (open.length === 0) return { may: 'not', again: at }
  const isKnown = batch.firstCalledAt.getTime() + email.keyLifetimeMs > at.getTime()
  if (isKnown && (await mayAllGo(tx, sequenceId, open, at))) {
    const claim = randomUUID()
    return {
      may: 'repeat',
      batch,
      claim,
      taken: await takeOverClaims(
        tx,
        open.map(({ id }) => id),
        claim,
        at,
      ),
    }
  }
  const claimedMs = Math.max(...open.map(({ claimedAt }) => claimedAt?.getTime() ?? 0))
  if (at.getTime() < claimedMs + callIsOverMs) return { may: 'not', again: new Date(claimedMs + callIsOverMs) }
  await markUnconfirmed(
    tx,
    open.map(({ id }) => id),
    at,
  )
  return { may: 'not', again: new Date(Math.max(at.getTime(), claimedMs + lookUpAfterMs)) }
}

async function mayAllGo(tx: Tx, sequenceId: string, open: UnclearBatch['members'], now: Date): Promise<boolean> {
  const { people, context } = await turnContext(tx, sequenceId, open, now)
  return people.every((traveller) => {
    // As if the message were still to be sent, and nothing had been sent just now: that was this very message.
    const unsent: TurnContext = { ...context, messagesOf: () => [] }
    return decideTurn({ ...traveller, lastSentAt: null }, unsent).is === 'send'
  })
}

async function lookUp(turn: UnclearTurn, world: SendingWorld, { lookUpAfterMs }: UnclearSettings): Promise<void> {
  const { as, now, email, signal, tally } = world
  const { message, traveller, givenUpAt } = turn
  const at = now()
  const claimedAt = message.claimedAt ?? at
  const shownAt = claimedAt.getTime() + lookUpAfterMs
  if (at.getTime() < shownAt) return tally.due(traveller.seat, new Date(shownAt), at)
  if (message.lookUp === 'not_possible') return tally.stands(traveller.seat, traveller.status, givenUpAt, null, at)
  const [batch] = await as(async (tx) => (message.batchId ? unclearBatches(tx, [message.batchId]) : []))
  const member = batch?.members.find(({ id }) => id === message.id)
  if (!batch || !member) throw new Error('an unconfirmed message without its call')
  try {
    // From the first call on: one of its repetitions may have claimed it long after.
    const found = await email.lookUp(member.rendered, batch.firstCalledAt, signal)
    await as((tx) =>
      recordLookUp(
        tx,
        message.id,
        found.is === 'not_found' ? { is: 'not_found', mayGoAgain: givenUpAt !== null } : found,
        now(),
      ),
    )
    tally.due(traveller.seat, now(), now())
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error
    tally.due(traveller.seat, new Date(now().getTime() + (error.retryAfterMs ?? againMs)), now())
  }
}
