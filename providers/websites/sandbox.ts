import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { isLargeSite, largePage } from './sandbox-large-sites.ts'
import { aboutPage, contactPage, homePage, traitsOf } from './sandbox-pages.ts'

interface Answer {
  /** `silence`: the connection stays open and nothing is said. */
  reply: Response | 'silence' | 'cut'
}

interface FarmSettings {
  /** Files served as they are, by host: see `serveFolder`. */
  files?: ReadonlyMap<string, string>
  /** Generated pages are padded to this size. */
  pageBytes?: number
  latencyMs?: number
}

/** Key and certificate of the https port, in one file. They are public: see the text in it. */
export const sandboxCertificate: string = readFileSync(new URL('./sandbox-certificate.pem', import.meta.url), 'utf8')

/**
 * The web as a reader of small business sites meets it. Every host under .test is a business with a home page that follows from its
 * name; hosts with telling names misbehave (`hangs.test` and `hangs-2.test` never answer), `large-...` have pages of real size, `bounce-...`
 * and the like an e-mail address that bounces; hosts of a folder show their file.
 */
export function createWebsitesSandbox({ files = new Map(), pageBytes = 0, latencyMs = 0 }: FarmSettings = {}) {
  return {
    provider: 'websites',
    operations: ['read'],
    operation: () => 'read',

    async handle(request: Request): Promise<Answer> {
      const url = new URL(request.url)
      if (latencyMs > 0) await wait(latencyMs, undefined, { ref: false })

      const file = files.get(url.hostname)
      if (file !== undefined) return { reply: await filePage(file, url) }
      if (!url.hostname.endsWith('.test')) return { reply: textPage(421, 'No such site here.') }
      if (isLargeSite(url.hostname)) return { reply: largeSite(url) }
      return { reply: misbehaviourOf(url) ?? businessPage(url, pageBytes) }
    },
  }
}

/**
 * The host that each HTML file of a folder is served under: `07-weebly-salon.html` is `07-weebly-salon.test`. In the order of the
 * file names; throws when two files would share a host.
 */
export async function serveFolder(directory: string): Promise<Map<string, string>> {
  const names = (await readdir(directory)).filter((name) => /\.html?$/i.test(name)).sort()
  const files = new Map<string, string>()
  for (const name of names) {
    const label = name
      .slice(0, -extname(name).length)
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .slice(0, 63)
      .replace(/^-|-$/g, '')
    const host = `${label}.test`
    if (label === '' || files.has(host))
      throw new Error(`${join(directory, name)} has no host name of its own: rename it`)
    files.set(host, join(directory, name))
  }
  return files
}

/** No charset in the header: a file of unknown origin says it in its own bytes, or nowhere. */
async function filePage(file: string, { pathname }: URL): Promise<Response> {
  if (pathname !== '/') return textPage(404, 'Not found')
  return new Response(await readFile(file), { headers: { 'content-type': 'text/html' } })
}

function businessPage(url: URL, pageBytes: number): Response {
  const { protocol, hostname, pathname } = url
  const host = hostname.replace(/^www\./, '')
  const traits = traitsOf(host)
  if (traits.movesToHttps && protocol === 'http:') return redirect(`https://${host}${pathname}`)
  if (traits.movesToWww && hostname === host) return redirect(`${protocol}//www.${host}${pathname}`)
  if (pathname === '/') return htmlPage(200, homePage(host, pageBytes))
  if (pathname === '/contact') return htmlPage(200, contactPage(host))
  if (pathname === '/about' && traits.hasAboutLink) return htmlPage(200, aboutPage(host))
  if (pathname === '/robots.txt') return textPage(200, 'User-agent: *\nAllow: /\n')
  return notFound()
}

function largeSite({ hostname, pathname }: URL): Response {
  if (pathname === '/robots.txt') return textPage(200, 'User-agent: *\nDisallow: /admin/\n')
  const page = largePage(hostname, pathname)
  return page === undefined ? notFound() : htmlPage(200, page)
}

function notFound(): Response {
  return htmlPage(404, '<!doctype html><title>Page not found</title><h1>Page not found</h1>')
}

type Misbehaviour = (url: URL) => Response | 'silence' | 'cut'

const misbehaviours: Record<string, Misbehaviour> = {
  hangs: () => 'silence',
  stalls: () => new Response(stream(['<!doctype html><title>Almost'], 'open'), { headers: html }),
  'cuts-the-line': () => 'cut',
  // A new address each time, so that a reader who only looks for one seen before goes on for ever.
  'redirects-forever': ({ pathname }) => redirect(`/${(Number(pathname.slice(1)) || 0) + 1}`),
  'fifty-megabytes': () => new Response(stream(fiftyMegabytes(), 'closed'), { headers: html }),
  binary: () =>
    new Response(
      new Uint8Array(4096).map((_, index) => (index * 151) % 256),
      { headers: octets },
    ),
  'broken-certificate': ({ protocol, hostname }) =>
    protocol === 'http:' ? redirect(`https://${hostname}/`) : htmlPage(200, homePage(hostname, 0)),
  'private-address': () => redirect('http://10.0.0.1/'),
  'not-found': () => htmlPage(404, '<!doctype html><title>Not found</title><h1>Not found</h1>'),
  'keeps-robots-out': ({ pathname, hostname }) =>
    pathname === '/robots.txt' ? textPage(200, 'User-agent: *\nDisallow: /\n') : htmlPage(200, homePage(hostname, 0)),
  // Its robots.txt is a file that needs no program, as in life.
  'server-error': ({ pathname }) =>
    pathname === '/robots.txt'
      ? textPage(404, 'Not found')
      : htmlPage(500, '<!doctype html><title>Error</title><h1>Internal server error</h1>'),
}

const html = { 'content-type': 'text/html; charset=utf-8' }
const octets = { 'content-type': 'application/octet-stream' }

function misbehaviourOf(url: URL): Response | 'silence' | 'cut' | undefined {
  const label = url.hostname.replace(/^www\./, '').split('.')[0] ?? ''
  const name = Object.keys(misbehaviours).find((known) => label === known || label.startsWith(`${known}-`))
  return name === undefined ? undefined : misbehaviours[name]?.(url)
}

function* fiftyMegabytes(): Generator<string> {
  yield '<!doctype html><title>A very long page</title>'
  const paragraph = '<p>And there is more to say about it.</p>\n'.repeat(1600)
  for (let sent = 0; sent < 50 * 1024 * 1024; sent += paragraph.length) yield paragraph
}

/** Gives a piece whenever the reader has room for one; `open` never says that it has ended. */
function stream(pieces: Iterable<string>, end: 'open' | 'closed'): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.iterator]()
  const encoder = new TextEncoder()
  return new ReadableStream({
    pull(controller) {
      const next = iterator.next()
      if (!next.done) controller.enqueue(encoder.encode(next.value))
      else if (end === 'closed') controller.close()
    },
  })
}

function htmlPage(status: number, body: string): Response {
  return sized(status, body, html)
}

function textPage(status: number, body: string): Response {
  return sized(status, body, { 'content-type': 'text/plain; charset=utf-8' })
}

function sized(status: number, body: string, headers: Record<string, string>): Response {
  return new Response(body, { status, headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) } })
}

/** Not Response.redirect, which wants a whole address. */
function redirect(location: string): Response {
  return new Response(null, { status: 301, headers: { location } })
}
