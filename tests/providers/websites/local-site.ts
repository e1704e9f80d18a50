import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Server } from 'node:net'
import { onTestFinished } from 'vitest'

/** Key and certificate for bakery.test and 127.0.0.1, which nobody vouches for. */
export const selfSigned: string = readFileSync(new URL('../../fixtures/self-signed.pem', import.meta.url), 'utf8')

/** A web server on 127.0.0.1 that lives as long as the test that starts it. Without `robots`, it has no robots.txt. */
export function startSite(answer: RequestListener, robots?: RequestListener): Promise<string> {
  return listen(createServer(withRobots(answer, robots)))
}

export function startTlsSite(answer: RequestListener): Promise<string> {
  return listen(createTlsServer({ key: selfSigned, cert: selfSigned }, withRobots(answer)))
}

const none: RequestListener = (_request, response) => response.writeHead(404).end()

function withRobots(answer: RequestListener, robots = none): RequestListener {
  return (request, response) => (request.url === '/robots.txt' ? robots : answer)(request, response)
}

/** Resolves to the server's host:port. */
async function listen(server: Server & { closeAllConnections(): void }): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a server on a port has an address')
  return `${address.address}:${address.port}`
}
