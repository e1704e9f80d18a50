import { z } from 'zod'
import { connectDatabase, type Database } from '../db/client.ts'
import type { SequenceDefinition } from '../workflows/contracts/sequences.ts'
import { spreadProperties } from './drip-spread.ts'
import { subjectOf } from './provider-stub.ts'
import type { MeasuredSystem } from './system.ts'

/** Who is written to, by whom, and under which rules: made once, for every half alike. */
export interface Audience extends AsyncDisposable {
  database: Database
  senderId: string
  /** In no order that rows or ids have. */
  contactIds: string[]
}

/** As many as one request takes. */
const listSize = 5_000
const suppressed = 200

export const inbox = 'answers@bench.example'

/** A zone for each coast of several continents: windows are looked up in them. */
const zones = ['America/New_York', 'America/Los_Angeles', 'Europe/Berlin', 'Asia/Tokyo', 'Australia/Sydney', 'UTC']

const Saved = z.object({ failed: z.literal(0), lines: z.array(z.object({ id: z.uuid() })) })
const Created = z.object({ id: z.uuid() })

/**
 * An organisation of which every rule is on and lets everybody pass: a window all day, a gap of a second, consent required and given,
 * and a list of suppressed addresses, none of them theirs.
 */
export async function createAudience(system: MeasuredSystem, size: number): Promise<Audience> {
  const { api, organisationId, logins } = system
  const sender = await api.post(
    '/senders',
    {
      channel: 'email',
      provider: 'resend',
      name: 'Bench',
      address: 'hello@bench.example',
      replyTo: inbox,
      postalAddress: '1 Main Street, Springfield',
    },
    crypto.randomUUID(),
  )
  const window = { from: '00:00', to: '00:00', outside: 'hold' }
  await api.post('/policy', { window, minGap: 'PT1S', consentRequired: ['email'] }, crypto.randomUUID())
  for (let index = 0; index < suppressed; index += 1) {
    await api.post(
      '/suppressions',
      { address: `gone-${index}@bench.example`, channel: 'email', reason: 'manual' },
      crypto.randomUUID(),
    )
  }

  const database = connectDatabase(logins.appUrl, { name: 'bench', poolSize: 2 })
  const contactIds = await addContacts(system, { from: 0, to: size })
  await database.as(organisationId, async (tx) => {
    await tx`
      insert into consents (contact_id, channel, purpose, state, text, text_version, source, given_at, actor)
      select id, 'email', 'marketing', 'granted', 'Yes, write to me.', '1', 'form /signup', now(), 'bench' from contacts`
  })
  return {
    database,
    senderId: Created.parse(sender).id,
    contactIds: shuffled(contactIds),
    [Symbol.asyncDispose]: () => database.close(),
  }
}

/** Contacts with these numbers. */
export async function addContacts(
  { api }: MeasuredSystem,
  { from, to }: { from: number; to: number },
): Promise<string[]> {
  const ids: string[] = []
  for (let first = from; first < to; first += listSize) {
    const contacts = Array.from({ length: Math.min(listSize, to - first) }, (_, index) => contactOf(first + index))
    const { lines } = Saved.parse(await api.post('/contacts/list', { contacts }, crypto.randomUUID()))
    ids.push(...lines.map(({ id }) => id))
  }
  return ids
}

const addressOf = (number: number): string => `person-${number}@bench.example`

function contactOf(number: number) {
  return {
    externalId: `person-${number}`,
    email: addressOf(number),
    timeZone: zones[number % zones.length],
    properties: { firstName: `Name ${number}`, company: `Company ${number % 977}`, ...spreadProperties(number) },
  }
}

/** Makes a sequence and lets people enter it. */
export async function publishSequence(
  { api }: MeasuredSystem,
  definition: Partial<SequenceDefinition> & Pick<SequenceDefinition, 'senderId' | 'steps'>,
): Promise<string> {
  const whole = { purpose: 'marketing', exitOn: ['reply', 'bounce'], ...definition }
  const { id } = Created.parse(await api.post('/sequences', { name: 'Bench', definition: whole }, crypto.randomUUID()))
  await api.post(`/sequences/${id}/publish`, {}, crypto.randomUUID())
  return id
}

/** Enrols everybody, a list after the other. */
export async function enrolAll(
  { api }: MeasuredSystem,
  sequenceId: string,
  contactIds: readonly string[],
): Promise<void> {
  for (let first = 0; first < contactIds.length; first += listSize) {
    const list = contactIds.slice(first, first + listSize)
    const answer = await api.post(`/sequences/${sequenceId}/enrolments`, { contactIds: list }, crypto.randomUUID())
    const { counts } = z.object({ counts: z.object({ refused: z.number() }) }).parse(answer)
    if (counts.refused > 0) throw new Error(`${counts.refused} people were refused`)
  }
}

export const messageKeys = ['first', 'second', 'third'] as const

/** Three messages, each a second after the one before. */
export function threeMessages(run: string): SequenceDefinition['steps'] {
  return messageKeys.flatMap((key, index): SequenceDefinition['steps'] => [
    ...(index > 0 ? [{ key: `before-${key}`, type: 'wait' as const, for: 'PT1S' }] : []),
    {
      key,
      type: 'message',
      channel: 'email',
      subject: `${subjectOf(run, key)} a question about {{ contact.properties.company }}`,
      text: bodyText,
    },
  ])
}

const bodyText = `Hi {{ contact.properties.firstName }},

{{ contact.properties.company }} came up when we looked for practices that take their bookings by telephone. Those that we work with had
a third of the calls after half a year, and people at the desk who look up when somebody comes in.

May I show you in ten minutes what that would look like for you? Any day that suits you is fine, and no is a fine answer, too.

{{ sender.name }}
`

/** Fisher and Yates, by a generator that always begins the same way. */
function shuffled<T>(all: readonly T[]): T[] {
  const result = [...all]
  let state = 1
  for (let index = result.length - 1; index > 0; index -= 1) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    const other = state % (index + 1)
    const [a, b] = [result[index], result[other]]
    if (a !== undefined && b !== undefined) {
      result[index] = b
      result[other] = a
    }
  }
  return result
}
