import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { portOf } from './free-ports.ts'

export interface CaughtWebhook {
  rawBody: Buffer
  headers: Record<string, string>
}

/** Listens where a provider sends its webhooks, and keeps what comes. */
export interface WebhookCatcher extends AsyncDisposable {
  url: string
  caught: CaughtWebhook[]
  /** Answers so many deliveries 503, which are not kept. */
  refuse(count: number): void
}

export async function catchWebhooks(): Promise<WebhookCatcher> {
  const caught: CaughtWebhook[] = []
  let toRefuse = 0
  const server = createServer((request, response) => {
    void take(request).then((status) => response.writeHead(status).end())
  })

  async function take(request: IncomingMessage): Promise<number> {
    const rawBody = await buffer(request)
    if (toRefuse > 0) {
      toRefuse -= 1
      return 503
    }
    caught.push({ rawBody, headers: headersOf(request.headersDistinct) })
    return 202
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${portOf(server)}/webhooks`,
    caught,
    refuse: (count) => void (toRefuse += count),
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function headersOf(distinct: NodeJS.Dict<string[]>): Record<string, string> {
  return Object.fromEntries(Object.entries(distinct).map(([name, values]) => [name, (values ?? []).join(', ')]))
}
