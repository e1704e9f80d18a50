import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connectDatabase, type Database, type Tx } from '../db/client.ts'
import { cohortGround, moveOn, seatedIn, sequenceDefinitions, type Traveller, travellers } from '../db/journeys.ts'
import { type BatchMember, claimMessages, type MessageBatch, messagesOf, recordOutcomes } from '../db/messages.ts'
import { lockPersons } from '../db/person-locks.ts'

/** What Throughline's drips are measured against: the same rows in the same transactions, in one loop that decides nothing and survives nothing. */
interface BareDrip {
  database: Database
  organisationId: string
  sequenceId: string
  stubUrl: string
  run: string
}

/** The product's: people in a call, calls at a time, connections, and seats in a cohort. */
const batchSize = 100
const concurrency = 16
const poolSize = 20
const cohortSize = 500

const steps = ['first', 'second', 'third']
const pauseMs = 1_000

type Place = { cohortId: string; seats: number[] }

/** Three passes over everybody, a second between them. */
export async function runBare(drip: BareDrip): Promise<void> {
  const places = await drip.database.as(drip.organisationId, (tx) => batchesOf(tx, drip.sequenceId))
  for (const [index, step] of steps.entries()) {
    if (index > 0) await sleep(pauseMs)
    const waiting = places.values()
    const lane = async () => {
      for (const place of waiting) await sendBatch(drip, place, index === 0 ? null : (steps[index - 1] ?? null), step)
    }
    await Promise.all(Array.from({ length: concurrency }, lane))
  }
}

async function batchesOf(tx: Tx, sequenceId: string): Promise<Place[]> {
  const cohorts = await tx<{ id: string }[]>`select id from cohorts where sequence_id = ${sequenceId} order by id`
  return cohorts.flatMap(({ id }) =>
    Array.from({ length: cohortSize / batchSize }, (_, batch) => ({ cohortId: id, seats: seatsOf(batch) })),
  )
}

function seatsOf(batch: number): number[] {
  return Array.from({ length: batchSize }, (_, index) => batch * batchSize + index + 1)
}

async function sendBatch(
  { database, organisationId, sequenceId, stubUrl, run }: BareDrip,
  { cohortId, seats }: Place,
  fromStep: string | null,
  step: string,
): Promise<void> {
  const as = <T>(work: (tx: Tx) => Promise<T>) => database.as(organisationId, work)
  const batch = await as(async (tx) => {
    const seated = await seatedIn(tx, cohortId, seats)
    await lockPersons(tx, {
      contactIds: seated.map(({ contactId }) => contactId),
      addressHashes: seated.flatMap(({ emailHash }) => emailHash ?? []),
    })
    const enrolmentIds = seated.map(({ enrolmentId }) => enrolmentId)
    const contactIds = seated.map(({ contactId }) => contactId)
    const [ground, people] = await Promise.all([
      cohortGround(tx, sequenceId),
      travellers(tx, enrolmentIds, null),
      messagesOf(tx, { contactIds, enrolmentIds }),
      ...(fromStep === null ? [sequenceDefinitions(tx, sequenceId, [1])] : []),
    ])
    const senderId = ground?.senders[0]?.id
    if (senderId === undefined) throw new Error('there is no sender')
    const claimed = batchFor(people, senderId, { organisationId, sequenceId, run, step })
    await claimMessages(tx, claimed)
    return claimed
  })

  const answer = await fetch(`${stubUrl}/emails/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': batch.providerKey },
    body: JSON.stringify(batch.messages.map(({ rendered }) => rendered)),
  })
  const { data } = JSON.parse(await answer.text())

  const now = new Date()
  const isLast = step === steps.at(-1)
  await as(async (tx) => {
    await recordOutcomes(
      tx,
      batch.claim,
      batch.messages.map(({ id }, index) => ({ id, is: 'sent', providerMessageId: data[index].id })),
      now,
    )
    await moveOn(
      tx,
      batch.messages.map(({ enrolmentId }) => ({
        enrolmentId: enrolmentId ?? '',
        fromStep,
        stepKey: step,
        arrivedAt: now,
        visited: [step],
        status: isLast ? 'completed' : 'active',
        reason: null,
        dueAt: isLast ? null : now,
        waitingFor: null,
      })),
      now,
    )
  })
}

function batchFor(people: readonly Traveller[], senderId: string, of: MessagePlace): MessageBatch {
  const id = randomUUID()
  return {
    id,
    senderId,
    providerKey: `batch/${id}`,
    claim: randomUUID(),
    claimedAt: new Date(),
    messages: people.map((person) => messageFor(person, of)),
  }
}

interface MessagePlace {
  organisationId: string
  sequenceId: string
  run: string
  step: string
}

/** The row and the e-mail that somebody gets. */
export function messageFor(person: Traveller, { organisationId, sequenceId, run, step }: MessagePlace): BatchMember {
  return {
    id: person.messageId,
    actKey: `drip/${person.enrolmentId}/${step}`,
    contactId: person.contactId,
    channel: 'email',
    purpose: 'marketing',
    enrolmentId: person.enrolmentId,
    sequenceId,
    stepKey: step,
    addressHash: person.emailHash ?? new Uint8Array(),
    rendered: emailTo(person, organisationId, run, step),
  }
}

function emailTo({ messageId, email, properties }: Traveller, organisationId: string, run: string, step: string) {
  const [firstName, company] = [String(properties.firstName), String(properties.company)]
  const url = `http://127.0.0.1:3000/u/${messageId}`
  const text = `Hi ${firstName},

${company} came up when we looked for practices that take their bookings by telephone. Those that we work with had
a third of the calls after half a year, and people at the desk who look up when somebody comes in.

May I show you in ten minutes what that would look like for you? Any day that suits you is fine, and no is a fine answer, too.

Bench

1 Main Street, Springfield
${url}
`
  return {
    from: 'Bench <hello@bench.example>',
    to: email ?? '',
    replyTo: 'answers@bench.example',
    subject: `${run}/${step}: a question about ${company}`,
    html: `<p>${text.replaceAll('\n\n', '</p>\n<p>')}</p>`,
    text,
    headers: { 'List-Unsubscribe': `<${url}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' },
    tags: { organisation_id: organisationId, message_id: messageId },
  }
}

/** `node bench/bare-drip.ts ORGANISATION SEQUENCE STUB RUN < database's address`: prints the processor time of its own. */
async function main([organisationId = '', sequenceId = '', stubUrl = '', run = '']: string[]): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk)
  const database = connectDatabase(Buffer.concat(chunks).toString().trim(), { name: 'bare', poolSize })
  await database.ping()
  const before = process.cpuUsage()
  await runBare({ database, organisationId, sequenceId, stubUrl, run })
  const { user, system } = process.cpuUsage(before)
  await database.close()
  console.log(JSON.stringify({ cpuSeconds: (user + system) / 1_000_000 }))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2))
