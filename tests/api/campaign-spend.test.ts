import { expect, test } from 'vitest'
import { z } from 'zod'
import { campaignDefinition } from '../../db/campaigns.ts'
import { allowSearches } from '../../db/organisations.ts'
import { insertSavedSearchRun } from '../../db/saved-searches.ts'
import { bookSearch } from '../../db/spend.ts'
import { appendStoryEvents } from '../../db/story-events.ts'
import { StoryUnreachable } from '../../temporal-config/stories.ts'
import { queuedCampaign } from '../../workflows/contracts/prospect-campaign.ts'
import { ownList, testApi } from '../support/api.ts'
import { campaignRow } from '../support/campaign-rows.ts'

const clock = () => new Date('2026-03-31T23:00:00Z')
const { ask, database, system, organisationId, stories } = await testApi({ clock })
const as = <T>(work: Parameters<typeof database.as<T>>[1]) => database.as(organisationId, work)
const read = async (path: string) => z.record(z.string(), z.unknown()).parse(await (await ask('GET', path)).json())

test('a budget and an approval are part of the campaign from its start', async () => {
  const response = await ask('POST', '/campaigns', {
    body: { ...ownList('bakery.com'), budget: { searches: 25 }, approval: 'sample' },
  })
  const { id } = z.object({ id: z.uuid() }).parse(await response.json())
  expect(await read(`/campaigns/${id}`)).toMatchObject({ budget: { searches: 25 }, approval: 'sample' })
})

test.each([{ budget: { searches: -1 } }, { budget: 10 }, { approval: 'all' }])('%j is refused', async (more) => {
  const response = await ask('POST', '/campaigns', { body: { ...ownList('bakery.com'), ...more } })
  expect(response.status).toBe(400)
})

const waiting = (waitingFor: 'budget' | 'approval') =>
  campaignRow(database, organisationId, { status: 'waiting', stage: 'search', waitingFor })

test('a budget is set by the story, which is told how much and by whom', async () => {
  const id = await waiting('budget')
  let asked: unknown
  stories.change = async (_workflowId, _updateId, args) => {
    asked = args
    return { ...queuedCampaign, status: 'running', budget: 40 }
  }
  const response = await ask('POST', `/campaigns/${id}/budget`, { body: { searches: 40 } })
  expect(await response.json()).toMatchObject({ status: 'running', waitingFor: null, budget: { searches: 40 } })
  expect(asked).toEqual([40, expect.stringMatching(/^key:/)])
})

test('another amount under the key of a request whose answer was lost is asked of the story anew', async () => {
  const id = await waiting('budget')
  const updates: string[] = []
  stories.change = async (_workflowId, updateId) => {
    updates.push(updateId)
    if (updates.length === 1) throw new StoryUnreachable('the answer is lost')
    return { ...queuedCampaign, status: 'running', budget: 20 }
  }
  const set = (searches: number) =>
    ask('POST', `/campaigns/${id}/budget`, { body: { searches }, headers: { 'idempotency-key': 'lost' } })
  expect((await set(10)).status).toBe(503)
  expect((await set(20)).status).toBe(200)
  expect(new Set(updates).size).toBe(2)
})

test('only a campaign that waits for approval is approved, and none of them is merely resumed', async () => {
  stories.change = async () => ({ ...queuedCampaign, status: 'running' })
  const [forBudget, forApproval] = [await waiting('budget'), await waiting('approval')]
  const status = async (id: string, action: string) => (await ask('POST', `/campaigns/${id}/${action}`)).status
  expect(await status(forBudget, 'approve')).toBe(409)
  expect(await status(forApproval, 'approve')).toBe(200)
  expect(await status(forApproval, 'resume')).toBe(409)
  expect(await status(forBudget, 'resume')).toBe(200)
})

const withSheet = {
  export: {
    formats: ['csv' as const],
    minScore: 0,
    sheet: { people: [{ emailAddress: 'a@b.com', role: 'reader' as const }] },
  },
}
const people = [{ emailAddress: 'sales@b.com', role: 'writer' as const }]

test('whom a spreadsheet is shared with can be changed, of a run for the runs after it too', async () => {
  const parked = await campaignRow(database, organisationId, { status: 'waiting', waitingFor: 'repair' }, withSheet)
  expect((await ask('POST', `/campaigns/${parked}/share`, { body: { people } })).status).toBe(200)
  expect((await as((tx) => campaignDefinition(tx, parked)))?.export.sheet?.people).toEqual(people)

  const saved = await campaignRow(database, organisationId, { status: 'completed' }, withSheet)
  const runDue = (dueAt: string) =>
    as((tx) => insertSavedSearchRun(tx, { savedSearchId: saved, begunBy: dueAt, dueAt: new Date(dueAt), now: clock() }))
  const peopleOf = async (id: string | null) =>
    (await as((tx) => campaignDefinition(tx, id ?? '')))?.export.sheet?.people
  const first = await runDue('2026-01-05T06:00:00Z')
  expect((await ask('POST', `/campaigns/${first}/share`, { body: { people } })).status).toBe(200)
  expect(await peopleOf(first)).toEqual(people)
  expect(await peopleOf(await runDue('2026-01-12T06:00:00Z'))).toEqual(people)
  expect((await ask('POST', `/campaigns/${saved}/share`, { body: { people: [] } })).status).toBe(200)
  expect(await peopleOf(await runDue('2026-01-19T06:00:00Z'))).toEqual([])
  expect(await peopleOf(first)).toEqual(people)

  const without = await campaignRow(database, organisationId)
  expect((await ask('POST', `/campaigns/${without}/share`, { body: { people } })).status).toBe(409)
  const wrong = await ask('POST', `/campaigns/${parked}/share`, { body: { people: [{ emailAddress: 'nobody' }] } })
  expect(await wrong.json()).toMatchObject({ errors: [{ pointer: '/people/0/emailAddress' }] })
})

test('a report tells the stages with their time, the spend, the failures by reason and the best prospects', async () => {
  const id = await campaignRow(database, organisationId, {
    status: 'waiting',
    waitingFor: 'approval',
    stage: 'analyse',
  })
  const at = (minutes: number) => new Date(clock().getTime() - minutes * 60_000)
  await as(async (tx) => {
    await tx`update campaigns set started_at = ${at(10)} where id = ${id}`
    await appendStoryEvents(tx, id, [
      { type: 'campaign.stage_changed', data: { stage: 'search' }, at: at(10) },
      { type: 'campaign.stage_changed', data: { stage: 'analyse' }, at: at(7) },
    ])
    await bookSearch(tx, { sourceKey: 'search/report/1', campaignId: id }, at(9))
    for (let n = 0; n < 12; n += 1) {
      await tx`
        with found as (insert into prospects (name) values (${`Bakery ${n}`}) returning id),
        searched as (
          insert into searches (campaign_id, engine, fingerprint, page, asked_at) values (${id}, 'list', ${`f${n}`}, 0, now())
          returning id),
        seen as (
          insert into sightings (search_id, position, campaign_id, prospect_id)
          select searched.id, 0, ${id}, found.id from searched, found)
        insert into site_visits (campaign_id, prospect_id, status, score, reasons, failure, finished_at)
        select ${id}, id, 'done', ${n * 9}, '[]', ${n < 5 ? (n < 3 ? 'timeout' : 'dns_not_found') : null}, now() from found`
    }
  })
  const report = await read(`/campaigns/${id}/report`)
  expect(report).toMatchObject({
    status: 'waiting',
    waitingFor: 'approval',
    seconds: 600,
    stages: [
      { stage: 'search', seconds: 180 },
      { stage: 'analyse', seconds: 420 },
    ],
    searches: { paid: 1, budget: null },
    failures: [
      { code: 'timeout', sites: 3 },
      { code: 'dns_not_found', sites: 2 },
    ],
    scores: { scored: 12, average: 49.5, tenths: [2, 1, 1, 1, 1, 1, 1, 1, 1, 2] },
    best: Array.from({ length: 10 }, (_, n) => ({ score: 99 - n * 9 })),
  })
})

test('usage tells what is left of the month and what each month took', async () => {
  const { ask: askOther, database: other, system: owner, organisationId: id } = await testApi({ clock })
  await allowSearches(owner, id, 3)
  const campaignId = await campaignRow(other, id)
  const book = (key: string, at: string) =>
    other.as(id, (tx) => bookSearch(tx, { sourceKey: key, campaignId }, new Date(at)))
  await book('search/1/1', '2026-02-28T23:59:59Z')
  await book('search/2/1', '2026-03-01T00:00:00Z')
  await book('search/3/1', '2026-03-31T22:00:00Z')
  expect(await (await askOther('GET', '/usage?months=3')).json()).toMatchObject({
    allowance: { searches: 3, left: 1 },
    months: [
      { month: '2026-03', searches: 2 },
      { month: '2026-02', searches: 1 },
      { month: '2026-01', searches: 0 },
    ],
  })
  await allowSearches(system, organisationId, null)
  expect(await read('/usage')).toMatchObject({ allowance: { searches: null, left: null } })
  expect((await ask('GET', '/usage?months=0')).status).toBe(400)
})
