import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { permissions } from '../../api/permissions.ts'
import { findApiKey } from '../../db/api-keys.ts'
import { platformOrganisationId } from '../../db/organisations.ts'
import { startSite } from '../providers/websites/local-site.ts'
import { testOrganisation } from '../support/organisation.ts'

const admin = fileURLToPath(new URL('../../dev/admin.ts', import.meta.url))

/** Runs a command with nothing in its environment but what it is given: no database, no Temporal. */
function run(args: string[], env: Record<string, string> = {}): Promise<{ code: unknown; out: string; said: string }> {
  return new Promise((resolve) => {
    const options = { env: { NODE_ENV: 'test', ...env } }
    execFile(process.execPath, [admin, ...args], options, (error, out, said) =>
      resolve({ code: error?.code ?? 0, out, said }),
    )
  })
}

const analyse = (args: string[], env?: Record<string, string>) => run(['analyse', ...args], env)

test('one site is analysed and printed as JSON, without a database', async () => {
  const place = await startSite((request, response) => {
    const page =
      request.url === '/'
        ? '<meta name="generator" content="WordPress 6.8"><a href="/contact">Contact</a><a href="https://m.facebook.com/anna">x</a>'
        : '<p>info@bakery.com, 020 7946 0123</p><a href="https://calendly.com/anna">Book</a>'
    response.setHeader('content-type', 'text/html').end(page)
  })
  const { code, out } = await analyse([`http://${place}/`, '--country', 'GB'], { SITE_ALLOW_ADDRESSES: place })
  expect(code).toBe(0)
  expect(JSON.parse(out)).toMatchObject({
    cms: 'wordpress',
    tracking: [],
    booking: ['calendly'],
    emails: ['info@bakery.com'],
    phones: ['+442079460123'],
    socials: ['facebook.com'],
    profiles: [{ network: 'facebook.com', url: 'https://m.facebook.com/anna' }],
    evidence: [{ name: 'wordpress' }, { name: 'calendly' }],
    pages: [`http://${place}/`, `http://${place}/contact`],
    failure: null,
  })
})

test('a site that cannot be read is a report that says why', async () => {
  const place = await startSite((_request, response) => response.writeHead(404).end())
  const { code, out } = await analyse([`http://${place}/`], { SITE_ALLOW_ADDRESSES: place })
  expect(code).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ cms: null, booking: [], failure: 'http_status', failureDetail: '404' })
})

test.each([[[]], [['ftp://bakery.com']], [['bakery.com', 'butcher.com']], [['bakery.com', '--country', 'Germany']]])(
  'analyse %j is told how to be used',
  async (args) => {
    const { code, out, said } = await analyse(args)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(said).not.toBe('')
  },
)

test("a key of the platform's organisation is made, and may do everything", async () => {
  const { fresh, system } = await testOrganisation()
  const { code, out } = await run(['create-platform-key'], {
    DATABASE_URL: fresh.appUrl,
    DATABASE_SYSTEM_URL: fresh.systemUrl,
  })
  expect(code).toBe(0)
  const key = await findApiKey(system, /API key +(\S+)/.exec(out)?.[1] ?? '', new Date())
  expect(key?.organisationId).toBe(await platformOrganisationId(system))
  expect(key?.permissions).toEqual(permissions)
})

test('create-platform-key takes no name', async () => {
  const { code, said } = await run(['create-platform-key', 'Throughline'])
  expect(code).toBe(1)
  expect(said).toMatch(/^create-platform-key takes nothing more/)
})
