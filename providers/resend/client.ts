import { createHash } from 'node:crypto'
import type { CreateBatchOptions } from 'resend'
import { z } from 'zod'
import { type EmailChannel, ProviderError, type RenderedEmail, type SendOutcome } from '../../activities/ports.ts'
import { createLookUp } from './look-up.ts'
import { messageRefusals, openSession, unexpectedAnswer } from './session.ts'

interface ResendSettings {
  apiKey: string
  /** `https://api.resend.com`, or where a sandbox answers in its place. */
  baseUrl?: string | undefined
  /** How long a key is taken to be known, in ms. */
  keyLifetimeMs?: number | undefined
  timeoutMs?: number
  fetch?: typeof globalThis.fetch
}

/**
 * Resend knows a key for 24 hours. A call that leaves just before must still find it known when it is heard: after its time-out, by
 * another machine's clock.
 */
const knownMs = 24 * 60 * 60_000
const marginMs = 10 * 60_000

const mostPerCall = 100

/**
 * E-mail through Resend. Several messages go as a batch in permissive mode, which takes the good ones and names the others; strict mode
 * would refuse all for one. After `rejected` with `invalid_message` the messages of a batch may be sent one by one.
 */
export function createResend(settings: ResendSettings): EmailChannel {
  const { apiKey, baseUrl = 'https://api.resend.com', keyLifetimeMs = knownMs - marginMs } = settings
  const { timeoutMs = 10_000, fetch = globalThis.fetch } = settings
  const session = openSession({ apiKey, baseUrl: baseUrl.replace(/\/$/, ''), timeoutMs, fetch })

  return {
    provider: 'resend',
    mostPerCall,
    keyLifetimeMs,
    lookUp: createLookUp(session),

    async send({ key, messages }, signal) {
      const [first, ...more] = messages
      if (first === undefined) return []
      const options = { idempotencyKey: headerKey(key) }
      return more.length === 0 ? sendOne(first, options, signal) : sendBatch(messages, options, signal)
    },
  }

  async function sendOne(
    message: RenderedEmail,
    options: { idempotencyKey: string },
    signal: AbortSignal,
  ): Promise<SendOutcome[]> {
    try {
      const answer = await session.ask({ effect: 'once', signal }, (resend) =>
        resend.emails.send(requestOf(message), options),
      )
      return [sent(parsed(Taken, answer))]
    } catch (error) {
      if (!(error instanceof ProviderError) || !messageRefusals.has(error.code)) throw error
      return [{ is: 'rejected', code: error.code }]
    }
  }

  async function sendBatch(
    messages: readonly RenderedEmail[],
    options: { idempotencyKey: string },
    signal: AbortSignal,
  ): Promise<SendOutcome[]> {
    const answer = await session.ask({ effect: 'once', signal }, (resend) =>
      resend.batch.send(messages.map(requestOf), { ...options, batchValidation: 'permissive' }),
    )
    return outcomesOf(parsed(BatchAnswer, answer), messages.length)
  }
}

/** A key that the header cannot carry goes as its digest, always the same. */
function headerKey(key: string): string {
  return /^[!-~]{1,256}$/.test(key) ? key : createHash('sha256').update(key).digest('hex')
}

/** Always the same bytes for the same message: rows may give their fields back in another order, and a key holds for one body. */
function requestOf({ from, to, replyTo, subject, html, text, headers, tags }: RenderedEmail) {
  return {
    from,
    to,
    ...(replyTo !== null && { replyTo }),
    subject,
    html,
    text,
    headers: Object.fromEntries(inOrder(headers)),
    tags: inOrder(tags).map(([name, value]) => ({ name, value })),
  } satisfies CreateBatchOptions[number]
}

function inOrder(fields: Record<string, string>): [string, string][] {
  return Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))
}

const Taken = z.object({ id: z.string().min(1) })
const BatchAnswer = z.object({
  /** Of those that were taken alone, in the order of the call. */
  data: z.array(Taken),
  errors: z.array(z.object({ index: z.int().nonnegative(), message: z.string() })).default([]),
})

/** Which id belongs to whom is only told when each message has either an id or an error. */
function outcomesOf({ data, errors }: z.infer<typeof BatchAnswer>, count: number): SendOutcome[] {
  const refused = new Map(errors.map(({ index, message }) => [index, refusalOf(message)]))
  const isWhole = data.length + refused.size === count && errors.every(({ index }) => index < count)
  if (!isWhole) throw unexpectedAnswer('once')
  const ids = data.values()
  return Array.from({ length: count }, (_, index) => {
    const code = refused.get(index)
    return code === undefined ? sent(parsed(Taken, ids.next().value)) : { is: 'rejected', code }
  })
}

/** The text names the field, in backticks, and may quote its value, which stays here. */
function refusalOf(message: string): string {
  return message.includes('`from`') ? 'invalid_sender' : 'invalid_message'
}

const sent = ({ id }: z.infer<typeof Taken>): SendOutcome => ({ is: 'sent', providerMessageId: id })

function parsed<T>(schema: z.ZodType<T>, answer: unknown): T {
  const result = schema.safeParse(answer)
  if (!result.success) throw unexpectedAnswer('once')
  return result.data
}
