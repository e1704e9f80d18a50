import { promises as dns } from 'node:dns'
import { Client } from 'undici'
import { SiteFailure, type SitePage, type SiteReader } from '../../activities/ports.ts'
import { type AddressLookup, bareHost, createAddressGuard, type Endpoint, parseEndpoint } from './addresses.ts'
import { createConnector } from './connection.ts'
import { readHtml, tooLarge } from './html.ts'
import { createTurns, untilAborted } from './turns.ts'

export interface SiteReaderSettings {
  /** `host:port`, the host a name or an address: opened although it is private or on another port. */
  allowAddresses: readonly string[]
  /** Where names under the reserved top-level domain .test are connected to; that place must be among `allowAddresses`. */
  testHosts?: { http: string; https?: string; ca?: string }
  /** Says who reads, and where to complain. */
  userAgent?: string
  /** For everything a website takes: look-ups, redirects, the page. */
  timeoutMs?: number
  /** Of the page once unpacked. */
  maxBytes?: number
  lookup?: AddressLookup
}

const mostRedirects = 5
const longestUrl = 2_048

/**
 * Reads strangers' websites without becoming their way into private networks: every address is checked and then connected to
 * as checked, on each redirect anew. Holds nothing between two calls, and at most one connection to a host at a time.
 */
export function createSiteReader({
  allowAddresses,
  testHosts,
  userAgent = 'ThroughlineBot/0.1',
  timeoutMs = 10_000,
  maxBytes = 2_000_000,
  lookup = lookupAll,
}: SiteReaderSettings): SiteReader {
  const permittedAddresses = createAddressGuard(allowAddresses, lookup)
  const inTurn = createTurns()

  return {
    async read(website, signal) {
      signal.throwIfAborted()
      const deadline = new AbortController()
      const timer = setTimeout(() => deadline.abort(), timeoutMs)
      try {
        return await follow(website, AbortSignal.any([signal, deadline.signal]))
      } catch (error) {
        if (signal.aborted) throw signal.reason
        throw deadline.signal.aborted ? new SiteFailure('timeout') : error
      } finally {
        clearTimeout(timer)
      }
    },
  }

  async function follow(website: string, signal: AbortSignal): Promise<SitePage> {
    let answer = await askFirst(website, signal)
    for (let redirects = 0; answer instanceof URL; redirects += 1) {
      if (redirects === mostRedirects) throw new SiteFailure('too_many_redirects')
      answer = await ask(answer, signal)
    }
    return answer
  }

  // A website given as a bare name is asked over HTTPS, and over HTTP if nobody answers there.
  async function askFirst(website: string, signal: AbortSignal): Promise<SitePage | URL> {
    const text = website.trim()
    if (/^[a-z][a-z\d+.-]*:\/\//i.test(text)) return ask(parseUrl(text), signal)
    try {
      return await ask(parseUrl(`https://${text}`), signal, timeoutMs / 3)
    } catch (unanswered) {
      if (!isUnanswered(unanswered)) throw unanswered
      try {
        return await ask(parseUrl(`http://${text}`), signal)
      } catch (error) {
        throw error instanceof SiteFailure && error.code === 'connection_failed' ? unanswered : error
      }
    }
  }

  function ask(url: URL, signal: AbortSignal, connectTimeoutMs?: number): Promise<SitePage | URL> {
    return inTurn(url.host, signal, async () => {
      const { host, port, ca } = route(url, testHosts)
      const addresses = await untilAborted(permittedAddresses({ host, port }), signal)
      const connect = createConnector({ addresses, port, timeoutMs: connectTimeoutMs, ca }, signal)
      // The signal bounds the time of everything; undici's own timers would only outlive it.
      const limits = { headersTimeout: 0, bodyTimeout: 0, maxHeaderSize: 65_536, maxResponseSize: maxBytes }
      const client = new Client(url.origin, { connect, ...limits })
      try {
        return await get(client, url, signal)
      } catch (error) {
        throw siteFailure(error)
      } finally {
        await client.destroy()
      }
    })
  }

  async function get(client: Client, url: URL, signal: AbortSignal): Promise<SitePage | URL> {
    const askedAt = performance.now()
    const { statusCode, headers, body } = await client.request({
      method: 'GET',
      path: `${url.pathname}${url.search}`,
      headers: {
        'user-agent': userAgent,
        accept: 'text/html,application/xhtml+xml',
        'accept-encoding': 'gzip, br',
      },
      signal,
    })
    const responseMs = Math.round(performance.now() - askedAt)
    // A body that nobody reads ends with its connection, as an error that nobody needs to hear.
    body.on('error', () => {})
    const { location } = headers
    if (statusCode >= 300 && statusCode < 400 && typeof location === 'string') return parseUrl(location, url)
    if (statusCode < 200 || statusCode >= 300) throw new SiteFailure('http_status', String(statusCode))
    return { url: url.href, html: await readHtml(headers, body, maxBytes), responseMs }
  }
}

function lookupAll(hostname: string) {
  return dns.lookup(hostname, { all: true })
}

/** Throws SiteFailure unless it is a web address that gives nothing away. */
function parseUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base?.href)
  if (url === null || url.href.length > longestUrl) throw new SiteFailure('invalid_url')
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new SiteFailure('invalid_url', 'scheme')
  if (url.username !== '' || url.password !== '') throw new SiteFailure('invalid_url', 'credentials')
  return url
}

/** Where a URL is connected to: its own host and port, or for names under .test the place that plays them. */
function route(url: URL, testHosts: SiteReaderSettings['testHosts']): Endpoint & { ca: string | undefined } {
  const host = bareHost(url.hostname)
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
  if (testHosts === undefined || !host.endsWith('.test') || url.port !== '') return { host, port, ca: undefined }
  const place = url.protocol === 'https:' ? testHosts.https : testHosts.http
  if (place === undefined) throw new SiteFailure('connection_failed', 'no https for .test')
  return { ...parseEndpoint(place), ca: testHosts.ca }
}

function isUnanswered(error: unknown): boolean {
  return error instanceof SiteFailure && (error.code === 'connection_failed' || error.code === 'bad_certificate')
}

/** What the network and its libraries report by code becomes ours; anything without one is a bug and stays what it is. */
function siteFailure(error: unknown): unknown {
  if (error instanceof SiteFailure || !(error instanceof Error)) return error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  if (code === undefined) return error
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return tooLarge()
  if (/^(?:Z_|ERR__|ERR_BR)/.test(code)) return new SiteFailure('not_html', 'broken compression')
  if (code === 'ENETUNREACH' || code === 'ENETDOWN') return new SiteFailure('network_unreachable', code)
  return new SiteFailure('connection_failed', code)
}
