import { promises as dns } from 'node:dns'
import { SiteFailure, type SitePage, type SiteReader } from '../../activities/ports.ts'
import { type AddressLookup, bareHost, createAddressGuard } from './addresses.ts'
import { createDeadline } from './deadline.ts'
import { readHtml, readStart } from './html.ts'
import { noRobots, parseRobots, type Robots } from './robots.ts'
import { createTurns } from './turns.ts'
import { createVisit, passOver, siteFailure, type TestHosts } from './visit.ts'

export interface SiteReaderSettings {
  /** `host:port`, the host a name or an address: opened although it is private or on another port. */
  allowAddresses: readonly string[]
  /** Where names under the reserved top-level domain .test are connected to; that place must be among `allowAddresses`. */
  testHosts?: TestHosts
  /** Says who reads, and where to complain; what stands before the slash is the name that robots.txt knows us by. */
  userAgent?: string
  /** For everything a website takes: look-ups, redirects, all its pages. */
  timeoutMs?: number
  /** Of a page once unpacked. */
  maxBytes?: number
  lookup?: AddressLookup
}

const mostRedirects = 5
const mostPages = 3
const longestUrl = 2_048
/** What RFC 9309 asks readers of robots.txt to read at least; what comes after is ignored. */
const robotsBytes = 512_000
const htmlTypes = 'text/html,application/xhtml+xml'

type Visit = ReturnType<typeof createVisit>

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
  const takeTurn = createTurns()
  const productToken = userAgent.split('/')[0] ?? userAgent

  return {
    async read(website, signal, choose = () => []) {
      for (let attempt = 1; ; attempt += 1) {
        signal.throwIfAborted()
        const deadline = createDeadline(timeoutMs)
        const either = AbortSignal.any([signal, deadline.signal])
        const visit = createVisit({ permittedAddresses, takeTurn, testHosts, userAgent, maxBytes }, either)
        try {
          const robots = new Map<string, Robots>()
          const home = await readHome(website, visit, robots)
          const further = await readFurther(home, choose(home), visit, robots, either)
          signal.throwIfAborted()
          return [home, ...further]
        } catch (error) {
          if (signal.aborted) throw signal.reason
          const failure = deadline.signal.aborted ? new SiteFailure('timeout') : error
          // It may have answered while this process stood still, and hung up since: then it is asked again, once.
          if (attempt === 2 || !deadline.hasStoodStill()) throw failure
        } finally {
          deadline.clear()
          await visit.close()
        }
      }
    },
  }

  // A website given as a bare name is asked over HTTPS, and over HTTP if nobody answers there.
  async function readHome(website: string, visit: Visit, robots: Map<string, Robots>): Promise<SitePage> {
    const text = website.trim()
    if (/^[a-z][a-z\d+.-]*:\/\//i.test(text)) return follow(await ask(parseUrl(text), visit, robots), visit, robots)
    let answer: SitePage | URL
    try {
      answer = await ask(parseUrl(`https://${text}`), visit, robots, timeoutMs / 3)
    } catch (unanswered) {
      if (!isUnanswered(unanswered)) throw unanswered
      try {
        answer = await ask(parseUrl(`http://${text}`), visit, robots)
      } catch (error) {
        throw error instanceof SiteFailure && error.code === 'connection_failed' ? unanswered : error
      }
    }
    return follow(answer, visit, robots)
  }

  /** Follows redirects to a page, and with `home` nowhere but within its site. */
  async function follow(first: SitePage | URL, visit: Visit, robots: Map<string, Robots>, home?: SitePage) {
    let answer = first
    for (let redirects = 0; answer instanceof URL; redirects += 1) {
      if (redirects === mostRedirects) throw new SiteFailure('too_many_redirects')
      if (home && !isSameSite(answer, home)) throw new SiteFailure('invalid_url', 'another site')
      answer = await ask(answer, visit, robots)
    }
    return answer
  }

  /** The chosen pages that can be read in the time that is left. */
  async function readFurther(
    home: SitePage,
    chosen: readonly string[],
    visit: Visit,
    robots: Map<string, Robots>,
    signal: AbortSignal,
  ): Promise<SitePage[]> {
    const pages: SitePage[] = []
    for (const place of chosen.slice(0, mostPages - 1)) {
      try {
        const page = await follow(parseUrl(place, home.url), visit, robots, home)
        if ([home, ...pages].every(({ url }) => url !== page.url)) pages.push(page)
      } catch (error) {
        if (!(error instanceof SiteFailure) && !signal.aborted) throw error
        if (signal.aborted) break
      }
    }
    return pages
  }

  async function ask(
    url: URL,
    visit: Visit,
    robots: Map<string, Robots>,
    connectTimeoutMs?: number,
  ): Promise<SitePage | URL> {
    const known = robots.get(url.origin) ?? (await readRobots(url, visit, connectTimeoutMs))
    robots.set(url.origin, known)
    if (!known.allows(url)) throw new SiteFailure('robots_disallowed')
    const answer = await visit.get(url, htmlTypes, connectTimeoutMs)
    const { statusCode, headers, body, responseMs } = answer
    const { location } = headers
    if (statusCode >= 200 && statusCode < 300) {
      return { url: url.href, html: await told(readHtml(headers, body, maxBytes)), responseMs }
    }
    await passOver(answer)
    if (statusCode < 400 && typeof location === 'string') return parseUrl(location, url.href)
    throw new SiteFailure('http_status', String(statusCode))
  }

  /** As RFC 9309 has it: a site without a robots.txt may be read, one that fails to show it may not. */
  async function readRobots(url: URL, visit: Visit, connectTimeoutMs?: number): Promise<Robots> {
    let place: URL | null = new URL('/robots.txt', url)
    for (let redirects = 0; place && redirects <= mostRedirects; redirects += 1) {
      const answer = await visit.get(place, 'text/plain', connectTimeoutMs)
      const { statusCode, headers, body } = answer
      if (statusCode >= 200 && statusCode < 300) {
        return parseRobots(await told(readStart(headers, body, robotsBytes)), productToken)
      }
      await passOver(answer)
      if (statusCode >= 500) throw new SiteFailure('robots_disallowed', String(statusCode))
      if (statusCode >= 400 || typeof headers.location !== 'string') return noRobots
      place = URL.parse(headers.location, place.href)
      if (place && !/^https?:$/.test(place.protocol)) return noRobots
    }
    return noRobots
  }
}

/** A body read to its end, or why it could not be. */
function told(text: Promise<string>): Promise<string> {
  return text.catch((error: unknown) => Promise.reject(siteFailure(error)))
}

function lookupAll(hostname: string) {
  return dns.lookup(hostname, { all: true })
}

/** Throws SiteFailure unless it is a web address that gives nothing away. */
function parseUrl(text: string, base?: string): URL {
  const url = URL.parse(text, base)
  if (url === null || url.href.length > longestUrl) throw new SiteFailure('invalid_url')
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new SiteFailure('invalid_url', 'scheme')
  if (url.username !== '' || url.password !== '') throw new SiteFailure('invalid_url', 'credentials')
  return url
}

function isSameSite(url: URL, home: SitePage): boolean {
  const site = ({ hostname }: URL) => bareHost(hostname).replace(/^www\./, '')
  return site(url) === site(new URL(home.url))
}

function isUnanswered(error: unknown): boolean {
  return error instanceof SiteFailure && (error.code === 'connection_failed' || error.code === 'bad_certificate')
}
