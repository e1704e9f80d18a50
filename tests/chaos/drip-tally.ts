import { z } from 'zod'
import { idTags } from '../../activities/ports.ts'
import type { ApiClient } from '../../dev/api-client.ts'
import type { WholeSystem } from '../support/whole-system.ts'
import { leaves, missing, type Person, unmeant } from './drip-people.ts'
import type { DripRows } from './drip-rows.ts'

const Page = z.object({ data: z.array(z.unknown()), nextCursor: z.string().nullable() })
const Enrolment = z.object({ contactId: z.string(), status: z.string(), reason: z.string().nullable() })
const Message = z.object({ id: z.string() })

/** Whoever entered, as the API tells it. */
export async function enrolmentsOf(api: ApiClient, sequenceId: string): Promise<z.infer<typeof Enrolment>[]> {
  return (await listOf(api, `/sequences/${sequenceId}/enrolments?limit=100`)).map((one) => Enrolment.parse(one))
}

/** The messages of which nobody knows at the moment whether they have gone, as the API lists them. */
export async function unclearNow(api: ApiClient): Promise<string[]> {
  return (await listOf(api, '/messages?status=unconfirmed&limit=100')).map((one) => Message.parse(one).id)
}

async function listOf(api: ApiClient, path: string): Promise<unknown[]> {
  const listed: unknown[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = Page.parse(await api.get(cursor === '' ? path : `${path}&cursor=${cursor}`))
    listed.push(...page.data)
    cursor = page.nextCursor
  }
  return listed
}

export interface Drip {
  system: WholeSystem
  api: ApiClient
  rows: DripRows
  sequenceId: string
  people: readonly Person[]
  /** By external id. */
  contactIds: ReadonlyMap<string, string>
  /** Messages that were on their way when something was struck. */
  struck: ReadonlySet<string>
  /** Those that the API has ever listed as unconfirmed. */
  listed: ReadonlySet<string>
}

/** What came of everybody, counted on the sandbox's ledger: what was sent to whom, told apart by address and subject. */
export async function tallyDrip(drip: Drip) {
  const { system, api, rows, sequenceId, people, contactIds, struck, listed } = drip
  const taken = await system.messages('resend')
  const calls = (await system.requests('resend')).filter(({ operation }) => /^emails\.(send|batch)$/.test(operation))
  const droppedKeys = new Set(
    calls.filter(({ fault }) => fault === 'accept-then-drop').map(({ idempotencyKey }) => idempotencyKey),
  )
  const dropped = taken.filter(({ idempotencyKey }) => droppedKeys.has(idempotencyKey)).map(messageIdOf)
  const stepsSentTo = new Map<string, Set<string>>(people.map(({ email }) => [email, new Set()]))
  for (const { to, subject } of taken) stepsSentTo.get(to)?.add(subject)
  const sentTo = ({ email }: Person) => stepsSentTo.get(email) ?? new Set<string>()

  const heardOf = new Set(await rows.heardOf())
  const enrolments = await enrolmentsOf(api, sequenceId)
  const byContact = new Map(people.map((person) => [contactIds.get(person.externalId), person]))
  const entered = enrolments.flatMap((one) => {
    const person = byContact.get(one.contactId)
    return person ? [{ ...one, person, isHeardOf: heardOf.has(one.contactId) }] : []
  })
  const lostBy = entered.map(({ status, person, isHeardOf }) => {
    if (status === 'completed') return missing(person, sentTo(person)) + (leaves(person) && !isHeardOf ? 1 : 0)
    return status === 'exited' && leaves(person) && sentTo(person).has('hello') ? 0 : 1
  })

  const unclear = await rows.everUnclear()
  const couldBeUnclear = new Set([...dropped, ...struck])
  const { afterStop, late } = await rows.wrong(taken)
  return {
    /** Messages that had to be sent and were not, and people who have not come to their end. */
    lost: people.length - entered.length + sum(lostBy),
    /** Messages taken beyond one for each person and step, and enrolments beyond one for each person. */
    duplicates:
      repeated(taken.map(({ to, subject }) => `${to} ${subject}`)) + repeated(entered.map(({ person }) => person)),
    unclear: unclear.length,
    unclearListed: unclear.filter((id) => listed.has(id)).length,
    /** The most that there may be: messages in answers that were dropped, and those in flight at the blows. */
    mostUnclear: couldBeUnclear.size,
    unclearUnexplained: unclear.filter((id) => !couldBeUnclear.has(id)).length,
    leftOpen: (await unclearNow(api)).length,
    /** Claimed for somebody after they had left or their address was suppressed. */
    sentAfterStop: afterStop,
    /** Taken by the provider long after their claim. */
    sentLate: late,
    unmeant: sum(people.map((person) => unmeant(person, sentTo(person)))),
    messages: taken.length,
    completed: entered.filter(({ status }) => status === 'completed').length,
    exited: entered.filter(({ status }) => status === 'exited').length,
    droppedAnswers: droppedKeys.size,
    refusedCalls: calls.filter(({ fault }) => fault === 'status').length,
  }
}

function messageIdOf({ tags }: { tags: Record<string, string> }): string {
  return tags[idTags.message] ?? ''
}

function repeated(items: readonly unknown[]): number {
  return items.length - new Set(items).size
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
