import { expect, test } from 'vitest'
import { z } from 'zod'
import { permissions } from '../../api/permissions.ts'
import { enrolContacts } from '../../db/cohorts.ts'
import { recordFindings } from '../../db/findings.ts'
import { claimSearchPage } from '../../db/searches.ts'
import { suppressAddress } from '../../db/suppressing.ts'
import { testApi } from '../support/api.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { contactRow } from '../support/people-rows.ts'
import { peopleRows, sequenceRow } from '../support/sequence-rows.ts'

const { ask, url, key, database, organisationId, system, keyWith, neighbour, stories } = await testApi({
  trustProxy: 1,
})

const Operation = z.object({
  description: z.string(),
  requestBody: z.object({ content: z.record(z.string(), z.object({ example: z.unknown() })) }).optional(),
})
const OpenApi = z.object({ paths: z.record(z.string(), z.record(z.string(), Operation)) })
const { paths } = OpenApi.parse(await (await fetch(`${url}/openapi.json`)).json())

/** Every route there is: what is added later is held to the same. */
const routes = Object.entries(paths).flatMap(([path, operations]) =>
  Object.entries(operations).map(([method, { description, requestBody }]) => ({
    method: method.toUpperCase(),
    path,
    permission: /permission `([^`]+)`/.exec(description)?.[1] ?? '',
    body: requestBody?.content['application/json']?.example,
  })),
)

const campaignId = await campaignRow(database, organisationId)
const now = new Date('2026-01-05T12:00:00Z')
const prospectId = await database.as(organisationId, async (tx) => {
  const page = await claimSearchPage(tx, { campaignId, engine: 'google', fingerprint: 'x', page: 0 }, now)
  if (page.action !== 'ask') throw new Error('the page is new')
  const keys = [{ kind: 'domain', value: 'bakery.test' }] as const
  const finding = { position: 0, keys, name: null, website: 'bakery.test', phone: null, address: null, isAd: false }
  await recordFindings(tx, { campaignId, searchId: page.searchId, findings: [finding] })
  const [row] = await tx<{ id: string }[]>`select id from prospects`
  return row?.id ?? ''
})
const contactId = await contactRow(database, organisationId, { email: 'ann@example.com' })
const suppression = await database.as(organisationId, (tx) => {
  const of = { organisationId, channel: 'email', address: 'ann@example.com', purpose: null, reason: 'manual' } as const
  return suppressAddress(tx, { ...of, actor: 'key:1', sourceKey: 'x', occurredAt: now }, { requestId: 'r', now })
})
const sequenceId = await sequenceRow(database, organisationId)
const { enrolled } = await database.as(organisationId, async (tx) => {
  const contactIds = await peopleRows(database, organisationId, 1)
  return enrolContacts(tx, { sequenceId, contactIds, source: 'key:1', requestId: 'request', now })
})
const enrolmentId = enrolled[0]?.enrolmentId ?? ''
const ids: Record<string, string> = {
  prospects: prospectId,
  contacts: contactId,
  suppressions: suppression.id,
  sequences: sequenceId,
  enrolments: enrolmentId,
}
const ours = (path: string) => path.replace('{id}', ids[path.split('/')[1] ?? ''] ?? campaignId)

test('the matrices below cover every route', () => {
  expect(routes.length).toBeGreaterThanOrEqual(11)
  for (const { permission } of routes) expect(permissions).toContain(permission)
})

test.each(routes)('$method $path without a valid key is answered 401', async ({ method, path }) => {
  const revoked = await keyWith(organisationId, permissions)
  const expired = await keyWith(organisationId, permissions)
  await system`update api_keys set revoked_at = now() where id = ${idOf(revoked)}`
  await system`update api_keys set expires_at = '2020-01-01' where id = ${idOf(expired)}`
  const wrongSecret = `${key.slice(0, -3)}${key.endsWith('AAA') ? 'BBB' : 'AAA'}`
  for (const wrong of [null, 'x', wrongSecret, `tl_${'0'.repeat(32)}_${'a'.repeat(43)}`, revoked, expired]) {
    // From an address of each route's own, since wrong keys are counted by address.
    const headers = {
      'x-forwarded-for': `10.0.0.${routes.findIndex((one) => one.path === path && one.method === method)}`,
    }
    const response = await ask(method, ours(path), { key: wrong, headers })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/)
    expect(await response.json()).toMatchObject({ code: 'unauthenticated' })
  }
})

test.each(routes)('$method $path without its permission is answered 403', async ({ method, path, permission }) => {
  const others = permissions.filter((other) => other !== permission)
  const response = await ask(method, ours(path), { key: await keyWith(organisationId, others) })
  expect(response.status).toBe(403)
  expect(await response.json()).toMatchObject({ code: 'forbidden', detail: expect.stringContaining(permission) })
})

const routesWithId = routes.filter(({ path }) => path.includes('{id}'))

test.each(routesWithId)("$method $path of another organisation's is answered 404, as if unknown", async (route) => {
  stories.change = () => Promise.reject(new Error('the story was asked'))
  const { key: theirs } = await neighbour()
  const { method, path, body } = route
  const foreign = await ask(method, ours(path), { key: theirs, body })
  const unknown = await ask(method, path.replace('{id}', crypto.randomUUID()), { body })
  const Problem = z.record(z.string(), z.unknown())
  const [foreignProblem, unknownProblem] = [Problem.parse(await foreign.json()), Problem.parse(await unknown.json())]
  expect(foreign.status).toBe(404)
  expect({ ...foreignProblem, requestId: '' }).toEqual({ ...unknownProblem, requestId: '' })
})

test.each([
  '/campaigns',
  '/searches',
  `/searches?campaignId=${campaignId}`,
  '/contacts',
  '/suppressions',
  '/sequences',
])('the list %s shows nothing of another organisation', async (path) => {
  const { key: theirs } = await neighbour()
  const response = await ask('GET', path, { key: theirs })
  expect(await response.json()).toEqual({ data: [], nextCursor: null })
  expect(await (await ask('GET', path)).json()).not.toMatchObject({ data: [] })
})

function idOf(apiKey: string): string {
  return apiKey.split('_')[1] ?? ''
}
