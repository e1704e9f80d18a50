import { assert, ipV4, property } from 'fast-check'
import { expect, test } from 'vitest'
import { createAddressGuard } from '../../../providers/websites/addresses.ts'
import { createSiteReader } from '../../../providers/websites/client.ts'
import { startSite } from './local-site.ts'

const never = new AbortController().signal
const noLookup = () => Promise.reject(new Error('a literal address was looked up'))
const answering =
  (...addresses: string[]) =>
  async () =>
    addresses.map((address) => ({ address, family: 4 }))

const privateSpellings = [
  'http://127.0.0.1/',
  'http://127.1/',
  'http://2130706433/',
  'http://0x7f000001/',
  'http://0177.0.0.01/',
  'http://0x7f.1/',
  'http://①②⑦.⓪.⓪.①/',
  'http://127。0。0。1/',
  'http://%31%32%37.0.0.1/',
  'http://0/',
  'http://10.0.0.1/',
  'http://172.31.255.255/',
  'http://192.168.0.1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://100.64.0.1/',
  'http://192.0.0.192/',
  'http://198.18.0.1/',
  'http://168.63.129.16/',
  'http://224.0.0.1/',
  'http://255.255.255.255/',
  'http://[::]/',
  'http://[::1]/',
  'http://[0:0:0:0:0:0:0:1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:a9fe:a9fe]/',
  'http://[::127.0.0.1]/',
  'http://[64:ff9b::7f00:1]/',
  'http://[64:ff9b:1::a00:1]/',
  'http://[2002:7f00:1::]/',
  'http://[2001:0:53aa:64c::1]/',
  'http://[fd00:ec2::254]/',
  'http://[fe80::1]/',
  'http://[ff02::1]/',
  'http://localhost/',
  'http://LOCALHOST./',
  'http://anything.localhost/',
]

test.each(privateSpellings)('%s is refused without a connection', async (url) => {
  const reader = createSiteReader({ allowAddresses: [], lookup: noLookup })
  await expect(reader.read(url, never)).rejects.toMatchObject({ code: 'address_not_allowed' })
})

test.each(['::ffff:', '::', '64:ff9b::'])(
  'an IPv6 address that carries an IPv4 address as %s is refused',
  async (prefix) => {
    const guard = createAddressGuard([], noLookup)
    await expect(guard({ host: `${prefix}8.8.8.8`, port: 80 })).rejects.toMatchObject({ code: 'address_not_allowed' })
    await expect(guard({ host: `${prefix}10.0.0.1`, port: 80 })).rejects.toMatchObject({ code: 'address_not_allowed' })
  },
)

test.each(['8.8.8.8', '100.128.0.1', '172.32.0.1', '192.0.1.1', '2001:4860:4860::8888', '2606:4700::1111'])(
  '%s is public',
  async (host) => {
    const addresses = await createAddressGuard([], noLookup)({ host, port: 443 })
    expect(addresses).toMatchObject([{ address: host }])
  },
)

test('no address of the private networks passes, whichever it is', () => {
  const isPrivate = /^(?:0|10|127|169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01])|22[4-9]|2[345]\d)\./
  const guard = createAddressGuard([], noLookup)
  const outcomes: Promise<void>[] = []
  assert(
    property(ipV4(), (host) => {
      const outcome = guard({ host, port: 80 }).then(
        () => expect(host).not.toMatch(isPrivate),
        ({ code }) => expect(code).toBe('address_not_allowed'),
      )
      outcomes.push(outcome)
    }),
    { numRuns: 1_000 },
  )
  return Promise.all(outcomes)
})

test('one private address among the addresses of a name refuses them all', async () => {
  const reader = createSiteReader({ allowAddresses: [], lookup: answering('8.8.8.8', '10.0.0.1') })
  await expect(reader.read('http://mixed.example/', never)).rejects.toMatchObject({ code: 'address_not_allowed' })
})

test('a name that is public when asked first and private later is never connected to as the latter', async () => {
  const place = await startSite((_request, response) => response.setHeader('content-type', 'text/html').end('safe'))
  const answers = ['127.0.0.1', '10.0.0.1'].map((address) => [{ address, family: 4 }])
  let lookups = 0
  const reader = createSiteReader({ allowAddresses: [place], lookup: async () => answers[lookups++] ?? [] })

  const [page] = await reader.read(`http://rebinding.example:${place.split(':')[1]}/`, never)
  expect(page.html).toBe('safe')
  expect(lookups).toBe(1) // Looked up once: what was checked is what was connected to.
})

test('a second connection checks anew what its name means by then', async () => {
  const answers = [[{ address: '8.8.8.8', family: 4 }], [{ address: '169.254.169.254', family: 4 }]]
  const guard = createAddressGuard([], async () => answers.shift() ?? [])
  const endpoint = { host: 'rebinding.example', port: 80 }
  await expect(guard(endpoint)).resolves.toMatchObject([{ address: '8.8.8.8' }])
  await expect(guard(endpoint)).rejects.toMatchObject({ code: 'address_not_allowed' })
})

test('a redirect to a cloud’s secrets is not followed', async () => {
  const place = await startSite((_request, response) => {
    response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/iam/' }).end()
  })
  const reader = createSiteReader({ allowAddresses: [place] })
  await expect(reader.read(`http://${place}/`, never)).rejects.toMatchObject({ code: 'address_not_allowed' })
})

test('an allowed address is opened on its own port only', async () => {
  const place = await startSite((_request, response) => response.setHeader('content-type', 'text/html').end('sandbox'))
  const reader = createSiteReader({ allowAddresses: [place] })
  await expect(reader.read(`http://${place}/`, never)).resolves.toMatchObject([{ html: 'sandbox' }])
  await expect(reader.read('http://127.0.0.1/', never)).rejects.toMatchObject({ code: 'address_not_allowed' })
  await expect(reader.read('http://127.0.0.1:1/', never)).rejects.toMatchObject({ code: 'port_not_allowed' })
})

test('an allowed name is opened whatever its address, and no other name at that address', async () => {
  const place = await startSite((_request, response) => response.setHeader('content-type', 'text/html').end('sandbox'))
  const port = place.split(':')[1]
  const reader = createSiteReader({ allowAddresses: [`farm.example:${port}`], lookup: answering('127.0.0.1') })
  await expect(reader.read(`http://farm.example:${port}/`, never)).resolves.toMatchObject([{ html: 'sandbox' }])
  await expect(reader.read(`http://other.example:${port}/`, never)).rejects.toMatchObject({ code: 'port_not_allowed' })
})

test.each(['http://example.com:22/', 'http://example.com:6379/', 'https://8.8.8.8:8443/'])(
  '%s is on a port that is not the web’s',
  async (url) => {
    const reader = createSiteReader({ allowAddresses: [], lookup: noLookup })
    await expect(reader.read(url, never)).rejects.toMatchObject({ code: 'port_not_allowed' })
  },
)
