import { createHash } from 'node:crypto'
import { z } from 'zod'
import { bareAddress } from './addresses.ts'
import type { SandboxEmail } from './sandbox-emails.ts'
import type { StoredEmail } from './sandbox-mailbox.ts'

const mailEvents = [
  'email.sent',
  'email.delivered',
  'email.delivery_delayed',
  'email.bounced',
  'email.complained',
  'email.opened',
  'email.clicked',
  'email.failed',
  'email.suppressed',
  'email.received',
] as const
type MailEvent = (typeof mailEvents)[number]

/** Events in their order, each with what it needs to be told. */
interface Planned {
  type: MailEvent
  bounceType?: 'Permanent' | 'Transient' | 'Undetermined' | undefined
  /** Of a reply. */
  subject?: string | undefined
}

const delivered: Planned[] = [{ type: 'email.sent' }, { type: 'email.delivered' }]

/** What comes of a message by what stands before the plus of its recipient: `bounce+ann@example.com`. */
const conventions: Record<string, Planned[]> = {
  bounce: [{ type: 'email.sent' }, { type: 'email.bounced', bounceType: 'Permanent' }],
  'soft-bounce': [{ type: 'email.sent' }, { type: 'email.bounced', bounceType: 'Transient' }],
  complaint: [...delivered, { type: 'email.complained' }],
  open: [...delivered, { type: 'email.opened' }],
  click: [...delivered, { type: 'email.opened' }, { type: 'email.clicked' }],
  reply: [...delivered, { type: 'email.received' }],
  autoreply: [...delivered, { type: 'email.received', subject: 'Automatic reply' }],
  delay: [{ type: 'email.sent' }, { type: 'email.delivery_delayed' }, { type: 'email.delivered' }],
  fail: [{ type: 'email.failed' }],
  suppressed: [{ type: 'email.sent' }, { type: 'email.suppressed' }],
  silent: [],
}

/** Counts from 0. */
export const lastStage = Math.max(...Object.values(conventions).map(({ length }) => length)) - 1

export function planFor({ to }: SandboxEmail): Planned[] {
  const [word] = bareAddress(to[0] ?? '').split('+')
  return (word !== undefined && to[0]?.includes('+') && conventions[word]) || delivered
}

/** As an e-mail's `last_event` has it; a reply is none of its events. */
export function lastEventOf(events: readonly (Planned | MailEvent)[]): string | undefined {
  const types = events.map((event) => (typeof event === 'string' ? event : event.type))
  return types.findLast((type) => type !== 'email.received')?.replace('email.', '')
}

const MailEvent = z.enum(mailEvents)

/** Events that somebody asks for; of those that are no replies to an e-mail, `from` and `inbox` say who writes where. */
export const EventRequest = z.strictObject({
  type: MailEvent,
  emailId: z.string().optional(),
  /** The newest e-mail to this address is meant. */
  to: z.string().optional(),
  from: z.string().optional(),
  inbox: z.string().optional(),
  subject: z.string().optional(),
  bounceType: z.enum(['Permanent', 'Transient', 'Undetermined']).default('Permanent'),
  followedBy: z.array(MailEvent).default([]),
  duplicates: z.int().min(1).max(10).default(1),
  reorder: z.boolean().default(false),
  seed: z.int().default(1),
})
export type EventRequest = z.infer<typeof EventRequest>

export const AskedEvents = EventRequest.omit({ type: true, to: true, followedBy: true }).extend({
  types: z.array(MailEvent),
})
export type AskedEvents = z.infer<typeof AskedEvents>

/** The events as they go out, copies and all, in their order or in none. */
export function sequenceOf({ types, duplicates, reorder, seed }: AskedEvents): { type: MailEvent; index: number }[] {
  const all = types.flatMap((type, index) => Array.from({ length: duplicates }, () => ({ type, index })))
  if (!reorder) return all
  return all
    .map((one, place) => ({ one, lot: createHash('sha256').update(`${seed}/${place}`).digest('hex') }))
    .sort((a, b) => (a.lot < b.lot ? -1 : 1))
    .map(({ one }) => one)
}

/** A webhook's body, as Resend describes it. */
export function eventBody(planned: Planned, email: StoredEmail, at: Date): string {
  const { type } = planned
  const data = type === 'email.received' ? replyTo(email, planned.subject, at) : messageData(planned, email, at)
  return JSON.stringify({ type, created_at: at.toISOString(), data })
}

function messageData({ type, bounceType = 'Permanent' }: Planned, email: StoredEmail, at: Date) {
  const headers = Object.entries(email.headers).map(([name, value]) => ({ name, value }))
  return {
    email_id: email.id,
    created_at: email.createdAt,
    from: email.from,
    to: email.to,
    subject: email.subject,
    tags: Object.fromEntries(email.tags.map(({ name, value }) => [name, value])),
    ...(headers.length > 0 && { headers }),
    ...(type === 'email.bounced' && { bounce: bounces[bounceType] }),
    ...(type === 'email.failed' && { failed: { reason: 'invalid_recipient' } }),
    ...(type === 'email.suppressed' && { suppressed: suppression }),
    ...(type === 'email.clicked' && { click: { ...click, timestamp: at.toISOString() } }),
  }
}

const bounces = {
  Permanent: {
    type: 'Permanent',
    subType: 'NoEmail',
    message: 'The recipient does not exist.',
    diagnosticCode: ['smtp; 550 5.1.1 user unknown'],
  },
  Transient: {
    type: 'Transient',
    subType: 'MailboxFull',
    message: "The recipient's mailbox is full.",
    diagnosticCode: ['smtp; 452 4.2.2 mailbox full'],
  },
  Undetermined: {
    type: 'Undetermined',
    subType: 'Undetermined',
    message: 'The reason cannot be told.',
    diagnosticCode: ['smtp; 500 unknown'],
  },
}

const suppression = {
  type: 'OnAccountSuppressionList',
  reason: 'previous_bounce',
  message: 'The address is on the suppression list.',
  diagnosticCode: [],
}

const click = { ipAddress: '192.0.2.7', link: 'https://example.com/', userAgent: 'Mozilla/5.0 (sandbox)' }

/** Goes to where the message asks for replies. */
function replyTo(email: StoredEmail, subject: string | undefined, at: Date) {
  const inbox = email.reply_to.length > 0 ? email.reply_to : [email.from]
  return receivedData(email.to[0] ?? '', inbox, subject ?? `Re: ${email.subject}`, at, email.id)
}

export function receivedBody({ from = '', inbox = '', subject = 'Hello' }: AskedEvents, at: Date): string {
  const data = receivedData(from, [inbox], subject, at, `${from}/${inbox}`)
  return JSON.stringify({ type: 'email.received', created_at: at.toISOString(), data })
}

function receivedData(from: string, inbox: string[], subject: string, at: Date, about: string) {
  const id = createHash('sha256').update(`received/${about}/${at.toISOString()}`).digest('hex')
  return {
    email_id: id.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5'),
    created_at: at.toISOString(),
    from,
    to: inbox.map(bareAddress),
    subject,
    message_id: `<${id.slice(0, 32)}@${bareAddress(from).split('@')[1] ?? 'example.com'}>`,
    bcc: [],
    cc: [],
    attachments: [],
  }
}
