import { expect, test } from 'vitest'
import { z } from 'zod'
import { permissions } from '../../api/permissions.ts'
import { platformOrganisationId } from '../../db/organisations.ts'
import { seededPlans } from '../../db/seeded-plans.ts'
import { testApi } from '../support/api.ts'

const stripePrices = { STRIPE_PRICE_SCOUT: 'price_1Scout', STRIPE_PRICE_HUNTER_149: 'price_1Hunter' }
const { ask, keyWith, database, system, organisationId } = await testApi({ stripePrices })
const platformId = await platformOrganisationId(system)
const platform = await keyWith(platformId, permissions)

const Price = z.looseObject({
  key: z.string(),
  amount: z.int(),
  isForSale: z.boolean(),
  setting: z.string().optional(),
})
const Offered = z.looseObject({ key: z.string(), version: z.int(), prices: z.array(Price) })
const List = z.object({ data: z.array(Offered) })
const Problem = z.object({
  code: z.string(),
  detail: z.string(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
})

const basic = {
  key: 'basic',
  name: 'Basic',
  kind: 'subscription',
  family: 'basics',
  rank: 1,
  prices: [{ key: 'monthly', amount: 1900, currency: 'EUR', every: 'P1M', setting: 'STRIPE_PRICE_BASIC' }],
}
const meter = { type: 'call_seconds', event: 'call_seconds', setting: 'STRIPE_PRICE_BASIC_USE' }
const price = (changes: object) => ({ prices: [{ ...basic.prices[0], ...changes }] })
const pack = { kind: 'credit_pack', credits: [{ type: 'call_seconds', amount: 60 }], ...price({ every: null }) }

const save = (body: unknown, key = platform) => ask('POST', '/plans', { body, key })
const saved = async (body: unknown) => {
  const response = await save(body)
  expect(response.status).toBe(200)
  return Offered.parse(await response.json())
}
const read = async (path: string, key?: string) =>
  Offered.parse(await (await ask('GET', `/plans/${path}`, key ? { key } : {})).json())
const list = async (query = '', key?: string) =>
  List.parse(await (await ask('GET', `/plans${query}`, key ? { key } : {})).json()).data
const problemOf = async (response: Response) => Problem.parse(await response.json())

test('everybody sees the same plans, and which prices are for sale; the platform alone sees by which setting', async () => {
  const plans = await list('?family=prospecting')
  expect(plans.map(({ key }) => key)).toEqual(['scout', 'hunter', 'command'])
  expect(plans.flatMap(({ prices }) => prices)).toMatchObject([
    { key: 'monthly', amount: 9900, isForSale: true },
    { key: 'monthly-149', amount: 14900, isForSale: true },
    { key: 'monthly-249', amount: 24900, isForSale: false },
    { key: 'monthly', amount: 49900, isForSale: false },
  ])
  expect(plans[0]).toMatchObject({
    trial: 'P14D',
    credits: [{ type: 'call_seconds', amount: 3600, rollsOver: 1800 }],
    dunning: { notices: ['PT0S', 'P2D', 'P7D', 'P14D', 'P21D'], givenUpAfter: 'P28D' },
    grace: { reducedAfter: 'P7D', revokedAfter: 'P21D' },
    retiredAt: null,
  })
  const [scout] = await list('?family=prospecting', platform)
  expect(scout?.prices).toEqual([{ ...plans[0]?.prices[0], setting: 'STRIPE_PRICE_SCOUT' }])
  expect(JSON.stringify(await list())).not.toMatch(/STRIPE_PRICE|price_1|actor/)
  expect((await list()).length).toBe(9)
  expect(await list('?family=nothing')).toEqual([])
})

test('a plan is saved with what it leaves out, and each save is a version that stays', async () => {
  expect(await saved(basic)).toMatchObject({
    version: 1,
    trial: null,
    credits: [],
    entitlements: { features: [], limits: [] },
    dunning: { givenUpAfter: 'P28D' },
    actor: expect.stringMatching(/^key:/),
  })
  const second = await save({ ...basic, name: 'Basic plus', ...price({ amount: 2900 }) })
  expect(second.headers.get('location')).toBe('/api/v1/plans/basic')
  expect(await second.json()).toMatchObject({ version: 2 })
  expect(await read('basic')).toMatchObject({ version: 2, name: 'Basic plus', prices: [{ amount: 2900 }] })
  expect(await read('basic?version=1')).toMatchObject({ version: 1, name: 'Basic', prices: [{ amount: 1900 }] })
})

test('a retired plan is no longer offered, can still be read, and is offered again when it is saved again', async () => {
  const retire = () => ask('POST', '/plans/scout/retire', { key: platform })
  const first = Offered.parse(await (await retire()).json())
  expect(first).toMatchObject({ retiredAt: expect.any(String), prices: [{ isForSale: false }] })
  expect(await (await retire()).json()).toEqual(first)
  expect((await list('?family=prospecting')).map(({ key }) => key)).toEqual(['hunter', 'command'])
  expect((await list('?family=prospecting&includeRetired=true')).map(({ key }) => key)).toContain('scout')
  expect(await read('scout')).toMatchObject({ version: 1, retiredAt: first.retiredAt })
  expect(await saved(seededPlans()[0])).toMatchObject({ version: 2, retiredAt: null, prices: [{ isForSale: true }] })
  expect(await read('scout?version=1')).toMatchObject({ prices: [{ isForSale: false }] })
})

test("only a key of the platform's organisation changes the catalogue", async () => {
  for (const [path, body] of [
    ['/plans', basic],
    ['/plans/hunter/retire', undefined],
  ] as const) {
    const response = await ask('POST', path, { body })
    expect(response.status).toBe(403)
    expect(await problemOf(response)).toMatchObject({
      code: 'forbidden',
      detail: expect.stringContaining('create-platform-key'),
    })
  }
  expect(await read('hunter')).toMatchObject({ version: 1, retiredAt: null })
  const reader = await keyWith(organisationId, ['plans:read'])
  expect((await save(basic, reader)).status).toBe(403)
})

test('what is not there is answered 404', async () => {
  for (const path of ['/plans/nothing', '/plans/No%20key', '/plans/hunter?version=7']) {
    expect((await ask('GET', path)).status, path).toBe(404)
  }
  expect((await ask('POST', '/plans/nothing/retire', { key: platform })).status).toBe(404)
  expect((await ask('GET', '/plans?includeRetired=maybe')).status).toBe(400)
})

test('what a price meters is shown by its type, its setting to the platform alone; no other plan takes it, ever', async () => {
  const metered = { ...basic, key: 'metered', family: 'metered' }
  const setting = { setting: 'STRIPE_PRICE_METERED', meters: [{ ...meter, setting: 'STRIPE_PRICE_METERED_USE' }] }
  const [own] = (await saved({ ...metered, ...price(setting) })).prices
  expect(own).toMatchObject({ ...setting, isForSale: false })
  const [shown] = (await read('metered')).prices
  expect(shown?.['meters']).toEqual([{ type: 'call_seconds' }])
  await saved({ ...metered, ...price({ setting: 'STRIPE_PRICE_METERED' }) })
  const thief = { ...basic, key: 'thief', family: 'thieves', ...price({ setting: 'STRIPE_PRICE_METERED_USE' }) }
  expect((await problemOf(await save(thief))).errors).toMatchObject([{ pointer: '/prices/0/setting' }])
})

test.each([
  [{ key: 'Basic' }, '/key', /small letter/],
  [{ rank: 1.5 }, '/rank', /int/],
  [{ prices: [] }, '/prices', />=1/],
  [price({ currency: 'usd' }), '/prices/0/currency', /three capitals/],
  [price({ currency: 'XQX' }), '/prices/0/currency', /three capitals/],
  [price({ amount: 19.5 }), '/prices/0/amount', /int/],
  [price({ amount: -1 }), '/prices/0/amount', />=0/],
  [price({ setting: 'PRICE_BASIC' }), '/prices/0/setting', /STRIPE_PRICE_/],
  [price({ meters: [{ ...meter, setting: 'STRIPE_PRICE_BASIC' }] }), '/prices/0/meters/0/setting', /is taken/],
  [price({ meters: [meter, { ...meter, setting: 'STRIPE_PRICE_B' }] }), '/prices/0/meters/1/type', /is taken/],
  [price({ meters: [{ ...meter, event: 'a b' }] }), '/prices/0/meters/0/event', /event name/],
  [{ ...pack, ...price({ every: null, meters: [meter] }) }, '/prices/0/meters', /Only a subscription/],
  [price({ every: 'P1W' }), '/prices/0/every', /"P1M"\|"P1Y"/],
  [price({ every: null }), '/prices/0/every', /P1M or P1Y/],
  [{ prices: [basic.prices[0], { ...basic.prices[0], setting: 'STRIPE_PRICE_B' }] }, '/prices/1/key', /"monthly"/],
  [{ prices: [basic.prices[0], { ...basic.prices[0], key: 'other' }] }, '/prices/1/setting', /"STRIPE_PRICE_BASIC"/],
  [{ trial: '14 days' }, '/trial', /ISO 8601/],
  [{ trial: 'PT0S' }, '/trial', /null/],
  [{ trial: 'P731D' }, '/trial', /730 days/],
  [{ credits: [{ type: 'Call seconds', amount: 1 }] }, '/credits/0/type', /small letters/],
  [{ credits: [{ type: 'a', amount: 0 }] }, '/credits/0/amount', />=1/],
  [{ credits: [{ type: 'a', amount: 5, rollsOver: 6 }] }, '/credits/0/rollsOver', /at most the amount/],
  [
    {
      credits: [
        { type: 'a', amount: 5 },
        { type: 'a', amount: 6 },
      ],
    },
    '/credits/1/type',
    /"a" is taken/,
  ],
  [{ entitlements: { features: ['a', 'a'], limits: [] } }, '/entitlements/features/1', /twice/],
  [
    { entitlements: { features: [], limits: [{ act: 'search', most: 1, per: 'day' }] } },
    '/entitlements/limits/0/act',
    /"searches"/,
  ],
  [
    {
      entitlements: {
        features: [],
        limits: [
          { act: 'searches', most: 1, per: 'day' },
          { act: 'searches', most: 2, per: 'day' },
        ],
      },
    },
    '/entitlements/limits/1',
    /searches per day/,
  ],
  [{ dunning: { notices: ['P2D', 'P2D'], givenUpAfter: 'P9D' } }, '/dunning/notices/1', /later/],
  [{ dunning: { notices: ['PT0S', 'P9D'], givenUpAfter: 'P1W' } }, '/dunning/notices/1', /given up after P1W/],
  [{ dunning: { notices: ['P1M'], givenUpAfter: 'P9D' } }, '/dunning/notices/0', /years and months/],
  [{ grace: { reducedAfter: 'P8D', revokedAfter: 'P1W' } }, '/grace/reducedAfter', /at most revokedAfter/],
  [{ ...pack, credits: [] }, '/credits', /has some/],
  [{ ...pack, ...price({}) }, '/prices/0/every', /paid once/],
  [{ ...pack, trial: 'P1D' }, '/trial', /Only a subscription/],
  [{ ...pack, credits: [{ type: 'a', amount: 9, rollsOver: 1 }] }, '/credits/0/rollsOver', /give 0/],
  [{ colour: 'red' }, '/colour', /no such field/],
])('a plan with %j is refused where it is wrong', async (changes, pointer, detail) => {
  const response = await save({ ...basic, ...changes })
  expect(response.status).toBe(400)
  const { errors } = await problemOf(response)
  expect(errors).toEqual([{ pointer, detail: expect.stringMatching(detail) }])
})

test('a grace that ends as it is reduced, and one notice at once, are fine', async () => {
  const strict = {
    grace: { reducedAfter: 'PT0S', revokedAfter: 'PT0S' },
    dunning: { notices: [], givenUpAfter: 'P1D' },
  }
  await saved({ ...basic, key: 'strict', family: 'strict', ...price({ setting: 'STRIPE_PRICE_STRICT' }), ...strict })
})

test.each([
  [{ family: 'prospecting', rank: 20 }, '/rank', /"hunter" has the rank 20/],
  [{ ...pack, ...price({ every: null, setting: 'STRIPE_PRICE_P' }), family: 'prospecting' }, '/kind', /subscription/],
  [price({ setting: 'STRIPE_PRICE_HUNTER_249' }), '/prices/0/setting', /a price of "hunter"/],
  [
    price({ setting: 'STRIPE_PRICE_P', meters: [{ ...meter, setting: 'STRIPE_PRICE_SCOUT' }] }),
    '/prices/0/meters/0/setting',
    /a price of "scout"/,
  ],
  [{ key: 'hunter', ...price({ setting: 'STRIPE_PRICE_P' }) }, '/family', /prospecting for good/],
])('a plan that says %j clashes with the catalogue', async (changes, pointer, detail) => {
  const fresh = { ...basic, key: 'newcomer', family: 'newcomers', ...price({ setting: 'STRIPE_PRICE_NEW' }) }
  const response = await save({ ...fresh, ...changes })
  expect(response.status).toBe(409)
  const problem = await problemOf(response)
  expect(problem).toMatchObject({ code: 'conflict', detail: expect.stringMatching(detail) })
  expect(problem.errors).toEqual([{ pointer, detail: expect.stringMatching(detail) }])
})

test('of two plans saved at once for one rank one is refused', async () => {
  const rival = (key: string) =>
    save({ ...basic, key, family: 'rivals', ...price({ setting: `STRIPE_PRICE_${key.toUpperCase()}` }) })
  const statuses = (await Promise.all([rival('one'), rival('two')])).map(({ status }) => status)
  expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 409])
})

test('a catalogue has room for two hundred plans, and those can still be saved', async () => {
  await database.as(platformId, async (tx) => {
    const [{ count }] = await tx<[{ count: number }]>`select count(*) from plans`
    const fill = tx`select 'fill-' || n as key, n as rank from generate_series(1, ${200 - count}) as n`
    await tx`
      insert into plans (key, kind, family, created_at, updated_at)
      select key, 'subscription', 'fill', now(), now() from (${fill}) as fill`
    await tx`
      insert into plan_versions (plan_key, version, definition, actor, created_at)
      select key, 1, jsonb_build_object('rank', rank, 'prices', '[]'::jsonb), 'key:1', now() from (${fill}) as fill`
  })
  const response = await save({ ...basic, key: 'last', family: 'last', ...price({ setting: 'STRIPE_PRICE_LAST' }) })
  expect(await problemOf(response)).toMatchObject({ code: 'limit_reached' })
  await saved(basic)
})
