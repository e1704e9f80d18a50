import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { bookSearch } from '../../db/spend.ts'
import { testApi } from '../support/api.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { entitle, limitOf } from '../support/entitlement-rows.ts'
import { senderRow } from '../support/sender-rows.ts'
import { welcome } from '../support/sequence-rows.ts'

const now = new Date('2026-06-10T12:00:00Z')
const { ask, database, organisationId } = await testApi({ clock: () => now })
const june = { from: Date.parse('2026-06-01T10:00:00Z'), until: Date.parse('2026-07-01T10:00:00Z') }

const entitled = (entitlements: Parameters<typeof entitle>[2]) => entitle(database, organisationId, entitlements)
afterEach(() => entitled(null))

const search = { engine: 'google', query: 'dentist', location: 'Austin, Texas', limit: 10 }
const campaign = (more: object = { searches: [search] }) =>
  ask('POST', '/campaigns', { body: { name: 'Test', ...more } })
const answerOf = async (response: Response) => ({
  status: response.status,
  retryAfter: response.headers.get('retry-after'),
  body: z.record(z.string(), z.unknown()).parse(await response.json()),
})
const paid = async (searches: number) => {
  const campaignId = await campaignRow(database, organisationId)
  for (let n = 0; n < searches; n += 1) {
    const sourceKey = `search/${crypto.randomUUID()}/1`
    await database.as(organisationId, (tx) => bookSearch(tx, { sourceKey, campaignId }, now))
  }
}

test('a campaign whose searches are used up is refused, with what there is, until when, and where to get more', async () => {
  await paid(2)
  await entitled({ features: ['campaigns'], limits: [limitOf('searches', 2, 'period', june)] })
  const answer = await answerOf(await campaign())
  expect(answer).toMatchObject({
    status: 429,
    body: {
      code: 'limit_reached',
      act: 'searches',
      most: 2,
      used: 2,
      per: 'period',
      until: '2026-07-01T10:00:00.000Z',
      upgrade: '/api/v1/billing/change-plan',
    },
  })
  expect(Number(answer.retryAfter)).toBe((june.until - now.getTime()) / 1000)
  expect((await campaign({ websites: ['corner-bakery.test'] })).status).toBe(202)
  await entitled({ features: ['campaigns'], limits: [limitOf('searches', 3, 'period', june)] })
  expect((await campaign()).status).toBe(202)
})

test('without whole access nothing is begun that costs, and everything can be read', async () => {
  await entitled({ access: 'reduced', features: ['campaigns', 'scoring-rules'] })
  expect(await answerOf(await campaign({ websites: ['corner-bakery.test'] }))).toMatchObject({
    status: 402,
    body: { code: 'payment_required', access: 'reduced', upgrade: '/api/v1/billing/pay-now' },
  })
  const rules = { rules: [{ reason: 'known', points: 1, when: [{ field: 'hasEmail', is: true }] }] }
  expect((await ask('POST', '/scoring-rules', { body: rules })).status).toBe(200)
  await entitled({ access: 'none' })
  for (const refused of [campaign(), ask('POST', '/scoring-rules', { body: rules })]) {
    expect(await answerOf(await refused)).toMatchObject({ status: 402, body: { access: 'none' } })
  }
  for (const path of ['/campaigns', '/contacts', '/scoring-rules', '/usage']) {
    expect((await ask('GET', path)).status).toBe(200)
  }
})

test('what no plan of the organisation has is refused, with the plans that have it', async () => {
  const senderId = await senderRow(database, organisationId)
  const sequence = () => ask('POST', '/sequences', { body: { name: 'Welcome', definition: { ...welcome, senderId } } })
  await entitled({ features: ['campaigns'] })
  expect(await answerOf(await sequence())).toMatchObject({
    status: 402,
    body: {
      code: 'payment_required',
      feature: 'sequences',
      plans: expect.arrayContaining(['scout', 'hunter', 'command']),
    },
  })
  const sheet = await answerOf(await campaign({ websites: ['a.test'], export: { sheet: { people: [] } } }))
  expect(sheet.body).toMatchObject({ feature: 'spreadsheet-export' })
  expect(sheet.body['plans']).not.toContain('scout')
  const { id } = z.object({ id: z.string() }).parse(await (await campaign()).json())
  const schedule = await ask('POST', `/campaigns/${id}/schedule`, { body: { cron: '0 6 * * 1' } })
  expect((await answerOf(schedule)).body).toMatchObject({ feature: 'saved-searches' })
  await entitled({ features: ['sequences'] })
  expect((await sequence()).status).toBe(200)
  expect((await answerOf(await campaign())).body).toMatchObject({ feature: 'campaigns' })
})

test('a contact beyond the limit is refused, and one that is there is still changed', async () => {
  const { there } = await contactsThere()
  await entitled({ limits: [limitOf('contacts', there + 1, 'total')] })
  const save = (externalId: string) => ask('POST', '/contacts', { body: { externalId } })
  expect((await save('first')).status).toBe(200)
  const refused = await answerOf(await save('second'))
  expect(refused).toMatchObject({
    status: 429,
    body: { code: 'limit_reached', act: 'contacts', most: there + 1, used: there + 1, per: 'total', until: null },
  })
  expect((await save('first')).status).toBe(200)
  await entitled({ access: 'none' })
  expect((await save('first')).status).toBe(200)
  expect(await answerOf(await save('second'))).toMatchObject({ status: 402, body: { access: 'none' } })
  expect((await contactsThere()).there).toBe(there + 1)
})

test('a list tells whom there is no room for, and saves the others', async () => {
  const { there } = await contactsThere()
  await entitled({ limits: [limitOf('contacts', there + 3, 'total')] })
  const list = (...names: string[]) =>
    ask('POST', '/contacts/list', { body: { contacts: names.map((externalId) => ({ externalId })) } })
  await list('list-1')
  const { body } = await answerOf(await list('list-1', 'list-2', 'list-3', 'list-4', 'list-5'))
  expect(body).toMatchObject({ created: 2, updated: 1, failed: 2 })
  expect(body['lines']).toMatchObject([
    { index: 0, created: false },
    { index: 1, created: true },
    { index: 2, created: true },
    { index: 3, errors: [{ pointer: '', detail: expect.stringContaining('contacts in all') }] },
    { index: 4, errors: [{ pointer: '' }] },
  ])
  expect((await contactsThere()).there).toBe(there + 3)
})

test('of a hundred contacts at the same moment no more are saved than there is room for', async () => {
  const { there } = await contactsThere()
  await entitled({ limits: [limitOf('contacts', there + 20, 'total')] })
  const body = (n: number) => ({ externalId: `many-${n % 50}` })
  const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => ask('POST', '/contacts', { body: body(n) })))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]))
  expect((await contactsThere()).there).toBe(there + 20)
  await entitled({ limits: [limitOf('contacts', there + 21, 'total')] })
  expect((await ask('POST', '/contacts', { body: { externalId: 'one-more' } })).status).toBe(200)
  expect((await ask('POST', '/contacts', { body: { externalId: 'too-many' } })).status).toBe(429)
})

test('whoever never subscribed may do everything', async () => {
  expect((await campaign()).status).toBe(202)
  expect((await ask('POST', '/contacts', { body: { externalId: 'anybody' } })).status).toBe(200)
})

async function contactsThere() {
  const [row] = await database.as(
    organisationId,
    (tx) => tx<{ there: number }[]>`select count(*)::int as there from contacts`,
  )
  return row ?? { there: 0 }
}
