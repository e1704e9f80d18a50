import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { bareAddress } from './addresses.ts'
import { readEmail } from './sandbox-emails.ts'
import { type AskedEvents, EventRequest } from './sandbox-events.ts'
import { type Call, Change, createMailbox, emailId, pack, type StoredEmail } from './sandbox-mailbox.ts'
import { createEmitter, type Outside, type WebhookTarget } from './sandbox-webhooks.ts'

interface Answer {
  reply: Response
  change?: Change
}

interface SandboxSettings {
  /** Where events go, and the secret they are signed with; without it nothing is sent. */
  webhook?: WebhookTarget | undefined
  /** Between a message and its first event, and between events, in ms of real time. */
  eventGapMs?: number
  /** How long a call takes, in ms: while it does, another under the same key is refused. */
  processingMs?: number
}

const mostPerBatch = 100

const ResendEvent = z.discriminatedUnion('type', [
  EventRequest,
  z.strictObject({ type: z.literal('keys.forget'), key: z.string().optional() }),
  z.strictObject({ type: z.enum(['webhooks.on', 'webhooks.off']) }),
])

/**
 * Resend as far as Throughline uses it: sending, one or a hundred at a time, under keys that it knows for a day; the list and the single
 * e-mail; webhooks. API keys that begin with `wrong` are refused, with `sending` they may do nothing else; the domain `unverified.test` may not
 * be sent from. What comes of a message follows from its recipient: `bounce+`, `soft-bounce+`, `complaint+`, `open+`, `click+`, `reply+`,
 * `autoreply+`, `delay+`, `fail+`, `suppressed+` and `silent+`, any other is delivered. Events: any of Resend's `email.*`, for one e-mail;
 * `keys.forget`, `webhooks.off` and `webhooks.on` for what comes by itself.
 */
export function createResendSandbox({ webhook, eventGapMs = 250, processingMs = 0 }: SandboxSettings = {}) {
  const mailbox = createMailbox({ hasWebhook: webhook !== undefined })
  const emitter = webhook && createEmitter(webhook, mailbox, eventGapMs)
  const underWay = new Set<string>()

  function apply<C extends Change>(change: C): C {
    mailbox.apply(change)
    if (change.kind === 'taken' || change.kind === 'asked') emitter?.emit(change)
    return change
  }

  return {
    provider: 'resend',
    operations: ['emails.send', 'emails.batch', 'emails.list', 'emails.get', 'unknown'],

    operation: (request: Request): string => routeOf(request).operation,

    handle(request: Request, { now }: { now: Date }): Promise<Answer> {
      const { operation, id } = routeOf(request)
      const refusal = accessRefusal(request, operation)
      if (refusal) return Promise.resolve(refusal)
      if (operation === 'emails.send' || operation === 'emails.batch') return send(request, operation, now)
      if (operation === 'emails.list') return Promise.resolve(list(new URL(request.url).searchParams))
      const email = mailbox.find(id)
      return Promise.resolve(email ? ok(whole(email)) : failed(404, 'not_found', 'Email not found'))
    },

    happen(event: unknown, { now }: { now: Date }): Change {
      const parsed = ResendEvent.parse(event)
      if ('duplicates' in parsed) {
        return apply({ kind: 'asked', id: randomUUID(), at: now.toISOString(), asked: targeted(parsed) })
      }
      if (parsed.type === 'keys.forget') return apply({ kind: 'keysForgotten', ...(parsed.key && { key: parsed.key }) })
      return apply({ kind: 'webhooks', on: parsed.type === 'webhooks.on' })
    },

    replay: (change: unknown): void => mailbox.apply(Change.parse(change)),
    open: (outside: Outside): void => emitter?.open(outside),
    messages: (query: { since: number; limit: number }) => mailbox.taken(query),
    reset: (): void => mailbox.clear(),
  }

  async function send(request: Request, operation: 'emails.send' | 'emails.batch', now: Date): Promise<Answer> {
    const key = request.headers.get('idempotency-key')
    if (key !== null && (key === '' || key.length > 256)) {
      return failed(400, 'invalid_idempotency_key', 'The idempotency key must be between 1-256 chars.')
    }
    const body = await request.text()
    const fingerprint = createHash('sha256').update(`${operation}\n${body}`).digest('base64url')
    const known = key === null ? undefined : mailbox.callUnder(key, now)
    if (known)
      return known.fingerprint === fingerprint ? ok(answerOf(known)) : keyConflict('invalid_idempotent_request')
    if (key !== null && underWay.has(key)) return keyConflict('concurrent_idempotent_requests')
    if (processingMs > 0 && key !== null) {
      underWay.add(key)
      await wait(processingMs, undefined, { ref: false })
      underWay.delete(key)
    }
    const mode = modeOf(request, operation)
    const taken = takenOf(body, mode)
    if ('reply' in taken) return taken
    const call: Call = { id: randomUUID(), at: now.toISOString(), mode, key, fingerprint, ...taken }
    return { ...ok(answerOf(call)), change: apply({ kind: 'taken', call }) }
  }

  function list(parameters: URLSearchParams): Answer {
    const limit = Number(parameters.get('limit') ?? 20)
    const [after, before] = [parameters.get('after'), parameters.get('before')]
    const isWrong = !Number.isInteger(limit) || limit < 1 || limit > 100 || (after !== null && before !== null)
    const page = isWrong ? null : mailbox.page({ limit, after, before })
    if (page === null) return failed(422, 'validation_error', 'The pagination parameters are invalid.')
    return ok({ object: 'list', has_more: page.hasMore, data: page.emails.map(listed) })
  }

  /** Names the one e-mail that events are asked for. */
  function targeted({ type, to, followedBy, emailId: id, ...how }: EventRequest): AskedEvents {
    const types = [type, ...followedBy]
    const refused = (path: string, message: string) => {
      throw new z.ZodError([{ code: 'custom', path: [path], message, input: undefined }])
    }
    if (!webhook) refused('type', 'this sandbox has no webhook to send it to')
    if (types.every((one) => one === 'email.received') && how.from && how.inbox) return { ...how, types }
    const email = id === undefined ? mailbox.newestTo(to ?? '') : mailbox.find(id)
    return email
      ? { ...how, types, emailId: email.id }
      : refused(id === undefined ? 'to' : 'emailId', 'there is no such e-mail')
  }
}

function routeOf(request: Request): { operation: string; id: string } {
  const line = `${request.method} ${new URL(request.url).pathname}`
  if (line === 'POST /emails') return { operation: 'emails.send', id: '' }
  if (line === 'POST /emails/batch') return { operation: 'emails.batch', id: '' }
  if (line === 'GET /emails') return { operation: 'emails.list', id: '' }
  const [, id] = /^GET \/emails\/([\w-]+)$/.exec(line) ?? []
  return id === undefined ? { operation: 'unknown', id: '' } : { operation: 'emails.get', id }
}

function accessRefusal(request: Request, operation: string): Answer | null {
  const [, key] = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '') ?? []
  if (key === undefined) return failed(401, 'missing_api_key', 'Missing API Key')
  if (key.startsWith('wrong')) return failed(403, 'invalid_api_key', 'API key is invalid')
  if (key.startsWith('sending') && operation !== 'emails.send' && operation !== 'emails.batch') {
    return failed(401, 'restricted_api_key', 'This API key is restricted to only send emails')
  }
  return operation === 'unknown' ? failed(404, 'not_found', 'The requested endpoint does not exist.') : null
}

type Taken = Pick<Call, 'count' | 'emails' | 'errors'>

/** What of a call would be taken, or why nothing. */
function takenOf(body: string, mode: Call['mode']): Taken | Answer {
  const given = jsonOf(body)
  const items: unknown[] = mode === 'single' ? [given] : Array.isArray(given) ? given : []
  if (items.length === 0) return failed(422, 'validation_error', 'The request body must be an array of emails.')
  if (items.length > mostPerBatch) return failed(422, 'validation_error', 'A batch takes at most 100 emails.')
  const read = items.map(readEmail)
  const refused = read.flatMap((one, index) => ('refusal' in one ? [{ index, ...one.refusal }] : []))
  const [first] = refused
  if (first && mode !== 'permissive') return failed(422, first.name, first.message)
  const emails = read.flatMap((one) => ('email' in one ? [one.email] : []))
  if (emails.some(({ from }) => bareAddress(from).endsWith('@unverified.test'))) {
    return failed(403, 'validation_error', 'The unverified.test domain is not verified.')
  }
  const errors = refused.map(({ index, message }) => ({ index, message }))
  return { count: emails.length, emails: pack(emails), errors }
}

function modeOf(request: Request, operation: string): Call['mode'] {
  if (operation === 'emails.send') return 'single'
  return request.headers.get('x-batch-validation') === 'permissive' ? 'permissive' : 'strict'
}

function answerOf(call: Call) {
  const data = Array.from({ length: call.count }, (_, position) => ({ id: emailId(call, position) }))
  if (call.mode === 'single') return data[0]
  return call.mode === 'strict' ? { data } : { data, errors: call.errors }
}

function listed({ id, from, to, cc, bcc, reply_to, subject, createdAt, lastEvent }: StoredEmail) {
  // Resend writes times as its database prints them.
  const created = createdAt.replace('T', ' ').replace('Z', '000+00')
  return { object: 'email', id, from, to, cc, bcc, reply_to, subject, created_at: created, last_event: lastEvent }
}

function whole(email: StoredEmail) {
  const { html, text, tags } = email
  return { ...listed(email), ...(html !== undefined && { html }), ...(text !== undefined && { text }), tags }
}

function ok(body: unknown): Answer {
  return { reply: Response.json(body) }
}

function failed(statusCode: number, name: string, message: string): Answer {
  return { reply: Response.json({ statusCode, name, message }, { status: statusCode }) }
}

function keyConflict(name: 'invalid_idempotent_request' | 'concurrent_idempotent_requests'): Answer {
  const isOther = name === 'invalid_idempotent_request'
  const text = isOther ? 'has been used for another request' : 'is in use by a request that is not finished'
  return failed(409, name, `This idempotency key ${text}.`)
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
