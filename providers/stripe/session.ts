import { createHash } from 'node:crypto'
import { Stripe } from 'stripe'
import { z } from 'zod'
import { failureOf, type Subject } from './errors.ts'

export interface SessionSettings {
  secretKey: string
  baseUrl: string
  timeoutMs: number
  fetch: typeof globalThis.fetch
}

export interface Call {
  about: Subject
  signal: AbortSignal
}

export type Session = ReturnType<typeof openSession>

/** Stripe's SDK, one call at a time. What fails is a ProviderError, whoever gave up. */
export function openSession(settings: SessionSettings) {
  return {
    /** Asks for what may be asked for as often as one likes. */
    ask: <T>(call: Call, send: (stripe: Stripe) => Promise<T>): Promise<T> => run(call, false, send),

    /** Does something once under its key, as far as Stripe remembers: 24 hours. */
    act: <T>(call: Call, key: string, send: (stripe: Stripe, options: Keyed) => Promise<T>): Promise<T> =>
      run(call, true, (stripe) => send(stripe, { idempotencyKey: headerKey(key) })),
  }

  async function run<T>({ about, signal }: Call, isKept: boolean, send: (stripe: Stripe) => Promise<T>): Promise<T> {
    try {
      signal.throwIfAborted()
      return await send(connect(settings, signal))
    } catch (error) {
      throw failureOf(error, { about, isKept, signal })
    }
  }
}

interface Keyed {
  idempotencyKey: string
}

/** By fetch, which can be given up; through Node's own the SDK would also repeat a call that broke off. */
function connect({ secretKey, baseUrl, timeoutMs, fetch }: SessionSettings, signal: AbortSignal): Stripe {
  const { protocol, hostname, port } = new URL(baseUrl)
  const isPlain = protocol === 'http:'
  const untilGivenUp: typeof fetch = async (url, init) => {
    const ends = AbortSignal.any([signal, ...(init?.signal ? [init.signal] : [])])
    return asTheSdkReads(await fetch(url, { ...init, redirect: 'manual', signal: ends }))
  }
  return new Stripe(secretKey, {
    host: hostname,
    port: port || (isPlain ? 80 : 443),
    protocol: isPlain ? 'http' : 'https',
    timeout: timeoutMs,
    maxNetworkRetries: 0,
    telemetry: false,
    httpClient: Stripe.createFetchHttpClient(untilGivenUp),
  })
}

const Failure = z.object({ error: z.looseObject({}) })

/** The SDK takes whatever has no error in it for an answer, though it is a gateway's that failed. */
async function asTheSdkReads(response: Response): Promise<Response> {
  if (response.ok) return response
  const { status, headers } = response
  const text = await response.text()
  return new Response(isFailure(text) ? text : '{"error":{}}', { status, headers })
}

function isFailure(text: string): boolean {
  try {
    return Failure.safeParse(JSON.parse(text)).success
  } catch {
    return false
  }
}

/** A key that the header cannot carry goes as its digest, always the same. */
function headerKey(key: string): string {
  return /^[!-~]{1,255}$/.test(key) ? key : digest(key)
}

export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
