import { EventSourceParserStream } from 'eventsource-parser/stream'
import { z } from 'zod'

const Problem = z.object({ code: z.string(), detail: z.string().optional() })

interface StreamedEvent {
  type: string
  data: unknown
}

/** Throughline's own API as a customer uses it: over HTTP, with a key. Throws with the problem's code and detail. */
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

export function createApiClient(baseUrl: string, apiKey: string, signal: AbortSignal): ApiClient {
  return {
    get: async (path) => (await request(path)).json(),
    text: async (path) => (await request(path)).text(),
    post: async (path, body, idempotencyKey) => {
      const headers = { 'content-type': 'application/json', 'idempotency-key': idempotencyKey }
      return (await request(path, { method: 'POST', body: JSON.stringify(body), headers })).json()
    },
    events,
  }

  async function request(path: string, asked: Asked = {}): Promise<Response> {
    const headers = { ...asked.headers, authorization: `Bearer ${apiKey}` }
    const response = await fetch(`${baseUrl}${path}`, { ...asked, headers, signal })
    if (response.ok) return response
    const problem = Problem.safeParse(await response.json().catch(() => null))
    const said = problem.success ? `${problem.data.code}, ${problem.data.detail ?? 'no detail'}` : 'no problem document'
    throw new Error(`${asked.method ?? 'GET'} ${path} answered ${response.status}: ${said}`)
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
      await new Promise((resolve) => setTimeout(resolve, reconnectMs))
    }
  }
}

const reconnectMs = 250

function isConnectionLoss(error: unknown): boolean {
  return error instanceof TypeError // what fetch rejects with when there is no answer
}
