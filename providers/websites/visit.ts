import { Client, type Dispatcher } from 'undici'
import { SiteFailure } from '../../activities/ports.ts'
import { bareHost, type createAddressGuard, type Endpoint, parseEndpoint } from './addresses.ts'
import { createConnector } from './connection.ts'
import { tooLarge } from './html.ts'
import { type createTurns, untilAborted } from './turns.ts'

export interface TestHosts {
  http: string
  https?: string
  ca?: string
}

interface VisitSettings {
  permittedAddresses: ReturnType<typeof createAddressGuard>
  takeTurn: ReturnType<typeof createTurns>
  testHosts: TestHosts | undefined
  userAgent: string
  maxBytes: number
}

interface Connection {
  origin: string
  client: Client
  leave: () => void
  hasAnswered: boolean
}

/** An answer whose body has to be read, or dropped by `passOver`, before the next request. */
export type SiteAnswer = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers' | 'body'> & { responseMs: number }

/**
 * One reader's way through a site: one connection at a time, kept open for as long as the visit stays at one origin. Every connection
 * has its turn among all visits to the host, and its addresses are checked anew.
 */
export function createVisit(settings: VisitSettings, signal: AbortSignal) {
  let current: Connection | null = null

  return { get, close }

  async function get(url: URL, accept: string, connectTimeoutMs?: number): Promise<SiteAnswer> {
    if (current?.origin !== url.origin) await close()
    const connection = (current ??= await open(url, connectTimeoutMs))
    try {
      return await ask(connection, url, accept)
    } catch (error) {
      throw siteFailure(error)
    }
  }

  async function ask(connection: Connection, url: URL, accept: string): Promise<SiteAnswer> {
    const { client, hasAnswered } = connection
    const headers = { 'user-agent': settings.userAgent, accept, 'accept-encoding': 'gzip, br' }
    const askedAt = performance.now()
    try {
      const path = `${url.pathname}${url.search}`
      const { statusCode, headers: told, body } = await client.request({ method: 'GET', path, headers, signal })
      // A body that nobody reads ends with its connection, as an error that nobody needs to hear.
      body.on('error', () => {})
      connection.hasAnswered = true
      return { statusCode, headers: told, body, responseMs: Math.round(performance.now() - askedAt) }
    } catch (error) {
      // Servers may close an idle connection just when it is used again: that says nothing about the page.
      if (!hasAnswered || !isLostConnection(error)) throw error
      connection.hasAnswered = false
      return ask(connection, url, accept)
    }
  }

  async function open(url: URL, timeoutMs: number | undefined): Promise<Connection> {
    const leave = await settings.takeTurn(url.host, signal)
    try {
      const { host, port, ca } = route(url, settings.testHosts)
      const addresses = await untilAborted(settings.permittedAddresses({ host, port }), signal)
      const connect = createConnector({ addresses, port, timeoutMs, ca }, signal)
      // The signal bounds the time of everything; undici's own timers would only outlive it.
      const limits = { headersTimeout: 0, bodyTimeout: 0, maxHeaderSize: 65_536, maxResponseSize: settings.maxBytes }
      return { origin: url.origin, client: new Client(url.origin, { connect, ...limits }), leave, hasAnswered: false }
    } catch (error) {
      leave()
      throw error
    }
  }

  async function close(): Promise<void> {
    const closing = current
    current = null
    if (!closing) return
    try {
      await closing.client.destroy()
    } finally {
      closing.leave()
    }
  }
}

/** Drops a body, so that the connection can be used again if it is short. */
export async function passOver({ body }: SiteAnswer): Promise<void> {
  await body.dump({ limit: 16_384 }).catch(() => {})
}

/** Where a URL is connected to: its own host and port, or for names under .test the place that plays them. */
function route(url: URL, testHosts: TestHosts | undefined): Endpoint & { ca: string | undefined } {
  const host = bareHost(url.hostname)
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
  if (testHosts === undefined || !host.endsWith('.test') || url.port !== '') return { host, port, ca: undefined }
  const place = url.protocol === 'https:' ? testHosts.https : testHosts.http
  if (place === undefined) throw new SiteFailure('connection_failed', 'no https for .test')
  return { ...parseEndpoint(place), ca: testHosts.ca }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function isLostConnection(error: unknown): boolean {
  return /^(?:UND_ERR_SOCKET|ECONNRESET|EPIPE)$/.test(codeOf(error) ?? '')
}

/** What the network and its libraries report by code becomes ours; anything without one is a bug and stays what it is. */
export function siteFailure(error: unknown): unknown {
  const code = codeOf(error)
  if (error instanceof SiteFailure || code === undefined) return error
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return tooLarge()
  if (/^(?:Z_|ERR__|ERR_BR)/.test(code)) return new SiteFailure('not_html', 'broken compression')
  if (code === 'ENETUNREACH' || code === 'ENETDOWN') return new SiteFailure('network_unreachable', code)
  return new SiteFailure('connection_failed', code)
}
