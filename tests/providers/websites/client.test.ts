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
  const [read] = await reader.read('http://bakery.test/menu?day=1', never)
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
  await expect(reader.read('bakery.test', never)).resolves.toMatchObject([{ url: 'https://bakery.test/' }])
})

test('a bare name whose certificate is broken is read over HTTP, but not when HTTPS was asked for', async () => {
  const secure = await startTlsSite(page)
  const plain = await startSite(page)
  const testHosts = { http: `http://${plain}`, https: `https://${secure}` }
  const reader = createSiteReader({ allowAddresses: [secure, plain], testHosts })
  await expect(reader.read('bakery.test', never)).resolves.toMatchObject([{ url: 'http://bakery.test/' }])
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
  await expect(reader.read(place, never)).resolves.toMatchObject([{ url: `http://${place}/` }])
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
  await expect(reader.read('http://bakery.test/5', never)).resolves.toMatchObject([{ url: 'http://bakery.test/0' }])
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

test('a site is not found slow or broken for what happened while this process stood still', async () => {
  const timeoutMs = 200
  const standStill = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * timeoutMs)
  let visits = 0
  const answersMeanwhile = await startSite((request, response) => {
    page(request, response)
    standStill()
  })
  const hangsUpMeanwhile = await startSite((request, response) => {
    visits += 1
    if (visits > 1) return page(request, response)
    standStill()
    request.socket.destroy()
  })
  for (const place of [answersMeanwhile, hangsUpMeanwhile]) {
    const [home] = await readerOf(place, { timeoutMs }).read('http://bakery.test/', never)
    expect(home.html).toBe('<title>Bakery</title>')
  }
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
  expect(pages.map(([{ url }]) => url.at(-1))).toEqual(['a', 'b', 'c', 'd'])
  expect(most).toBe(1)
})

test('a whole site is read over one connection, which is closed in the end', async () => {
  const asked: string[] = []
  const closed = new Map<unknown, Promise<unknown>>()
  const listen: RequestListener = (request, response) => {
    asked.push(request.url ?? '')
    if (!closed.has(request.socket)) closed.set(request.socket, once(request.socket, 'close'))
    if (request.url === '/') response.writeHead(302, { location: '/home' }).end('moved')
    else page(request, response)
  }
  const place = await startSite(listen, (request, response) => {
    listen(request, response.setHeader('x', 'y'))
  })
  const pages = await readerOf(place).read('http://bakery.test/', never, () => [
    '/contact',
    'http://www.bakery.test/about',
  ])
  expect(pages.map(({ url }) => url)).toEqual([
    'http://bakery.test/home',
    'http://bakery.test/contact',
    'http://www.bakery.test/about',
  ])
  expect(asked).toEqual(['/robots.txt', '/', '/home', '/contact', '/robots.txt', '/about'])
  await Promise.all(closed.values())
  expect(closed.size).toBe(2) // www is a host of its own
})

test('three pages of a site are read at most, each once, and only its own', async () => {
  const place = await startSite((request, response) => {
    const to = { '/away': 'http://butcher.test/', '/back': '/' }[request.url ?? '']
    if (to) response.writeHead(302, { location: to }).end()
    else page(request, response)
  })
  const read = async (...places: string[]) => {
    const pages = await readerOf(place).read('http://bakery.test/', never, () => places)
    return pages.map(({ url }) => new URL(url).pathname)
  }
  expect(await read('/a', '/b', '/c')).toEqual(['/', '/a', '/b'])
  expect(await read('/away', '/a')).toEqual(['/', '/a'])
  expect(await read('/back', '/a')).toEqual(['/', '/a'])
  expect(await read('http://name:secret@bakery.test/a', 'ftp://bakery.test/a')).toEqual(['/'])
})

test('a further page that cannot be read, or not in time, is left out', async () => {
  const place = await startSite((request, response) => {
    if (request.url === '/gone') response.writeHead(404).end('gone')
    else if (request.url !== '/silent') page(request, response)
  })
  const reader = readerOf(place, { timeoutMs: 300 })
  const pages = await reader.read('http://bakery.test/', never, () => ['/gone', '/silent'])
  expect(pages).toMatchObject([{ url: 'http://bakery.test/' }])
})

test('an abort while further pages are read rejects as any other', async () => {
  const reason = new Error('the worker stops')
  const controller = new AbortController()
  const place = await startSite((request, response) => {
    if (request.url === '/about') controller.abort(reason)
    else page(request, response)
  })
  const read = readerOf(place).read('http://bakery.test/', controller.signal, () => ['/about'])
  await expect(read).rejects.toBe(reason)
})

test('a connection that its site closes between two pages is opened again', async () => {
  const place = await startSite((request, response) => {
    response.on('finish', () => request.socket.destroy())
    page(request, response)
  })
  const pages = await readerOf(place).read('http://bakery.test/', never, () => ['/a', '/b'])
  expect(pages).toHaveLength(3)
})

const robots = (text: string): RequestListener => {
  return (_request, response) => response.setHeader('content-type', 'text/plain').end(text)
}

test('a site that keeps robots out is not read', async () => {
  const asked: (string | undefined)[] = []
  const place = await startSite((request, response) => {
    asked.push(request.url)
    page(request, response)
  }, robots('User-agent: *\nDisallow: /private\n\nUser-agent: throughlinebot\nDisallow: /\nAllow: /$'))
  const reader = readerOf(place)
  await expect(reader.read('http://bakery.test/menu', never)).rejects.toMatchObject({ code: 'robots_disallowed' })
  expect(asked).toEqual([])
  await expect(reader.read('http://bakery.test/', never, () => ['/about'])).resolves.toHaveLength(1)
  expect(asked).toEqual(['/'])
  const other = readerOf(place, { userAgent: 'OtherBot/1' })
  await expect(other.read('http://bakery.test/menu', never)).resolves.toHaveLength(1)
})

test('a robots.txt that fails forbids everything, one that is not there nothing', async () => {
  const failing = await startSite(page, (_request, response) => response.writeHead(503).end())
  const failure = { code: 'robots_disallowed', detail: '503' }
  await expect(readerOf(failing).read('http://bakery.test/', never)).rejects.toMatchObject(failure)
  const forbidden = await startSite(page, (_request, response) => response.writeHead(403).end())
  await expect(readerOf(forbidden).read('http://bakery.test/', never)).resolves.toHaveLength(1)
})

test.each<[string, RequestListener]>([
  ['lies elsewhere', (_request, response) => response.writeHead(301, { location: '/rules.txt' }).end()],
  [
    'lies on another host',
    (_request, response) => response.writeHead(301, { location: 'http://www.bakery.test/rules.txt' }).end(),
  ],
])('a robots.txt that %s counts', async (_name, moved) => {
  const place = await startSite((request, response) => {
    if (request.url === '/rules.txt') robots('User-agent: *\nDisallow: /')(request, response)
    else page(request, response)
  }, moved)
  await expect(readerOf(place).read('http://bakery.test/', never)).rejects.toMatchObject({ code: 'robots_disallowed' })
})

test.each<[string, RequestListener]>([
  ['without end', (_request, response) => response.end('User-agent: *\n'.repeat(100_000))],
  ['that leads in circles', (_request, response) => response.writeHead(302, { location: '/robots.txt' }).end()],
  ['that is none', (_request, response) => response.setHeader('content-type', 'text/html').end('<p>Hello</p>')],
  ['that cannot be unpacked', (_request, response) => response.setHeader('content-encoding', 'gzip').end('hello')],
])('a robots.txt %s does no harm', async (_name, answer) => {
  const place = await startSite(page, answer)
  await expect(readerOf(place).read('http://bakery.test/', never)).resolves.toHaveLength(1)
})
