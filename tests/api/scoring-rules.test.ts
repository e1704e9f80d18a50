import { expect, test } from 'vitest'
import { z } from 'zod'
import { builtInRules, type ScoringRule } from '../../workflows/contracts/scoring-rules.ts'
import { testApi } from '../support/api.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { faultless, visitRows } from '../support/visit-rows.ts'

const { ask, database, organisationId, neighbour, stories, system } = await testApi()

const Rules = z.object({ version: z.int(), rules: z.array(z.unknown()), actor: z.string().nullable() })
const Problem = z.object({ code: z.string(), errors: z.array(z.object({ pointer: z.string(), detail: z.string() })) })
const Spread = z.object({ average: z.number().nullable(), bands: z.array(z.object({ prospects: z.int() })) })
const Score = z.object({ score: z.int(), reasons: z.array(z.unknown()) })
const Preview = z.object({
  prospects: z.int(),
  changed: z.int(),
  before: Spread,
  after: Spread,
  mostChanged: z.array(z.object({ name: z.string().nullable(), before: Score, after: Score })),
})

const builders: ScoringRule = { reason: 'website builder', points: 15, when: [{ field: 'cms', in: ['wix', 'weebly'] }] }
const all = (points: number): ScoringRule => ({ reason: 'all', points, when: [{ field: 'sightings', atLeast: 1 }] })

const save = async (rules: unknown, key?: string) =>
  Rules.parse(await (await ask('POST', '/scoring-rules', { body: { rules }, ...(key && { key }) })).json())
const read = async (key?: string) => Rules.parse(await (await ask('GET', '/scoring-rules', key ? { key } : {})).json())

test('rules are the ones that come with Throughline until others are saved, each save being a version', async () => {
  const { key } = await neighbour()
  expect(await read(key)).toEqual({ version: 0, rules: builtInRules, actor: null })
  expect(await save([builders], key)).toMatchObject({ version: 1, rules: [builders] })
  expect(await save([all(5), builders], key)).toMatchObject({ version: 2 })
  expect(await read(key)).toEqual({ version: 2, rules: [all(5), builders], actor: expect.stringMatching(/^key:/) })
})

test('the rules that come with Throughline can be taken as they are and added to', async () => {
  const { key } = await neighbour()
  const { rules } = await read(key)
  expect(await save([...rules, builders], key)).toMatchObject({ version: 1, rules: [...builtInRules, builders] })
})

test.each([
  [{ field: 'colour', is: true }, '/field', /^There is no such field: give site, https, .*, cms, .*sightings\.$/],
  [{ is: true }, '/field', /^There is no such field: give site/],
  [{ field: 'cms', is: 'wix' }, '/is', /^A condition on cms takes in, notIn and nothing else\.$/],
  [{ field: 'https', is: true, has: 'any' }, '/has', /takes is and nothing else/],
  [{ field: 'sightings', in: [3] }, '/in', /takes atLeast, atMost and nothing else/],
  [{ field: 'cms', in: ['wordpres'] }, '/in/0', /"wordpress"\|"wix"\|.*\|"none"/],
  [{ field: 'booking', has: 'calendy' }, '/has', /"calendly"\|.*"any"\|"none"/],
  [{ field: 'socials', has: 'myspace.com' }, '/has', /"facebook\.com"/],
  [{ field: 'failure', notIn: ['gone'] }, '/notIn/0', /"timeout"/],
  [{ field: 'language', in: ['German!'] }, '/in/0', /such as en or de-AT/],
  [{ field: 'httpStatus', in: [99] }, '/in/0', /100/],
  [{ field: 'cms' }, '', /^Give in, notIn or both\.$/],
  [{ field: 'cms', in: [] }, '/in', />=1/],
  [{ field: 'responseMs' }, '', /^Give atLeast, atMost or both\.$/],
  [{ field: 'responseMs', atLeast: 5, atMost: 4 }, '', /No number/],
  [{ field: 'https', is: 'yes' }, '/is', /boolean/],
  ['https', '', /object/],
])('the condition %j is refused where it is wrong, with what there is', async (condition, pointer, detail) => {
  const rules = [all(1), { reason: 'wrong', points: 1, when: [{ field: 'https', is: true }, condition] }]
  const response = await ask('POST', '/scoring-rules', { body: { rules } })
  expect(response.status).toBe(400)
  const { code, errors } = Problem.parse(await response.json())
  expect(code).toBe('invalid_input')
  expect(errors[0]).toEqual({ pointer: `/rules/1/when/1${pointer}`, detail: expect.stringMatching(detail) })
})

test.each([
  [{ ...all(1), points: 101 }, '/points'],
  [{ ...all(1), points: 1.5 }, '/points'],
  [{ ...all(1), points: '5' }, '/points'],
  [{ ...all(1), reason: ' ' }, '/reason'],
  [{ ...all(1), when: [] }, '/when'],
  [{ ...all(1), when: Array.from({ length: 11 }, () => ({ field: 'https', is: true })) }, '/when'],
  [{ ...all(1), unless: [] }, '/unless'],
])('the rule %j is refused', async (rule, pointer) => {
  const response = await ask('POST', '/scoring-rules', { body: { rules: [rule] } })
  expect(Problem.parse(await response.json()).errors[0]).toMatchObject({ pointer: `/rules/0${pointer}` })
})

test('a hundred rules are kept, none and a hundred and one are refused', async () => {
  const { key } = await neighbour()
  const rules = Array.from({ length: 100 }, () => ({
    reason: 'x'.repeat(200),
    points: 1,
    when: Array.from({ length: 5 }, () => ({ field: 'failure', in: ['timeout', 'network_unreachable'] })),
  }))
  expect(await save(rules, key)).toMatchObject({ version: 1 })
  for (const wrong of [[], [...rules, all(1)]]) {
    const response = await ask('POST', '/scoring-rules', { body: { rules: wrong }, key })
    expect(Problem.parse(await response.json()).errors).toMatchObject([{ pointer: '/rules' }])
  }
})

test('rules that would keep everybody waiting while prospects are scored by them are refused for their length', async () => {
  const languages = Array.from({ length: 50 }, (_, n) => `de-DE-1${String(n).padStart(3, '0')}`)
  const costly = {
    reason: 'x',
    points: 1,
    when: Array.from({ length: 10 }, () => ({ field: 'language', in: languages })),
  }
  const rules = Array.from({ length: 12 }, () => costly)
  const { key } = await neighbour()
  expect(await save(rules.slice(0, 5), key)).toMatchObject({ rules: { length: 5 } })
  const saved = await ask('POST', '/scoring-rules', { body: { rules } })
  expect([saved.status, (await preview(crypto.randomUUID(), rules)).status]).toEqual([413, 413])
})

const preview = async (campaign: string, rules: unknown, key?: string) =>
  ask('POST', '/scoring-rules/preview', { body: { rules, campaignId: campaign }, ...(key && { key }) })

test('a preview shows what rules would do to a campaign of any size, and changes nothing', async () => {
  const id = await campaignRow(database, organisationId, { status: 'completed' })
  await visitRows(database, organisationId, id, [
    ...Array.from({ length: 1_000 }, () => ({ score: 50 })),
    ...Array.from({ length: 200 }, () => ({ score: 50, analysis: { ...faultless, cms: 'wix' } })),
    { score: 0, analysis: { ...faultless, cms: 'wix' } },
    { status: 'pending' },
  ])
  const state = () => database.as(organisationId, (tx) => tx`select *, xmin from site_visits order by prospect_id`)
  const before = await state()
  const rules = [all(50), { ...builders, points: 40 }]
  const shown = Preview.parse(await (await preview(id, rules)).json())
  expect(shown).toMatchObject({ prospects: 1_201, changed: 201, before: { average: 50 }, after: { average: 56.7 } })
  expect(shown.before.bands.map(({ prospects }) => prospects)).toEqual([1, 0, 1_200, 0, 0])
  expect(shown.after.bands.map(({ prospects }) => prospects)).toEqual([0, 0, 1_000, 0, 201])
  expect(shown.mostChanged).toHaveLength(10)
  expect(shown.mostChanged[0]).toEqual({
    name: 'Business 1200',
    before: { score: 0, reasons: [] },
    after: {
      score: 90,
      reasons: [
        { text: 'all', points: 50 },
        { text: 'website builder', points: 40 },
      ],
    },
  })
  expect(await state()).toEqual(before)
  expect(await read()).toMatchObject({ version: 0 })
})

test('a preview on a campaign without scores is empty', async () => {
  const id = await campaignRow(database, organisationId)
  const shown = Preview.parse(await (await preview(id, [all(1)])).json())
  expect(shown).toMatchObject({ prospects: 0, changed: 0, after: { average: null }, mostChanged: [] })
})

test("a preview on an unknown campaign, or another organisation's, is answered 404", async () => {
  const id = await campaignRow(database, organisationId)
  const { key } = await neighbour()
  expect((await preview(id, [all(1)], key)).status).toBe(404)
  expect((await preview(crypto.randomUUID(), [all(1)])).status).toBe(404)
  expect((await preview('x', [all(1)])).status).toBe(400)
})

const rescore = async (id: string, headers: Record<string, string> = {}) => {
  const response = await ask('POST', `/campaigns/${id}/rescore`, { headers })
  return { status: response.status, body: z.record(z.string(), z.unknown()).parse(await response.json()) }
}
const startsOf = (id: string) => system`
  select workflow_id, name, args, status from outbox where subject_id = ${id} and name = 'prospectRescoring' order by id`

test('a campaign is scored anew as often as that is asked, and once under one key', async () => {
  const id = await campaignRow(database, organisationId, { status: 'completed' })
  const first = await rescore(id)
  expect(first).toEqual({
    status: 202,
    body: {
      workflowId: expect.stringContaining(`rescoring/${id}/`),
      status: 'queued',
      rulesVersion: expect.any(Number),
      links: expect.objectContaining({ prospects: `/api/v1/campaigns/${id}/prospects` }),
    },
  })
  await expect.poll(() => stories.delivered.map((row) => row.workflowId)).toContain(first.body.workflowId)
  const again = await rescore(id, { 'idempotency-key': 'rescore' })
  expect(again.body.workflowId).not.toBe(first.body.workflowId)
  expect(await rescore(id, { 'idempotency-key': 'rescore' })).toEqual(again)
  expect(await startsOf(id)).toMatchObject([
    { name: 'prospectRescoring', args: { organisationId, campaignId: id } },
    { workflowId: again.body.workflowId },
  ])
})
