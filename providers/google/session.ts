import { auth } from 'googleapis/build/src/apis/sheets/index.js'
import { z } from 'zod'
import { ProviderError } from '../../activities/ports.ts'

export interface GoogleSettings {
  clientEmail: string
  privateKey: string
  /** Where all of Google's hosts are meant to be, such as a sandbox; without it, each is where it is. */
  baseUrl?: string | undefined
  fetch?: (url: string, init?: RequestInit) => Promise<Response>
  timeoutMs?: number
}

/** What a call may leave behind when its answer is lost: nothing that matters, or something that must not be done twice. */
type Effect = 'repeatable' | 'once'

/** What a refusal by this status means for this very call. */
type Rejections = Partial<Record<400 | 404, string>>

export interface Session {
  auth: InstanceType<typeof auth.JWT>
  /** Makes one call with the session's token. Throws ProviderError, or the signal's reason when the caller gave up. */
  call<T>(
    request: { effect: Effect; rejects?: Rejections },
    signal: AbortSignal,
    send: (options: { signal: AbortSignal }) => Promise<{ data: T }>,
  ): Promise<T>
}

/** Sees what is shared with the service account and what it makes, no more; Sheets goes by the same scope. */
const scopes = ['https://www.googleapis.com/auth/drive']

/** As a new session has it: the next call asks for a token first. */
const noToken = { refresh_token: 'jwt-placeholder', expiry_date: 1 }

/** A service account's session: one token for all calls until it expires. Nothing in it repeats a call by itself. */
export function openSession(settings: GoogleSettings): Session {
  const { clientEmail, privateKey, baseUrl, fetch = globalThis.fetch, timeoutMs = 20_000 } = settings
  const jwt = new auth.JWT({
    email: clientEmail,
    key: privateKey,
    scopes,
    transporterOptions: {
      // The library knows the token's address by heart and takes no path before the others': hence all are moved here.
      fetchImplementation: (input, init) => fetch(moved(input, baseUrl), init),
      timeout: timeoutMs,
      retryConfig: { retry: 0 },
    },
  })
  return {
    auth: jwt,
    async call({ effect, rejects }, signal, send) {
      // On its own, for without a token nothing has been sent.
      await jwt.getAccessToken().catch((error: unknown) => {
        signal.throwIfAborted()
        throw tokenFailure(error)
      })
      try {
        signal.throwIfAborted()
        return (await send({ signal })).data
      } catch (error) {
        signal.throwIfAborted()
        const failure = callFailure(error, effect, rejects)
        if (failure.code === 'invalid_credentials') jwt.setCredentials(noToken)
        throw failure
      }
    },
  }
}

function moved(input: Parameters<typeof globalThis.fetch>[0], baseUrl: string | undefined): string {
  const url = new URL(input instanceof Request ? input.url : input)
  return baseUrl === undefined ? url.href : `${baseUrl.replace(/\/$/, '')}${url.pathname}${url.search}`
}

/** Of an answer that is a failure, what tells one from another. Google's texts quote addresses and are not looked at. */
const Failure = z.object({
  response: z.object({ status: z.number(), headers: z.instanceof(Headers), data: z.unknown() }),
})
const Reasons = z.object({ error: z.object({ errors: z.array(z.object({ reason: z.string() })) }) })

const tooFast = new Set(['rateLimitExceeded', 'userRateLimitExceeded', 'sharingRateLimitExceeded'])

function tokenFailure(error: unknown): ProviderError {
  const { status, headers } = answerOf(error)
  if (status === 429) return failed('retryAfter', 'rate_limited', retryAfterMs(headers))
  if (status === 400 || status === 401 || status === 403) return failed('rejected', 'invalid_credentials')
  return failed('retry', status === undefined ? 'no_token' : `http_${status}`)
}

function callFailure(error: unknown, effect: Effect, rejects: Rejections = {}): ProviderError {
  const { status, headers, reasons } = answerOf(error)
  const unclear = effect === 'once' ? 'unconfirmed' : 'retry'
  if (status === undefined) return failed(unclear, timedOut(error) ? 'timeout' : 'network')
  if (status === 429 || (status === 403 && reasons.some((reason) => tooFast.has(reason)))) {
    return failed('retryAfter', 'rate_limited', retryAfterMs(headers))
  }
  if (status >= 500 || status === 408) return failed(unclear, `http_${status}`)
  if (status === 401) return failed('rejected', 'invalid_credentials')
  if (status === 403) return failed('rejected', reasons.includes('storageQuotaExceeded') ? 'storage_full' : 'no_access')
  if (status === 404) return failed('rejected', rejects[404] ?? 'spreadsheet_not_found')
  return failed('rejected', (status === 400 && rejects[400]) || `http_${status}`)
}

function answerOf(error: unknown): { status?: number; headers?: Headers; reasons: string[] } {
  const parsed = Failure.safeParse(error)
  if (!parsed.success) return { reasons: [] }
  const { status, headers, data } = parsed.data.response
  const told = Reasons.safeParse(data)
  return { status, headers, reasons: told.success ? told.data.error.errors.map(({ reason }) => reason) : [] }
}

function failed(
  outcome: ConstructorParameters<typeof ProviderError>[1],
  code: string,
  afterMs?: number,
): ProviderError {
  return new ProviderError('google', outcome, code, afterMs)
}

function timedOut(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'TimeoutError'
}

/** Sheets' quotas are filled up every minute and mostly come without this header; then the caller's own back-off serves. */
function retryAfterMs(headers: Headers | undefined): number | undefined {
  const header = headers?.get('retry-after') ?? ''
  return /^\d+$/.test(header) ? Number(header) * 1000 : undefined
}
