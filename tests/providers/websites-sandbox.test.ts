import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { contactPages } from '../../activities/analysis/further-pages.ts'
import { analyseSite } from '../../activities/analysis/site.ts'
import { createSiteReader } from '../../providers/websites/client.ts'
import { serveFolder } from '../../providers/websites/sandbox.ts'
import { startTestSandbox, type TestSandbox } from '../support/sandbox.ts'

const salon = Buffer.from('<title>Caf\xe9</title>', 'latin1')
let folder: string
let sandbox: TestSandbox

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'throughline-sites-'))
  await writeFile(join(folder, '07-weebly-salon.html'), salon)
  await writeFile(join(folder, 'labels.json'), '{}')
  sandbox = await startTestSandbox({ websites: { files: await serveFolder(folder), pageBytes: 60_000 } })
})
afterAll(async () => {
  await sandbox.close()
  await rm(folder, { recursive: true })
})

/** Connects to the farm whatever the host, as a reader of websites in the sandbox does. */
async function get(url: string) {
  const { protocol, pathname, host } = new URL(url)
  const farm = protocol === 'http:' ? sandbox.urls.sites : sandbox.urls.sitesTls
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
  const { statusCode, headers, body } = await request(`${farm}${pathname}`, { headers: { host }, dispatcher })
  return { status: statusCode, headers, body }
}
const textOf = async (url: string) => (await get(url)).body.text()

test('a business has one home page, always the same, of the size asked for', async () => {
  const page = await textOf('http://oak-hill-dental-austin.test/')
  expect(Buffer.byteLength(page)).toBe(60_000)
  expect(page).toContain('Welcome to Oak Hill Dental Austin')
  expect(await textOf('http://oak-hill-dental-austin.test/')).toBe(page)
})

test('sites differ as sites do', async () => {
  const hosts = Array.from({ length: 60 }, (_, index) => `site-${index}.test`)
  const answers = await Promise.all(
    hosts.map(async (host) => {
      const { status, headers, body } = await get(`http://${host}/`)
      return { host, status, location: String(headers.location), page: await body.text() }
    }),
  )
  const pages = answers.filter(({ status }) => status === 200).map(({ page }) => page)
  for (const trait of ['<title>', 'name="viewport"', 'mailto:', 'href="tel:', 'href="/contact"']) {
    const having = pages.filter((page) => page.includes(trait)).length
    expect(having, trait).toBeGreaterThan(0)
    expect(having, trait).toBeLessThan(pages.length)
  }
  const moved = answers.filter(({ status }) => status === 301)
  const toWww = moved.find(({ host, location }) => location === `http://www.${host}/`)
  expect(await textOf(toWww?.location ?? '')).toContain('Welcome to Site')
  expect(moved.some(({ host, location }) => location === `https://${host}/`)).toBe(true)
})

test('sites are made with products that their pages show', async () => {
  const reader = createSiteReader({
    allowAddresses: [sandbox.urls.sites, sandbox.urls.sitesTls].map((url) => new URL(url).host),
    testHosts: { http: sandbox.urls.sites, https: sandbox.urls.sitesTls },
  })
  const hosts = Array.from({ length: 60 }, (_, index) => `made-${index}.test`)
  const signal = new AbortController().signal
  const reads = await Promise.allSettled(hosts.map((host) => reader.read(`http://${host}/`, signal, contactPages)))
  // Those that move to https have no certificate of their own.
  const sites = reads.flatMap((read) => (read.status === 'fulfilled' ? [analyseSite(read.value)] : []))
  expect(new Set(sites.map(({ cms }) => cms))).toEqual(new Set([null, 'wordpress', 'wix', 'squarespace', 'shopify']))
  expect(new Set(sites.flatMap(({ tracking }) => tracking))).toEqual(new Set(['ga4', 'gtm', 'fb_pixel']))
  expect(new Set(sites.flatMap(({ booking }) => booking))).toEqual(new Set(['calendly', 'setmore', 'vagaro']))
  expect(new Set(sites.map(({ pages }) => pages.length))).toEqual(new Set([1, 2, 3]))
})

test('by its name a site has an e-mail address of which something comes', async () => {
  expect(await textOf('http://bounce-bakery.test/')).toMatch(/mailto:bounce\+\w+@bounce-bakery\.test/)
  expect(await textOf('http://soft-bounce-bakery.test/')).toMatch(/mailto:soft-bounce\+\w+@/)
  expect(await textOf('http://bouncy-bakery.test/')).not.toContain('+')
})

test('a large site has pages of the size of real ones, and on each of them what a business shows', async () => {
  const paths = ['/', '/contact', '/about']
  const pages = await Promise.all(paths.map((path) => textOf(`http://large-7.test${path}`)))
  for (const page of pages) expect(Math.abs(Buffer.byteLength(page) - 60_000)).toBeLessThan(1_500)
  const [home, contact] = pages.map((page, index) => ({
    url: `http://large-7.test${paths[index]}`,
    html: page,
    responseMs: 1,
  }))
  expect(home && contactPages(home)).toEqual(['http://large-7.test/contact', 'http://large-7.test/about'])
  expect(contact && analyseSite([contact])).toMatchObject({
    title: 'Contact | Large 7',
    emails: [expect.stringContaining('@large-7.test')],
    phones: [expect.stringContaining('+1')],
    socials: [{ network: 'facebook.com' }, { network: 'instagram.com' }],
  })
  expect((await get('http://large-7.test/services/1')).status).toBe(404)
})

test('keeps-robots-out.test does', async () => {
  expect(await textOf('http://keeps-robots-out.test/robots.txt')).toContain('Disallow: /')
  expect((await get('http://keeps-robots-out.test/')).status).toBe(200)
})

test('every phone number belongs to nobody', async () => {
  const pages = await Promise.all(Array.from({ length: 20 }, (_, index) => textOf(`http://shop-${index}.test/contact`)))
  const numbers = pages.flatMap((page) => page.match(/\(\d{3}\) \d{3}-\d{4}/g) ?? [])
  expect(numbers.length).toBeGreaterThan(10)
  expect(numbers.every((number) => / 555-01\d\d$/.test(number))).toBe(true)
})

test('a file of the folder is served byte by byte under the host of its name', async () => {
  const { status, headers, body } = await get('http://07-weebly-salon.test/')
  expect(status).toBe(200)
  expect(headers['content-type']).toBe('text/html')
  expect(Buffer.from(await body.arrayBuffer())).toEqual(await readFile(join(folder, '07-weebly-salon.html')))
  expect([...(await serveFolder(folder)).keys()]).toEqual(['07-weebly-salon.test'])
})

test('two files for one host are refused, since one of them would be lost', async () => {
  const twins = await mkdtemp(join(tmpdir(), 'throughline-sites-'))
  await writeFile(join(twins, 'Salon One.html'), '')
  await writeFile(join(twins, 'salon-one.htm'), '')
  await expect(serveFolder(twins)).rejects.toThrow(/has no host name of its own/)
  await rm(twins, { recursive: true })
})

test.each([
  ['not-found.test', 404],
  ['server-error-2.test', 500],
  ['example.com', 421],
])('%s answers %i', async (host, status) => {
  expect((await get(`http://${host}/`)).status).toBe(status)
})

test('redirects-forever.test never leads to an address seen before', async () => {
  const seen = new Set(['/'])
  for (let path = '/'; seen.size < 30; ) {
    const { status, headers } = await get(`http://redirects-forever.test${path}`)
    expect(status).toBe(301)
    path = String(headers.location)
    expect(seen).not.toContain(path)
    seen.add(path)
  }
})

test('private-address.test leads into a private network', async () => {
  expect((await get('http://private-address.test/')).headers.location).toBe('http://10.0.0.1/')
})

test('fifty-megabytes.test sends what it says, and does not say so beforehand', async () => {
  const { headers, body } = await get('http://fifty-megabytes.test/')
  expect(headers['content-length']).toBeUndefined()
  let bytes = 0
  for await (const chunk of body) bytes += Buffer.from(chunk).length
  expect(bytes).toBeGreaterThan(50 * 1024 * 1024)
})

test('binary.test is no page', async () => {
  const { headers, body } = await get('http://binary.test/')
  expect(headers['content-type']).toBe('application/octet-stream')
  expect(new Set(await body.bytes()).size).toBe(256)
})

test('hangs.test takes the request and says nothing', async () => {
  const silent = request(sandbox.urls.sites, { headers: { host: 'hangs.test' }, signal: AbortSignal.timeout(100) })
  await expect(silent).rejects.toThrow(/timeout/)
  expect(await sandbox.requests({ host: 'hangs.test' })).toMatchObject([{ status: null }])
})

test('stalls.test begins a page and never ends it', async () => {
  const { statusCode, body } = await request(sandbox.urls.sites, {
    headers: { host: 'stalls.test' },
    signal: AbortSignal.timeout(100),
  })
  expect(statusCode).toBe(200)
  await expect(body.text()).rejects.toThrow(/timeout/)
})

test.each(['http', 'https'])('cuts-the-line.test ends a connection by %s without an answer', async (protocol) => {
  await expect(get(`${protocol}://cuts-the-line.test/`)).rejects.toThrow()
})

test('broken-certificate.test moves to https, where no careful reader follows', async () => {
  expect((await get('http://broken-certificate.test/')).headers.location).toBe('https://broken-certificate.test/')
  await expect(request(sandbox.urls.sitesTls)).rejects.toThrow(/self-signed/)
  expect(await textOf('https://broken-certificate.test/')).toContain('Welcome to Broken Certificate')
})
