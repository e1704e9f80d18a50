import { setTimeout as wait } from 'node:timers/promises'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { z } from 'zod'

const Problem = z.object({ code: z.string(), detail: z.string().optional() })

interface StreamedEvent {
  type: string
  data: unknown
}

/** What the API answers that does not do what it is asked for. */
export class ApiRefusal extends Error {
  override readonly name = 'ApiRefusal'
  readonly status: number
  /** Of the problem document; null where there is none. */
  readonly code: string | null

  constructor(asked: string, status: number, problem: z.output<typeof Problem> | null) {
    const said = problem ? `${problem.code}, ${problem.detail ?? 'no detail'}` : 'no problem document'
    super(`${asked} answered ${status}: ${said}`)
    this.status = status
    this.code = problem?.code ?? null
  }
}

/** Throughline's own API as a customer uses it: over HTTP, with a key. Throws an ApiRefusal where it refuses. */
export interface ApiClient {
  get(path: string): Promise<unknown>
  text(path: string): Promise<string>
  post(path: string, body: unknown, idempotencyKey: string): Promise<unknown>
  /** A story's events from its beginning to its end, over as many connections as that takes. */
  events(path: string): AsyncGenerator<StreamedEvent>
}

interface Asked {
  method?: 'POST'
  body?: string
  headers?: Record<string, string>
}

/** `patienceMs`: for so long a request is made again while the API is away, or busy with it. */
export function createApiClient(
  baseUrl: string,
  apiKey: string,
  signal: AbortSignal,
  { patienceMs = 0 } = {},
): ApiClient {
  return {
    get: (path) => patiently(path, {}, (response) => response.json()),
    text: (path) => patiently(path, {}, (response) => response.text()),
    post: (path, body, idempotencyKey) => {
      const headers = { 'content-type': 'application/json', 'idempotency-key': idempotencyKey }
      const asked = { method: 'POST', body: JSON.stringify(body), headers } as const
      return patiently(path, asked, (response) => response.json())
    },
    events,
  }

  /** Once more does no harm: what changes something has its key. */
  async function patiently<T>(path: string, asked: Asked, read: (response: Response) => Promise<T>): Promise<T> {
    for (const end = Date.now() + patienceMs; ; await wait(reconnectMs, undefined, { signal })) {
      try {
        return await read(await request(path, asked))
      } catch (error) {
        if (signal.aborted || Date.now() >= end || !mayPass(error)) throw error
      }
    }
  }

  async function request(path: string, asked: Asked = {}): Promise<Response> {
    const headers = { ...asked.headers, authorization: `Bearer ${apiKey}` }
    const response = await fetch(`${baseUrl}${path}`, { ...asked, headers, signal })
    if (response.ok) return response
    const problem = Problem.safeParse(await response.json().catch(() => null))
    throw new ApiRefusal(`${asked.method ?? 'GET'} ${path}`, response.status, problem.data ?? null)
  }

  async function* events(path: string): AsyncGenerator<StreamedEvent> {
    for (let lastId = '0'; ; ) {
      const response = await request(path, { headers: { 'last-event-id': lastId } }).catch((error: unknown) => {
        if (signal.aborted || !isConnectionLoss(error)) throw error
        return undefined // the API is being restarted
      })
      if (response?.status === 204) return
      try {
        if (response?.body) {
          const parsed = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
          for await (const { id, event, data } of parsed) {
            lastId = id ?? lastId
            yield { type: event ?? 'message', data: JSON.parse(data) }
          }
        }
      } catch (error) {
        if (signal.aborted) throw error
      }
      await wait(reconnectMs)
    }
  }
}

const reconnectMs = 250

/** A request that was killed with the API keeps its key for a while. */
const passing: ReadonlySet<string | null> = new Set(['idempotency_in_flight', 'temporarily_unavailable'])

function mayPass(error: unknown): boolean {
  return error instanceof ApiRefusal ? passing.has(error.code) : isConnectionLoss(error)
}

function isConnectionLoss(error: unknown): boolean {
  return error instanceof TypeError // what fetch rejects with when there is no answer
}
