import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { createSiteReader } from '../../../providers/websites/client.ts'
import { selfSigned, startSite, startTlsSite } from './local-site.ts'

const never = new AbortController().signal
const page: RequestListener = (_request, response) => {
  response.setHeader('content-type', 'text/html').end('<title>Bakery</title>')
}

const knowNobody = () => Promise.reject(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }))

/** A reader that is let into one place, where all names under .test live. */
function readerOf(place: string, settings: Partial<Parameters<typeof createSiteReader>[0]> = {}) {
  return createSiteReader({ allowAddresses: [place], testHosts: { http: `http://${place}` }, ...settings })
}

test('a site under .test is connected to where tests live, under its own name', async () => {
  const hosts: (string | undefined)[] = []
  const agents: (string | undefined)[] = []
  const place = await startSite((request, response) => {
    hosts.push(request.headers.host)
    agents.push(request.headers['user-agent'])
    page(request, response)
  })
  const reader = readerOf(place, { userAgent: 'ThroughlineBot/0.1 (+https://example.com/bot)' })
  const read = await reader.read('http://bakery.test/menu?day=1', never)
  expect(read).toMatchObject({ url: 'http://bakery.test/menu?day=1', html: '<title>Bakery</title>' })
  expect(read.responseMs).toBeGreaterThanOrEqual(0)
  expect(hosts).toEqual(['bakery.test'])
  expect(agents).toEqual(['ThroughlineBot/0.1 (+https://example.com/bot)'])
})

test('where .test lives must be allowed like any other place', async () => {
  const place = await startSite(page)
  const reader = readerOf(place, { allowAddresses: [] })
  await expect(reader.read('http://bakery.test/', never)).rejects.toMatchObject({ code: 'port_not_allowed' })
})

test('a bare name is read over HTTPS when its certificate is good', async () => {
  const secure = await startTlsSite(page)
  const plain = await startSite(page)
  const testHosts = { http: `http://${plain}`, https: `https://${secure}`, ca: selfSigned }
  const reader = createSiteReader({ allowAddresses: [secure, plain], testHosts })
  await expect(reader.read('bakery.test', never)).resolves.toMatchObject({ url: 'https://bakery.test/' })
})

test('a bare name whose certificate is broken is read over HTTP, but not when HTTPS was asked for', async () => {
  const secure = await startTlsSite(page)
  const plain = await startSite(page)
  const testHosts = { http: `http://${plain}`, https: `https://${secure}` }
  const reader = createSiteReader({ allowAddresses: [secure, plain], testHosts })
  await expect(reader.read('bakery.test', never)).resolves.toMatchObject({ url: 'http://bakery.test/' })
  await expect(reader.read('https://bakery.test/', never)).rejects.toMatchObject({ code: 'bad_certificate' })
})

test('a certificate for another name is a broken one', async () => {
  const secure = await startTlsSite(page)
  const testHosts = { http: `http://${secure}`, https: `https://${secure}`, ca: selfSigned }
  const reader = createSiteReader({ allowAddresses: [secure], testHosts })
  await expect(reader.read('https://butcher.test/', never)).rejects.toMatchObject({ code: 'bad_certificate' })
})

test('a bare name is read over HTTP where nothing speaks TLS', async () => {
  const place = await startSite(page)
  const reader = readerOf(place)
  await expect(reader.read(place, never)).resolves.toMatchObject({ url: `http://${place}/` })
})

test('a broken certificate is what is told of a site that HTTP does not answer for', async () => {
  const secure = await startTlsSite(page)
  const testHosts = { http: 'http://127.0.0.1:9', https: `https://${secure}` }
  const reader = createSiteReader({ allowAddresses: [secure, '127.0.0.1:9'], testHosts })
  await expect(reader.read('bakery.test', never)).rejects.toMatchObject({ code: 'bad_certificate' })
})

test('redirects are followed to where they end, five at most', async () => {
  let requests = 0
  const place = await startSite((request, response) => {
    requests += 1
    const step = Number(request.url?.slice(1))
    if (step === 0) page(request, response)
    else response.writeHead(301, { location: `/${step - 1}` }).end('moved')
  })
  const reader = readerOf(place)
  await expect(reader.read('http://bakery.test/5', never)).resolves.toMatchObject({ url: 'http://bakery.test/0' })
  requests = 0
  await expect(reader.read('http://bakery.test/1000', never)).rejects.toMatchObject({ code: 'too_many_redirects' })
  expect(requests).toBe(6)
})

test.each([
  ['ftp://bakery.test/', 'scheme'],
  ['javascript://bakery.test/%0aalert(1)', 'scheme'],
  ['http://name:secret@bakery.test/', 'credentials'],
  ['http://', undefined],
  ['no such thing', undefined],
  [`http://bakery.test/${'x'.repeat(2_048)}`, undefined],
])('%s is not a website’s address', async (website, detail) => {
  const place = await startSite(page)
  await expect(readerOf(place).read(website, never)).rejects.toMatchObject({ code: 'invalid_url', detail })
})

test('a redirect is held to the same rules as an address', async () => {
  const place = await startSite((_request, response) => {
    response.writeHead(302, { location: 'http://name:secret@bakery.test/' }).end()
  })
  await expect(readerOf(place).read('http://bakery.test/', never)).rejects.toMatchObject({ code: 'invalid_url' })
})

test.each([404, 403, 500])('status %i is told', async (status) => {
  const place = await startSite((_request, response) => response.writeHead(status).end('sorry'))
  const failure = { code: 'http_status', detail: String(status) }
  await expect(readerOf(place).read('http://bakery.test/', never)).rejects.toMatchObject(failure)
})

test.each<[string, RequestListener]>([
  ['never answers', () => {}],
  [
    'stops in the middle of its page',
    (_request, response) => response.setHeader('content-type', 'text/html').write('<p>'),
  ],
])('a site that %s is given up', async (_name, answer) => {
  const place = await startSite(answer)
  const reader = readerOf(place, { timeoutMs: 100 })
  await expect(reader.read('http://bakery.test/', never)).rejects.toMatchObject({ code: 'timeout' })
})

test('a look-up that never ends is given up', async () => {
  const reader = createSiteReader({ allowAddresses: [], timeoutMs: 50, lookup: () => new Promise(() => {}) })
  await expect(reader.read('http://bakery.example/', never)).rejects.toMatchObject({ code: 'timeout' })
})

test('a name that nobody knows is told from a site that does not answer', async () => {
  const reader = createSiteReader({ allowAddresses: ['127.0.0.1:9'], lookup: knowNobody })
  await expect(reader.read('bakery.example', never)).rejects.toMatchObject({ code: 'dns_not_found' })
  await expect(reader.read('http://127.0.0.1:9/', never)).rejects.toMatchObject({ code: 'connection_failed' })
})

test('an abort rejects with its own reason and ends the connection', async () => {
  const reason = new Error('the worker stops')
  const controller = new AbortController()
  const closed = Promise.withResolvers<void>()
  const place = await startSite((request) => {
    request.socket.once('close', () => closed.resolve())
    controller.abort(reason)
  })
  await expect(readerOf(place).read('http://bakery.test/', controller.signal)).rejects.toBe(reason)
  await closed.promise
  await expect(readerOf(place).read('http://bakery.test/', controller.signal)).rejects.toBe(reason)
})

test('a page without end is left as soon as it is too large', async () => {
  let sent = 0
  const left = Promise.withResolvers<void>()
  const place = await startSite((_request, response) => {
    response.setHeader('content-type', 'text/html').once('close', () => left.resolve())
    const piece = Buffer.alloc(65_536, 'x')
    const send = () => {
      do sent += piece.length
      while (response.write(piece))
      response.once('drain', send)
    }
    send()
  })
  const reader = readerOf(place, { maxBytes: 100_000 })
  await expect(reader.read('http://bakery.test/', never)).rejects.toMatchObject({ code: 'too_large' })
  await left.promise
  expect(sent).toBeLessThan(50_000_000)
})

test('a page that announces too much is refused unread', async () => {
  const place = await startSite((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html', 'content-length': 50_000_000 }).write('<p>')
  })
  const failure = { code: 'too_large', detail: '50000000 bytes' }
  await expect(readerOf(place).read('http://bakery.test/', never)).rejects.toMatchObject(failure)
})

test.each([
  ['gzip', gzipSync],
  ['br', brotliCompressSync],
])('a bomb packed with %s does not go off', async (encoding, pack) => {
  const bomb = pack(Buffer.alloc(20_000_000, ' '))
  const place = await startSite((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html', 'content-encoding': encoding }).end(bomb)
  })
  expect(bomb.length).toBeLessThan(50_000)
  const reader = readerOf(place, { maxBytes: 50_000 })
  await expect(reader.read('http://bakery.test/', never)).rejects.toMatchObject({ code: 'too_large' })
})

test('nobody is asked for two pages at a time', async () => {
  let open = 0
  let most = 0
  const place = await startSite((request, response) => {
    open += 1
    most = Math.max(most, open)
    setImmediate(() => {
      open -= 1
      page(request, response)
    })
  })
  const reader = readerOf(place)
  const pages = await Promise.all(['a', 'b', 'c', 'd'].map((path) => reader.read(`http://bakery.test/${path}`, never)))
  expect(pages.map(({ url }) => url.at(-1))).toEqual(['a', 'b', 'c', 'd'])
  expect(most).toBe(1)
})

test('every connection is closed once a site is read', async () => {
  const closed: Promise<unknown>[] = []
  const place = await startSite((request, response) => {
    closed.push(once(request.socket, 'close'))
    if (request.url === '/') response.writeHead(302, { location: '/home' }).end()
    else page(request, response)
  })
  await readerOf(place).read('http://bakery.test/', never)
  await Promise.all(closed)
  expect(closed).toHaveLength(2)
})
