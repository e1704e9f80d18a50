import { Resend } from 'resend'
import { z } from 'zod'
import { ProviderError } from '../../activities/ports.ts'

export interface SessionSettings {
  apiKey: string
  baseUrl: string
  timeoutMs: number
  fetch: typeof globalThis.fetch
}

/** What a call may leave behind when its answer is lost: nothing that matters, or mail that must not go twice. */
type Effect = 'repeatable' | 'once'

interface Call {
  effect: Effect
  signal: AbortSignal
}

/** Resend's SDK, one call at a time. What it answers is of unknown shape; what fails is a ProviderError, whoever gave up. */
export function openSession(settings: SessionSettings) {
  return {
    async ask(call: Call, send: (resend: Resend) => Promise<{ data: unknown }>): Promise<unknown> {
      const { data } = await send(new Connection(settings, call))
      return data
    },
  }
}

/**
 * The SDK but for how it talks: its own way has no time-out, and gives one error for a refused connection, of which nothing can have come,
 * and for one that broke off, of which mail may have.
 */
class Connection extends Resend {
  readonly #settings: SessionSettings
  readonly #call: Call

  constructor(settings: SessionSettings, call: Call) {
    super(settings.apiKey, { baseUrl: settings.baseUrl })
    this.#settings = settings
    this.#call = call
  }

  override async fetchRequest<T>(path: string, options: RequestInit = {}): Promise<SdkAnswer<T>> {
    const { fetch, baseUrl, timeoutMs } = this.#settings
    const { effect, signal } = this.#call
    if (signal.aborted) throw failed('retry', 'aborted')
    const timeout = AbortSignal.timeout(timeoutMs)
    let response: Response
    let body: string
    try {
      const ends = AbortSignal.any([signal, timeout])
      response = await fetch(`${baseUrl}${path}`, { ...options, redirect: 'manual', signal: ends })
      body = await response.text()
    } catch (error) {
      const outcome = neverConnected(error) ? 'retry' : unclear(effect)
      throw failed(outcome, signal.aborted ? 'aborted' : timeout.aborted ? 'timeout' : 'network')
    }
    if (!response.ok) throw failureOf(response, nameOf(body), effect)
    try {
      // The SDK believes its types; whoever asks through it does not.
      return { data: z.custom<T>().parse(JSON.parse(body)), error: null, headers: Object.fromEntries(response.headers) }
    } catch {
      throw unexpectedAnswer(effect)
    }
  }
}

type SdkAnswer<T> = Awaited<ReturnType<typeof Resend.prototype.fetchRequest<T>>>

export function unexpectedAnswer(effect: Effect): ProviderError {
  return failed(unclear(effect), 'unexpected_answer')
}

const unclear = (effect: Effect) => (effect === 'once' ? 'unconfirmed' : 'retry')

/** The steps before anything can have been said; a name may have several addresses, each of which failed. */
const Unconnected = z.object({ syscall: z.enum(['connect', 'getaddrinfo']) })
const NeverConnected = z.object({
  cause: z.union([
    Unconnected,
    z.object({ errors: z.array(Unconnected).min(1) }),
    z.object({ code: z.literal('UND_ERR_CONNECT_TIMEOUT') }),
  ]),
})

function neverConnected(error: unknown): boolean {
  return NeverConnected.safeParse(error).success
}

/** Of an answer that is a failure, Resend's name for it. Its texts quote addresses and are not looked at. */
function nameOf(body: string): string {
  try {
    return z.object({ name: z.string() }).parse(JSON.parse(body)).name
  } catch {
    return ''
  }
}

const minuteMs = 60_000

/** A quota is not filled up within the seconds that the header may speak of: of a day it moves on hourly, of a month hardly. */
const quotaPauseMs: Record<string, number> = {
  daily_quota_exceeded: 60 * minuteMs,
  monthly_quota_exceeded: 6 * 60 * minuteMs,
}

/** What no other key, sender or wording of the same message would be refused for: its own content or address. */
const ofTheMessage: Record<string, string> = {
  validation_error: 'invalid_message',
  missing_required_field: 'invalid_message',
  invalid_parameter: 'invalid_message',
  invalid_attachment: 'invalid_message',
  invalid_from_address: 'invalid_sender',
}

/** The codes by which one message is refused, as opposed to whoever sends it. */
export const messageRefusals: ReadonlySet<string> = new Set(Object.values(ofTheMessage))

function failureOf({ status, headers }: Response, name: string, effect: Effect): ProviderError {
  if (status === 429) {
    const quotaMs = quotaPauseMs[name]
    if (quotaMs === undefined) return failed('retryAfter', 'rate_limited', retryAfterMs(headers))
    return failed('retryAfter', 'quota_used_up', Math.max(quotaMs, retryAfterMs(headers) ?? 0))
  }
  if (status === 409) return failed(unclear(effect), conflicts[name] ?? 'http_409')
  if (status >= 500 || status === 408) return failed(unclear(effect), `http_${status}`)
  if (name === 'restricted_api_key') return failed('rejected', 'key_only_sends')
  if (status === 401 || name === 'invalid_api_key') return failed('rejected', 'invalid_key')
  if (status === 403) return failed('rejected', 'not_allowed')
  if (status === 400 || status === 422) return failed('rejected', ofTheMessage[name] ?? `http_${status}`)
  if (status >= 400) return failed('rejected', `http_${status}`)
  return unexpectedAnswer(effect)
}

/** The first call under the key is under way or long done, and may have been taken. */
const conflicts: Record<string, string> = {
  concurrent_idempotent_requests: 'call_under_way',
  invalid_idempotent_request: 'key_reused',
}

/** The header holds seconds or a date; undefined when it is absent or says neither. */
function retryAfterMs(headers: Headers): number | undefined {
  const header = headers.get('retry-after') ?? ''
  if (/^\d+$/.test(header)) return Number(header) * 1000
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now())
}

function failed(
  outcome: ConstructorParameters<typeof ProviderError>[1],
  code: string,
  afterMs?: number,
): ProviderError {
  return new ProviderError('resend', outcome, code, afterMs)
}
