import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker'
import { z } from 'zod'
import { connectDatabase, type Tx } from '../db/client.ts'
import { cohortGround, moveOn, travellers } from '../db/journeys.ts'
import { claimMessages, messagesOf, recordOutcomes } from '../db/messages.ts'
import { lockPersons } from '../db/person-locks.ts'
import { messageFor } from './bare-drip.ts'

/** One workflow per contact, plainly written: its worker. The rows and locks are those of a cohort's batch, for one person. */
export const naiveQueue = 'naive'

const Place = z.object({
  organisationId: z.string(),
  sequenceId: z.string(),
  stubUrl: z.string(),
  run: z.string(),
  appUrl: z.string(),
  temporalAddress: z.string(),
  namespace: z.string(),
})
type Place = z.infer<typeof Place>

const Taken = z.object({ id: z.string() })

export type NaiveActivities = ReturnType<typeof createNaiveActivities>

function createNaiveActivities({ organisationId, sequenceId, stubUrl, run, appUrl }: Place) {
  const database = connectDatabase(appUrl, { name: 'naive', poolSize: 20 })
  const as = <T>(work: (tx: Tx) => Promise<T>) => database.as(organisationId, work)
  return {
    /** Claims a message, hands it over and records that: the transactions and the call of a cohort's batch, for one person. */
    async send(turn: { enrolmentId: string; step: string; fromStep: string | null; isLast: boolean }): Promise<void> {
      const { enrolmentId, step, fromStep, isLast } = turn
      const { id: messageId, rendered, key } = await as((tx) => claim(tx, enrolmentId, step))
      const answer = await fetch(`${stubUrl}/emails`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify(rendered),
      })
      const { id: providerMessageId } = Taken.parse(await answer.json())
      const now = new Date()
      await as(async (tx) => {
        await recordOutcomes(tx, messageId, [{ id: messageId, is: 'sent', providerMessageId }], now)
        const move = {
          enrolmentId,
          fromStep,
          stepKey: step,
          arrivedAt: now,
          visited: [step],
          reason: null,
          waitingFor: null,
        }
        await moveOn(tx, [{ ...move, dueAt: isLast ? null : now, status: isLast ? 'completed' : 'active' }], now)
      })
    },
  }

  async function claim(tx: Tx, enrolmentId: string, step: string) {
    const [seated] = await tx<{ contactId: string; emailHash: Uint8Array }[]>`
      select contact_id, email_hash from enrolments join contacts on contacts.id = contact_id where enrolments.id = ${enrolmentId}`
    if (!seated) throw new Error('nobody is there')
    const { contactId, emailHash } = seated
    await lockPersons(tx, { contactIds: [contactId], addressHashes: [emailHash] })
    const [ground, people] = await Promise.all([
      cohortGround(tx, sequenceId),
      travellers(tx, [enrolmentId], null),
      messagesOf(tx, { contactIds: [contactId], enrolmentIds: [enrolmentId] }),
    ])
    const senderId = ground?.senders[0]?.id
    const [person] = people
    if (senderId === undefined || !person) throw new Error('there is no sender')
    const message = messageFor(person, { organisationId, sequenceId, run, step })
    const id = crypto.randomUUID()
    const key = `batch/${id}`
    await claimMessages(tx, {
      id,
      senderId,
      providerKey: key,
      claim: message.id,
      claimedAt: new Date(),
      messages: [message],
    })
    return { ...message, key }
  }
}

/** Prints `polling` when it does; ends with its input. */
async function main(): Promise<void> {
  const place = Place.parse(JSON.parse(await text(process.stdin)))
  Runtime.install({ logger: new DefaultLogger('ERROR') })
  const connection = await NativeConnection.connect({ address: place.temporalAddress })
  const worker = await Worker.create({
    connection,
    namespace: place.namespace,
    taskQueue: naiveQueue,
    workflowsPath: fileURLToPath(new URL('naive-drip.workflow.ts', import.meta.url)),
    activities: createNaiveActivities(place),
  })
  const running = worker.run()
  process.send?.('polling')
  await once(process, 'disconnect')
  worker.shutdown()
  await running
  process.exit(0)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
