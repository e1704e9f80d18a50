import { isUtf8 } from 'node:buffer'
import { timingSafeEqual } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { z } from 'zod'
import {
  BadSignature,
  type InboundEvent,
  type InboundFact,
  idTags,
  type WebhookReader,
} from '../../activities/ports.ts'
import { bareAddress } from './addresses.ts'

/** Both ways, as Standard Webhooks has it. */
const toleranceMs = 5 * 60_000

/**
 * Reads Resend's webhooks with the endpoint's secret, `whsec_...`. An event that we do not know, or whose data is not what it should be, is
 * still an event, without a fact: refused, it would only come again.
 */
export function createResendWebhooks(secret: string): WebhookReader {
  const webhook = new Webhook(secret)
  return (rawBody, headers, now) => {
    const id = headers['svix-id'] ?? ''
    const timestamp = headers['svix-timestamp'] ?? ''
    if (id === '' || !/^\d{1,12}$/.test(timestamp)) throw new BadSignature('svix headers are missing')
    const sentAt = new Date(Number(timestamp) * 1000)
    if (Math.abs(now.getTime() - sentAt.getTime()) > toleranceMs) throw new BadSignature('the timestamp is not of now')
    // What is signed is text: bytes that are none would be replaced before they are compared.
    if (!isUtf8(rawBody)) throw new BadSignature('the body is no text')
    const expected = webhook.sign(id, sentAt, rawBody)
    const given = (headers['svix-signature'] ?? '').split(' ')
    if (!given.some((signature) => isSame(signature, expected))) throw new BadSignature('no signature fits')
    return [eventOf(id, rawBody, now)]
  }
}

/** While a secret is being replaced there are two signatures. */
function isSame(signature: string, expected: string): boolean {
  const [a, b] = [Buffer.from(signature), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}

const Envelope = z.object({ type: z.string(), created_at: z.string(), data: z.unknown() })

function eventOf(id: string, rawBody: Buffer, now: Date): InboundEvent {
  const payload = jsonOf(rawBody)
  const envelope = Envelope.safeParse(payload)
  if (!envelope.success) throw new BadSignature('the body is no event')
  const { type, created_at: createdAt, data } = envelope.data
  const at = Date.parse(createdAt)
  return { id, type, occurredAt: Number.isNaN(at) ? now : new Date(at), payload, fact: factOf(type, data) }
}

function jsonOf(rawBody: Buffer): unknown {
  try {
    return JSON.parse(rawBody.toString())
  } catch {
    return undefined
  }
}

const messageEvents = {
  'email.sent': 'sent',
  'email.delivered': 'delivered',
  'email.bounced': 'bounced',
  // Held back for an earlier bounce or complaint, and so will be all that follow: as good as a permanent bounce, which it is at Amazon, from
  // where the kinds of it come.
  'email.suppressed': 'bounced',
  'email.complained': 'complained',
  'email.opened': 'opened',
  'email.clicked': 'clicked',
  'email.failed': 'rejected',
} as const
const isMessageEvent = (type: string): type is keyof typeof messageEvents => Object.hasOwn(messageEvents, type)

function factOf(type: string, data: unknown): InboundFact | null {
  if (type === 'email.received') return replyOf(data)
  return isMessageEvent(type) ? messageFactOf(type, data) : null
}

/** By description an object; as a list of pairs they were sent. */
const Pairs = z.union([
  z.record(z.string(), z.string()),
  z
    .array(z.object({ name: z.string(), value: z.string() }))
    .transform((pairs) => Object.fromEntries(pairs.map(({ name, value }) => [name, value]))),
])

const MessageData = z.object({
  email_id: z.string().min(1),
  tags: Pairs.catch({}),
  bounce: z.object({ type: z.string() }).optional().catch(undefined),
})

function messageFactOf(type: keyof typeof messageEvents, data: unknown): InboundFact | null {
  const parsed = MessageData.safeParse(data)
  if (!parsed.success) return null
  const { email_id: providerMessageId, tags, bounce } = parsed.data
  return {
    kind: 'message',
    event: messageEvents[type],
    organisationId: idIn(tags[idTags.organisation]),
    messageId: idIn(tags[idTags.message]),
    providerMessageId,
    isPermanent: type === 'email.suppressed' || bounce?.type === 'Permanent',
  }
}

/** The account may serve others, whose tags are none of our business. */
function idIn(tag: string | undefined): string | null {
  return z.uuid().safeParse(tag).data ?? null
}

const ReceivedData = z.object({
  email_id: z.string().min(1),
  from: z.string(),
  to: z.array(z.string()),
  subject: z.string().catch(''),
  /** Not described for this event. */
  headers: Pairs.catch({}),
})

function replyOf(data: unknown): InboundFact | null {
  const parsed = ReceivedData.safeParse(data)
  if (!parsed.success) return null
  const { email_id: providerMessageId, from, to, subject, headers } = parsed.data
  const header = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  const answered = `${header.get('in-reply-to') ?? ''} ${header.get('references') ?? ''}`
  return {
    kind: 'reply',
    from: bareAddress(from),
    to: to.map(bareAddress),
    inReplyTo: [...new Set(answered.match(/<[^<>\s]+>/g))],
    providerMessageId,
    isAutomatic: isAutomatic(header, subject),
  }
}

/** RFC 3834, and what came before it; where no headers are told, as people's mail programs begin such a subject. */
function isAutomatic(header: ReadonlyMap<string, string>, subject: string): boolean {
  const submitted = header.get('auto-submitted')?.trim().toLowerCase() ?? 'no'
  if (!submitted.startsWith('no') || header.has('x-autoreply') || header.has('x-autorespond')) return true
  if (/^\s*(bulk|junk|list|auto_reply)\s*$/i.test(header.get('precedence') ?? '')) return true
  return automaticSubject.test(subject)
}

const automaticSubject =
  /^\s*(auto(matic|mated)?[\s-]*(reply|response)|out of (the )?office|abwesenheit|automatische antwort|réponse automatique|respuesta automática|risposta automatica|automatisch antwoord|undeliver|delivery status notification|mail delivery (failed|subsystem))/i
