import { isSameAddress } from '../../db/addresses.ts'
import type { Tx } from '../../db/client.ts'
import type { UnclearBatch } from '../../db/messages.ts'
import type { SendingWorld } from './deliveries.ts'
import { turnContext } from './turn-context.ts'
import { decideTurn, type TurnContext, type UnclearTurn } from './turns.ts'
import { lookUpMessages, repeatCall } from './unclear-calls.ts'

export interface UnclearSettings {
  sequenceId: string
  /** Before this time a provider may not show a message that it has taken. */
  lookUpAfterMs: number
}

/** Finds out about messages that may have gone: by repeating the very call while the provider knows its key, else by asking for them. */
export async function settleUnclear(
  turns: readonly UnclearTurn[],
  world: SendingWorld,
  { sequenceId, lookUpAfterMs }: UnclearSettings,
): Promise<void> {
  const { now, tally } = world
  const sending = turns.filter(({ message }) => message.status === 'sending')
  for (const [batchId, ofBatch] of Map.groupBy(sending, ({ message }) => message.batchId)) {
    if (batchId === null) continue
    const again = await repeatCall(batchId, world, {
      lookUpAfterMs,
      mayAllGo: (tx, call, at) => mayAllGo(tx, sequenceId, call, at),
    })
    // Their own rows say now what became of it: they go on from there.
    for (const { traveller } of ofBatch) tally.due(traveller.seat, again, now())
  }
  const unconfirmed = turns.filter(({ message }) => message.status === 'unconfirmed')
  const statuses = new Map(unconfirmed.map(({ message, traveller }) => [message.id, traveller.status]))
  const again = await lookUpMessages(
    unconfirmed.map(({ message }) => message),
    world,
    { lookUpAfterMs, mayGoAgain: ({ id }) => statuses.get(id) !== 'exited' },
  )
  for (const { message, traveller } of unconfirmed) tally.due(traveller.seat, again.get(message.id) ?? now(), now())
}

/** To the same address, whatever went since. */
async function mayAllGo(
  tx: Tx,
  sequenceId: string,
  { batchId, open }: { batchId: string; open: UnclearBatch['members'] },
  now: Date,
): Promise<boolean> {
  const travelling = open.flatMap(({ enrolmentId, ...member }) =>
    enrolmentId === null ? [] : [{ ...member, enrolmentId }],
  )
  const { people, context } = await turnContext(tx, sequenceId, travelling, { now, exceptBatchId: batchId })
  const unsent: TurnContext = { ...context, messagesOf: () => [] }
  const addresses = new Map(travelling.map(({ enrolmentId, addressHash }) => [enrolmentId, addressHash]))
  return people.every(
    (traveller) =>
      isSameAddress(addresses.get(traveller.enrolmentId), traveller.emailHash) &&
      decideTurn(traveller, unsent).is === 'send',
  )
}
