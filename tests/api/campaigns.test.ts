import { expect, test } from 'vitest'
import { z } from 'zod'
import { campaignDefinition, insertCampaign } from '../../db/campaigns.ts'
import { deliverDue, enqueueStart } from '../../db/outbox.ts'
import { StoryNotRunning, StoryRefused, StoryUnreachable } from '../../temporal-config/stories.ts'
import { campaignId, queuedCampaign } from '../../workflows/contracts/prospect-campaign.ts'
import { ownList, testApi } from '../support/api.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { sequenceRow } from '../support/sequence-rows.ts'

const { ask, database, keyWith, organisationId, stories } = await testApi()
const withoutSearch = await testApi({ missingForSearch: 'SERPAPI_API_KEY' })

const Started = z.object({
  id: z.uuid(),
  workflowId: z.string(),
  status: z.string(),
  links: z.object({ self: z.string() }),
})
const Refused = z.object({
  code: z.string(),
  detail: z.string(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
})

const started = async (body: unknown) => Started.parse(await (await ask('POST', '/campaigns', { body })).json())
const refused = async (body: unknown) => Refused.parse(await (await ask('POST', '/campaigns', { body })).json())
const definitionOf = (id: string) => database.as(organisationId, (tx) => campaignDefinition(tx, id))

const search = { query: 'dentist', location: 'Austin, Texas' }

test('starting a campaign answers 202 with its place, and Temporal is told after', async () => {
  const response = await ask('POST', '/campaigns', {
    body: { name: 'Dentists', searches: [search], websites: ['bakery.com'] },
  })
  const { id, workflowId, links } = Started.parse(await response.json())
  expect(response.status).toBe(202)
  expect(response.headers.get('location')).toBe(links.self)
  expect(links.self).toBe(`/api/v1/campaigns/${id}`)
  await expect.poll(() => stories.delivered.map((row) => row.workflowId)).toContain(workflowId)
  const row = stories.delivered.find((delivered) => delivered.workflowId === workflowId)
  expect(row).toMatchObject({
    name: 'prospectCampaign',
    args: { organisationId, campaignId: id },
    summary: 'Prospect campaign: 1 search, 1 website of the own list',
  })
  const read = await ask('GET', `/campaigns/${id}`)
  expect(await read.json()).toMatchObject({
    id,
    status: 'queued',
    counts: { prospects: 0 },
    actor: expect.stringMatching(/^key:/),
  })
})

test('while Temporal hangs, campaigns are accepted at once, wait in the outbox, and start when it is back', async () => {
  const { ask: askThere, api, stories: away, system } = await testApi()
  const hanging = Promise.withResolvers<void>()
  const { deliver } = away
  away.deliver = () => hanging.promise
  const accepted = await Promise.all(
    Array.from({ length: 12 }, () => askThere('POST', '/campaigns', { body: ownList('bakery.com') })),
  )
  expect(accepted.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 202))
  expect(await system`select 1 from outbox where status = 'pending'`).toHaveLength(12)

  hanging.reject(new Error('Temporal is away'))
  await api.drain() // ends what is under way
  away.deliver = deliver
  await deliverDue(system, away, { now: new Date(Date.now() + 3_600_000), limit: 100 })
  expect(away.delivered).toHaveLength(12)
})

test('a search given twice and a country that does not exist are named', async () => {
  const { code, errors } = await refused({ name: 'Twice', country: 'ZZ', searches: [search, search] })
  expect(code).toBe('invalid_input')
  expect(errors?.map(({ pointer }) => pointer)).toEqual(['/searches/1', '/country'])
})

test('a depth is stored as what it may bring and cost, a limit as it is, and both together are refused', async () => {
  const searches = [
    { ...search, depth: 'quick' },
    { ...search, engine: 'google_maps', depth: 'deep' },
    { ...search, query: 'orthodontist' },
    { ...search, query: 'teeth', limit: 7 },
  ]
  const { id } = await started({ name: 'Depths', searches })
  expect((await definitionOf(id))?.searches).toEqual([
    { ...search, engine: 'google', limit: 10, pages: 1 },
    { ...search, engine: 'google_maps', limit: 100, pages: 5 },
    { ...search, query: 'orthodontist', engine: 'google', limit: 30, pages: 3 },
    { ...search, query: 'teeth', engine: 'google', limit: 7, pages: 10 },
  ])
  const both = await refused({
    name: 'Both',
    searches: [search, { ...search, query: 'teeth', depth: 'quick', limit: 5 }],
  })
  expect(both).toMatchObject({ code: 'invalid_input', errors: [{ pointer: '/searches/1/depth' }] })
  const unknown = await refused({ name: 'Unknown', searches: [{ ...search, depth: 'bottomless' }] })
  expect(unknown.errors?.map(({ pointer }) => pointer)).toEqual(['/searches/0/depth'])
})

test('nothing to search is answered 400', async () => {
  expect(await refused({ name: 'Empty' })).toMatchObject({ code: 'invalid_input', errors: [{ pointer: '' }] })
  expect(await refused({ name: 'Empty', websitesCsv: 'website\n' })).toMatchObject({ errors: [{ pointer: '' }] })
})

test('every wrong website and exclusion is named', async () => {
  const body = {
    name: 'Wrong',
    websites: ['bakery.com', 'ftp://bakery.com', { website: 'me@bakery.com' }],
    websitesCsv: 'website\ncafe.com\nnot a website\n',
    exclusions: ['competitor.com', '*.competitor.org', 'not a domain'],
  }
  const { errors } = await refused(body)
  expect(errors?.map(({ pointer }) => pointer)).toEqual([
    '/websites/1',
    '/websites/2/website',
    '/websitesCsv',
    '/exclusions/2',
  ])
  expect(errors?.[2]?.detail).toMatch(/^line 3: /)
})

test.each([
  [
    'a byte order mark, CRLF and quotes',
    '\ufeffWebsite,Name\r\n"bakery.com","The ""best"" bakery"\r\n',
    'The "best" bakery',
  ],
  ['semicolons', 'name;website\nBakery;bakery.com\n', 'Bakery'],
  ['tabs and further columns', 'id\twebsite\tNAME\n1\tbakery.com\tBakery\n', 'Bakery'],
  ['blank lines and no last line end', '\nwebsite\n\nbakery.com\n,,\n ', null],
])('a CSV with %s is understood', async (_, websitesCsv, name) => {
  const { id } = await started({ name: 'CSV', websitesCsv })
  expect((await definitionOf(id))?.websites).toEqual([{ website: 'bakery.com', name }])
})

test.each([
  ['without a website column', 'url,name\nbakery.com,Bakery\n', /"website" \(it has "url", "name"\)/],
  ['that is empty', '', /it is empty/],
  ['with an open quotation mark', 'website\n"bakery.com\n', /quotation mark/],
])('a CSV %s is answered 400', async (_, websitesCsv, detail) => {
  const { errors } = await refused({ name: 'CSV', websitesCsv })
  expect(errors).toEqual([{ pointer: '/websitesCsv', detail: expect.stringMatching(detail) }])
})

test('more than ten thousand websites in all are refused', async () => {
  const websites = Array.from({ length: 6_000 }, (_, n) => `bakery-${n}.com`)
  const websitesCsv = ['website', ...websites].join('\n')
  expect((await refused({ name: 'Many', websites, websitesCsv })).errors?.[0]?.pointer).toBe('/websitesCsv')
})

test('the country is the given one, else that of the organisation', async () => {
  const own = await started(ownList('bakery.com'))
  const given = await started({ ...ownList('bakery.de'), country: 'DE' })
  expect((await definitionOf(own.id))?.country).toBe('US')
  expect((await definitionOf(given.id))?.country).toBe('DE')
})

test('searches are refused while there is no way to make them; an own list is not', async () => {
  const response = await withoutSearch.ask('POST', '/campaigns', { body: { name: 'S', searches: [search] } })
  expect(response.status).toBe(422)
  expect(await response.json()).toMatchObject({
    code: 'not_allowed_now',
    detail: expect.stringContaining('SERPAPI_API_KEY'),
  })
  expect((await withoutSearch.ask('POST', '/campaigns', { body: ownList('bakery.com') })).status).toBe(202)
})

test('pages list every campaign once, the newest first, whatever is added meanwhile', async () => {
  const { ask: askAsOther, database: other, organisationId: owner } = withoutSearch
  const now = new Date()
  const definition = {
    country: 'US',
    searches: [],
    websites: [],
    exclusions: [],
    export: { formats: ['csv' as const], minScore: 0 },
  }
  const add = (name: string) => other.as(owner, (tx) => insertCampaign(tx, { name, definition, actor: 'system', now }))
  const ids: string[] = []
  for (let n = 0; n < 7; n += 1) ids.unshift(await add(`Listed ${n}`))
  const Page = z.object({
    data: z.array(z.object({ id: z.string(), name: z.string() })),
    nextCursor: z.string().nullable(),
  })
  const seen: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = Page.parse(
      await (await askAsOther('GET', `/campaigns?limit=3${cursor && `&cursor=${cursor}`}`)).json(),
    )
    seen.push(...page.data.filter(({ name }) => name.startsWith('Listed')).map(({ id }) => id))
    cursor = page.nextCursor
    await add('Added meanwhile')
  }
  expect(seen).toEqual(ids)
})

test.each(['limit=0', 'limit=101', 'limit=ten', 'limit=1&limit=2', 'cursor=x', 'page=2'])(
  'the query %s is answered 400',
  async (query) => {
    const response = await ask('GET', `/campaigns?${query}`)
    expect(response.status).toBe(400)
    const pointer = `/query/${query.split('=')[0]}`
    expect(await response.json()).toMatchObject({ errors: [{ pointer }] })
  },
)

const control = async (id: string, action: string) => {
  const response = await ask('POST', `/campaigns/${id}/${action}`)
  return { status: response.status, body: z.record(z.string(), z.unknown()).parse(await response.json()) }
}

const paused = { ...queuedCampaign, status: 'paused', stage: 'search', revision: 2 } as const

test('a control is answered with the state that the story gives', async () => {
  const id = await campaignRow(database, organisationId)
  stories.change = async (workflowId) => {
    expect(workflowId).toBe(campaignId(id))
    return paused
  }
  const { status, stage, waitingFor, problem } = paused
  expect(await control(id, 'pause')).toEqual({ status: 200, body: { status, stage, waitingFor, problem } })
})

test('a control in the wrong state is refused with the state, without asking the story', async () => {
  stories.change = () => Promise.reject(new Error('the story was asked'))
  const id = await campaignRow(database, organisationId, { status: 'completed' })
  for (const action of ['pause', 'resume', 'cancel']) {
    const { status, body } = await control(id, action)
    expect(status).toBe(409)
    expect(body).toMatchObject({ code: 'wrong_state', detail: expect.stringContaining('completed') })
  }
})

test('a control is asked of the story again when the answer to the first request was lost, and only then', async () => {
  const id = await campaignRow(database, organisationId, { status: 'paused' })
  stories.change = async () => paused
  const repeated = await ask('POST', `/campaigns/${id}/pause`, { headers: { 'idempotency-key': 'lost' } })
  expect(repeated.status).toBe(200)
  expect((await control(id, 'pause')).status).toBe(409)
})

test('a control that the story refuses is answered 409', async () => {
  stories.change = () => Promise.reject(new StoryRefused('wrong_state', 'the campaign is paused'))
  const id = await campaignRow(database, organisationId)
  expect(await control(id, 'pause')).toMatchObject({ status: 409, body: { code: 'wrong_state' } })
})

test('a control without an answer in time is answered 503, to be sent again', async () => {
  stories.change = () => Promise.reject(new StoryUnreachable('away'))
  const id = await campaignRow(database, organisationId)
  const response = await ask('POST', `/campaigns/${id}/pause`)
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toBe('5')
})

test('a control of a campaign that Temporal has not been told of starts it first', async () => {
  const id = await campaignRow(database, organisationId, { status: 'queued' })
  const workflowId = campaignId(id)
  const start = { workflowId, name: 'prospectCampaign', args: {}, subjectId: id, summary: 's', requestId: 'r' }
  await database.as(organisationId, (tx) => enqueueStart(tx, start, new Date()))
  stories.change = async () => {
    if (!stories.delivered.some((row) => row.workflowId === workflowId)) throw new StoryNotRunning(workflowId)
    return paused
  }
  expect((await control(id, 'pause')).status).toBe(200)
})

test('a control that comes too late is answered 409', async () => {
  const ending = await campaignRow(database, organisationId)
  stories.change = async () => {
    await database.as(organisationId, (tx) => tx`update campaigns set status = 'completed' where id = ${ending}`)
    throw new StoryNotRunning(ending)
  }
  expect((await control(ending, 'pause')).status).toBe(409)
})

test('a campaign whose workflow was terminated is closed at the next control, not asked for ever', async () => {
  const id = await campaignRow(database, organisationId)
  stories.change = () => Promise.reject(new StoryNotRunning('gone'))
  expect((await control(id, 'cancel')).status).toBe(409)
  expect(await (await ask('GET', `/campaigns/${id}`)).json()).toMatchObject({
    status: 'failed',
    problem: 'workflow_gone',
  })
})

test('a campaign enrols in a sequence that is there and may be entered, by a key that may have messages sent', async () => {
  const draft = await sequenceRow(database, organisationId, { status: 'draft' })
  const archived = await sequenceRow(database, organisationId, { status: 'archived' })
  const enrolling = (sequenceId: string) => ({ ...ownList('bakery.com'), enrol: { sequenceId, minScore: 40 } })
  const { id } = await started(enrolling(draft))
  expect(await (await ask('GET', `/campaigns/${id}`)).json()).toMatchObject({
    enrol: { sequenceId: draft, minScore: 40 },
  })
  expect(await (await ask('GET', `/campaigns/${id}/report`)).json()).toMatchObject({
    enrolment: { enrolled: 0, refused: {} },
  })
  for (const sequenceId of [archived, crypto.randomUUID()]) {
    expect(await refused(enrolling(sequenceId))).toMatchObject({
      code: 'invalid_input',
      errors: [{ pointer: '/enrol/sequenceId' }],
    })
  }
  const key = await keyWith(organisationId, ['campaigns:write'])
  const response = await ask('POST', '/campaigns', { body: enrolling(draft), key })
  expect(response.status).toBe(403)
  expect(Refused.parse(await response.json()).detail).toContain('messages:send')
})
