import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { pipeline } from 'node:stream/promises'
import type { TenantAnswer } from './tenant.ts'

/** Answers a request, or says how the caller is left without an answer. */
export type Handler = (request: Request) => Promise<TenantAnswer['reply']>

export interface WebServer {
  port: number
  close(): Promise<void>
}

export interface Listening {
  /** What the server is for, in the message when its port is taken. */
  name: string
  /** 0 for any that is free. */
  port: number
  /** A PEM file with key and certificate makes it an https server. */
  certificate?: string
}

/** Serves `handler` on a port of this machine alone; web-standard requests and answers, streams included. */
export async function listen({ name, port, certificate }: Listening, handler: Handler): Promise<WebServer> {
  const protocol = certificate === undefined ? 'http' : 'https'
  const listener: RequestListener = (incoming, outgoing) => void converse(handler, protocol, incoming, outgoing)
  const server =
    certificate === undefined
      ? createServer(listener)
      : createTlsServer({ key: certificate, cert: certificate }, listener)
  // Longer than any caller keeps an idle connection, so that none is closed just as its next request leaves.
  server.keepAliveTimeout = 120_000

  await bind(server, port, name)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error(`the sandbox's ${name} has no port`)
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function bind(server: Server, port: number, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE' ? new Error(`port ${port}, wanted for the sandbox's ${name}, is in use`) : error,
      )
    })
    server.listen(port, '127.0.0.1', resolve)
  })
}

async function converse(handler: Handler, protocol: string, incoming: IncomingMessage, outgoing: ServerResponse) {
  let reply: TenantAnswer['reply']
  try {
    reply = await handler(await webRequest(incoming, protocol))
  } catch (error) {
    reply = Response.json({ error: String(error) }, { status: 500 })
  }
  if (reply === 'silence') return
  if (reply === 'cut') return cut(incoming)
  await send(reply, outgoing)
}

async function webRequest(incoming: IncomingMessage, protocol: string): Promise<Request> {
  const { method = 'GET', url = '/' } = incoming
  const address = url.startsWith('/') ? `${protocol}://${incoming.headers.host ?? 'sandbox'}${url}` : url
  const headers = new Headers()
  for (const [name, values] of Object.entries(incoming.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value)
  }
  if (method === 'GET' || method === 'HEAD') return new Request(address, { method, headers })
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(Buffer.from(chunk))
  return new Request(address, { method, headers, body: Buffer.concat(chunks) })
}

async function send(response: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.statusCode = response.status
  outgoing.setHeaders(response.headers)
  if (response.body === null) return void outgoing.end()
  // Callers hang up as they please; a stream without end would otherwise be made for nobody.
  await pipeline(response.body, outgoing).catch(() => outgoing.destroy())
}

/** An encrypted connection cannot be reset, only closed. */
function cut({ socket }: IncomingMessage): void {
  if ('encrypted' in socket) socket.destroy()
  else socket.resetAndDestroy()
}
