import { z } from 'zod'
import type { Consent as ConsentRow } from '../../db/consents.ts'
import type { RecordedEvent } from '../../db/contact-events.ts'
import type { Contact as ContactRow } from '../../db/contacts.ts'
import type { Suppression as SuppressionRow } from '../../db/suppressions.ts'
import { consentStates } from '../../workflows/contracts/contacts.ts'
import { channels, purposes, suppressionReasons } from '../../workflows/contracts/sending.ts'
import type { InputError } from '../problem.ts'

export const ContactParams = z.strictObject({ id: z.uuid().toLowerCase() })

export const ChannelName = z.enum(channels)
export const PurposeName = z.enum(purposes)

const actor = z.string().meta({ description: 'Who or what brought it about', example: 'key:0198c2b4-5a3e-7c11' })

export const Contact = z
  .strictObject({
    id: z.uuid(),
    externalId: z.string().nullable(),
    email: z.string().nullable(),
    phone: z.string().nullable().meta({ description: 'E.164' }),
    country: z.string().nullable(),
    timeZone: z.string().nullable(),
    language: z.string().nullable(),
    properties: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    prospectId: z.uuid().nullable().meta({ description: 'The prospect that it was made of' }),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'Contact' })

export function contactAnswer({ createdAt, updatedAt, ...contact }: ContactRow): z.input<typeof Contact> {
  return { ...contact, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() }
}

export const Consent = z
  .strictObject({
    id: z.uuid(),
    channel: ChannelName,
    purpose: PurposeName,
    state: z.enum(consentStates),
    text: z.string().nullable(),
    textVersion: z.string().nullable(),
    source: z.string(),
    givenAt: z.iso.datetime(),
    actor,
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Consent' })

export function consentAnswer(row: ConsentRow): z.input<typeof Consent> {
  const { contactId: _, givenAt, createdAt, ...consent } = row
  return { ...consent, givenAt: givenAt.toISOString(), createdAt: createdAt.toISOString() }
}

export const ContactEvent = z
  .strictObject({
    id: z.uuid(),
    type: z.string().meta({ example: 'custom.signed_up' }),
    data: z.unknown(),
    enrolmentId: z.uuid().nullable(),
    messageId: z.uuid().nullable(),
    occurredAt: z.iso.datetime(),
    createdAt: z.iso.datetime().meta({ description: 'When it was recorded' }),
  })
  .meta({ id: 'ContactEvent' })

export function eventAnswer({ occurredAt, createdAt, ...event }: RecordedEvent): z.input<typeof ContactEvent> {
  return { ...event, occurredAt: occurredAt.toISOString(), createdAt: createdAt.toISOString() }
}

export const Suppression = z
  .strictObject({
    id: z.uuid(),
    channel: ChannelName,
    purpose: PurposeName.nullable().meta({ description: 'null: nothing at all is sent there' }),
    reason: z.enum(suppressionReasons),
    address: z.string().nullable().meta({
      description: 'As a contact has it, or as you asked for it. It is kept as a hash: null where neither tells',
    }),
    contactId: z.uuid().nullable().meta({ description: 'From whom it came, where that is known' }),
    actor,
    createdAt: z.iso.datetime(),
    liftedAt: z.iso.datetime().nullable(),
    liftedBy: z.string().nullable(),
  })
  .meta({ id: 'Suppression' })

export function suppressionAnswer({ createdAt, liftedAt, ...row }: SuppressionRow): z.input<typeof Suppression> {
  return { ...row, createdAt: createdAt.toISOString(), liftedAt: liftedAt?.toISOString() ?? null }
}

/** What is wrong with the time of something that has happened. */
export function pastTime(now: Date, given: Date | undefined, pointer: string): InputError[] {
  if (given === undefined) return []
  if (given.getTime() > now.getTime() + clockSkewMs) return [{ pointer, detail: 'This lies in the future.' }]
  return given.getUTCFullYear() < 1900 ? [{ pointer, detail: 'This is too long ago.' }] : []
}

/** By how much the clock of a caller may be fast. */
const clockSkewMs = 60_000
