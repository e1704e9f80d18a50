import { expect, test } from 'vitest'
import { z } from 'zod'
import { StoryUnreachable } from '../../temporal-config/stories.ts'
import { createStorySchedules } from '../../temporal-config/story-schedules.ts'
import { campaignScheduleId, savedSearchRunId } from '../../workflows/contracts/saved-search-run.ts'
import { testApi } from '../support/api.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { ownNamespace, patience } from '../support/temporal.ts'

// Without a worker: what is begun stays under way.
const { client } = await ownNamespace('schedules')
const schedules = createStorySchedules(client, patience)
/** What loses the next answer of Temporal, once it has done what it was asked. */
let loses: 'trigger' | 'remove' | null = null
const triggered: string[] = []
const { ask, database, organisationId, system, neighbour } = await testApi({
  schedules: {
    ...schedules,
    async trigger(scheduleId, requestId) {
      triggered.push(requestId)
      await schedules.trigger(scheduleId, requestId)
      loseAnswerOf('trigger')
    },
    async remove(scheduleId) {
      await schedules.remove(scheduleId)
      loseAnswerOf('remove')
    },
  },
})
const whileAway = await testApi()

const Schedule = z.object({
  cron: z.string().nullable(),
  every: z.string().nullable(),
  timeZone: z.string().nullable(),
  startAt: z.string().nullable(),
  paused: z.boolean(),
  note: z.string().nullable(),
  nextRuns: z.array(z.coerce.date()),
})
const Refused = z.object({
  code: z.string(),
  detail: z.string(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).default([]),
})

function loseAnswerOf(action: 'trigger' | 'remove'): void {
  if (loses !== action) return
  loses = null
  throw new StoryUnreachable('lost')
}

const newCampaign = () => campaignRow(database, organisationId, { status: 'completed' })
const schedule = (id: string, body: unknown) => ask('POST', `/campaigns/${id}/schedule`, { body })
const act = async (id: string, action: string) =>
  Schedule.parse(await (await ask('POST', `/campaigns/${id}/schedule/${action}`)).json())
const actWith = (id: string, action: string, key: string) =>
  ask('POST', `/campaigns/${id}/schedule/${action}`, { headers: { 'idempotency-key': key } })
const infoOf = async (id: string) => (await client.schedule.getHandle(campaignScheduleId(id)).describe()).info
const isUnderWay = (id: string) =>
  expect.poll(async () => (await infoOf(id)).runningActions, { timeout: 20_000 }).toHaveLength(1)
const began = Math.floor(Date.now() / 1_000)
const inDays = (days: number) => new Date((began + days * 86_400) * 1_000).toISOString()
const refused = async (response: Response) => Refused.parse(await response.json())

test('a cron line fires in its time zone, and reads as it was written', async () => {
  const id = await newCampaign()
  const response = await schedule(id, { cron: '30  6 * * MON', timeZone: 'America/Chicago', catchUp: 'PT6H' })
  expect(response.status).toBe(200)
  const answer: unknown = await response.json()
  expect(answer).toMatchObject({
    cron: '30 6 * * MON',
    every: null,
    timeZone: 'America/Chicago',
    overlap: 'skip',
    catchUp: 'PT6H',
    paused: false,
    lastRuns: [],
    skippedRuns: 0,
    missedRuns: 0,
  })
  expect(await (await ask('GET', `/campaigns/${id}/schedule`)).json()).toEqual(answer)
  const { nextRuns } = Schedule.parse(answer)
  expect(nextRuns).toHaveLength(5)
  const inChicago = new Intl.DateTimeFormat('en-GB', {
    timeZone: 'America/Chicago',
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
  })
  expect(new Set(nextRuns.map((due) => inChicago.format(due)))).toEqual(new Set(['Mon 06:30']))
  // What the SDK leaves open is said.
  const { policies, action } = await client.schedule.getHandle(campaignScheduleId(id)).describe()
  expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 6 * 3_600_000 })
  expect(action).toMatchObject({ workflowType: 'savedSearchRun', workflowId: savedSearchRunId(id) })
  expect(action.args).toEqual([{ organisationId, campaignId: id }])
})

test("without a time zone the organisation's counts", async () => {
  await system`update organisations set time_zone = 'Asia/Kolkata' where id = ${organisationId}`
  const answer = Schedule.parse(await (await schedule(await newCampaign(), { cron: '0 6 1 * *' })).json())
  expect(answer.timeZone).toBe('Asia/Kolkata')
  expect(answer.nextRuns.every((due) => due.getUTCHours() === 0 && due.getUTCMinutes() === 30)).toBe(true)
})

test('an interval begins when it is told to, keeps its beat when it is set again, and takes another on request', async () => {
  const id = await newCampaign()
  const startAt = inDays(300)
  const first = Schedule.parse(await (await schedule(id, { every: 'P7D', startAt })).json())
  expect(first).toMatchObject({ every: 'P7D', cron: null, timeZone: null })
  expect(first.nextRuns.map((due) => due.toISOString()).slice(0, 2)).toEqual([startAt, inDays(307)])
  const again = Schedule.parse(await (await schedule(id, { every: 'PT168H' })).json())
  expect(again.nextRuns).toEqual(first.nextRuns)
  const other = Schedule.parse(await (await schedule(id, { every: 'P1D' })).json())
  const [due] = other.nextRuns
  expect(due && Math.abs(due.getTime() - Date.now() - 86_400_000)).toBeLessThan(60_000)
})

test('a pause shows who and no next run, stays when the schedule is changed, and ends with the resumption', async () => {
  const id = await newCampaign()
  expect(await (await schedule(id, { cron: '0 6 * * 1' })).json()).toMatchObject({ note: null })
  expect(await act(id, 'pause')).toMatchObject({
    paused: true,
    nextRuns: [],
    note: expect.stringMatching(/^Paused by key:/),
  })
  expect(await (await schedule(id, { cron: '0 7 * * 1' })).json()).toMatchObject({ paused: true, cron: '0 7 * * 1' })
  const resumed = await act(id, 'resume')
  expect(resumed.paused).toBe(false)
  expect(resumed.nextRuns).toHaveLength(5)
})

test('a removed schedule is no more, and a campaign without one has none to read or steer', async () => {
  const id = await newCampaign()
  await schedule(id, { cron: '0 6 * * 1' })
  expect((await ask('POST', `/campaigns/${id}/schedule/remove`)).status).toBe(200)
  for (const path of ['', '/pause', '/resume', '/trigger', '/remove']) {
    const response = await ask(path === '' ? 'GET' : 'POST', `/campaigns/${id}/schedule${path}`)
    expect([path, response.status]).toEqual([path, 404])
    expect((await refused(response)).detail).toBe('This campaign has no schedule.')
  }
  expect((await schedule(id, { cron: '0 6 * * 1' })).status).toBe(200)
})

test.each<[string, object, string, RegExp]>([
  ['a line that never fires', { cron: '0 0 31 2 *' }, '/cron', /never fires/],
  ['no cron line', { cron: 'every monday' }, '/cron', /five fields/],
  ['neither', {}, '', /cron, or every/],
  ['both', { cron: '0 6 * * 1', every: 'P7D' }, '', /cron, or every/],
  ['months', { every: 'P1M' }, '/every', /no fixed length/],
  ['seconds', { every: 'PT30S' }, '/every', /at least PT1M/],
  ['years', { every: 'P400D' }, '/every', /at most P366D/],
  ['an interval with a time zone', { every: 'P7D', timeZone: 'UTC' }, '/timeZone', /startAt/],
  ['no time zone', { cron: '0 6 * * 1', timeZone: 'Europe/Atlantis' }, '/timeZone', /America\/Chicago/],
  ['an offset', { cron: '0 6 * * 1', timeZone: '+02:00' }, '/timeZone', /America\/Chicago/],
  ['no catch-up', { cron: '0 6 * * 1', catchUp: 'soon' }, '/catchUp', /ISO 8601/],
  ['another overlap', { cron: '0 6 * * 1', overlap: 'allow_all' }, '/overlap', /skip/],
  ['a time zone in the wrong case', { cron: '0 6 * * 1', timeZone: 'europe/berlin' }, '/timeZone', /time zone/],
  ['a step of twenty digits', { cron: '*/99999999999999999999 6 * * *' }, '/cron', /minute/],
  ['a start before 1970', { every: 'P7D', startAt: '1969-12-31T00:00:00Z' }, '/startAt', /366 days/],
  ['a start that nobody lives to see', { cron: '0 6 * * 1', startAt: '9999-01-01T00:00:00Z' }, '/startAt', /366 days/],
])('%s is answered 400', async (_, body, pointer, detail) => {
  const response = await schedule(await newCampaign(), body)
  expect(response.status).toBe(400)
  const { errors } = await refused(response)
  expect(errors).toEqual([{ pointer, detail: expect.stringMatching(detail) }])
})

test('everything wrong is named at once', async () => {
  const body = { cron: '0 0 31 2 *', timeZone: 'Nowhere', catchUp: 'P1Y' }
  const { errors } = await refused(await schedule(await newCampaign(), body))
  expect(errors.map(({ pointer }) => pointer)).toEqual(['/cron', '/timeZone', '/catchUp'])
})

test('a run can be triggered, also while the schedule is paused; by skip not while one is under way', async () => {
  const id = await newCampaign()
  await schedule(id, { cron: '0 6 * * 1' })
  await act(id, 'pause')
  expect((await ask('POST', `/campaigns/${id}/schedule/trigger`)).status).toBe(200)
  await isUnderWay(id)
  const response = await ask('POST', `/campaigns/${id}/schedule/trigger`)
  expect(response.status).toBe(409)
  expect(await refused(response)).toMatchObject({
    code: 'wrong_state',
    detail: expect.stringMatching(/still under way/),
  })
  await schedule(id, { cron: '0 6 * * 1', overlap: 'buffer_one' })
  expect((await ask('POST', `/campaigns/${id}/schedule/trigger`)).status).toBe(200)
})

test('a trigger whose answer was lost is asked for again under its key: no other run, no refusal', async () => {
  const id = await newCampaign()
  await schedule(id, { cron: '0 6 * * 1' })
  loses = 'trigger'
  const lost = await actWith(id, 'trigger', 'monday')
  expect([lost.status, (await refused(lost)).detail]).toEqual([503, expect.stringMatching(/safe to ask again/)])
  await isUnderWay(id)
  expect((await actWith(id, 'trigger', 'tuesday')).status).toBe(409)
  expect((await actWith(id, 'trigger', 'monday')).status).toBe(200)
  expect(await infoOf(id)).toMatchObject({ numActionsTaken: 1, numActionsSkippedOverlap: 0 })
  expect(triggered.filter((requestId) => /day/.test(requestId))).toEqual([])
})

test('without a key nobody is told that a trigger is safe to repeat', async () => {
  const id = await newCampaign()
  await schedule(id, { cron: '0 6 * * 1' })
  loses = 'trigger'
  const lost = await ask('POST', `/campaigns/${id}/schedule/trigger`)
  expect([lost.status, (await refused(lost)).detail]).toEqual([503, expect.stringMatching(/may have begun/)])
})

test('a removal whose answer was lost is answered as done under its key', async () => {
  const id = await newCampaign()
  await schedule(id, { cron: '0 6 * * 1' })
  loses = 'remove'
  expect((await actWith(id, 'remove', 'gone')).status).toBe(503)
  const again = await actWith(id, 'remove', 'gone')
  expect([again.status, await again.json()]).toEqual([200, { removed: true }])
})

test('what Temporal refuses beside a time zone is a mistake of ours, and no answer to the caller', async () => {
  const at = { cron: 'no line that we let through', timeZone: 'UTC' }
  const rhythm = { at, startAt: null, overlap: 'skip', catchUpMs: 60_000 } as const
  const story = { organisationId, workflowId: 'none', name: 'none', args: {}, subjectId: 'none', summary: '' }
  await expect(schedules.set('refused', rhythm, story, new Date())).rejects.toBeInstanceOf(TypeError)
})

test('Temporal agrees on which lines fire', async () => {
  const handle = await client.schedule.create({
    scheduleId: 'agrees',
    spec: {},
    state: { paused: true },
    action: { type: 'startWorkflow', workflowType: 'none', taskQueue: 'none' },
  })
  const fires = async (line: string) => {
    await handle.update(({ action, state }) => ({ action, state, spec: { cronExpressions: [line] } }))
    return (await handle.describe()).info.nextActionTimes.length > 0
  }
  for (const line of ['0 0 29 2 *', '59 23 31 1,2 *', '5/20 0-5/2 1,31 jan-DEC/2 *', '0 0 * * 7', '0 0 1-31 * sun']) {
    expect([line, await fires(line)]).toEqual([line, true])
  }
  for (const line of ['0 0 31 2 *', '0 0 30 feb *', '0 0 31 4,6,9,11 *']) {
    expect([line, await fires(line)]).toEqual([line, false])
  }
  await handle.delete()
})

test('a run of a saved search is not scheduled itself: the answer names the campaign that is', async () => {
  const id = await newCampaign()
  const run = await newCampaign()
  await database.as(
    organisationId,
    (tx) => tx`update campaigns set saved_search_id = ${id}, begun_by = 'test', due_at = now() where id = ${run}`,
  )
  const response = await schedule(run, { cron: '0 6 * * 1' })
  expect(response.status).toBe(409)
  expect(await refused(response)).toMatchObject({ code: 'wrong_state', detail: expect.stringContaining(id) })
  const listed = await ask('GET', `/campaigns?savedSearchId=${id}`)
  expect(await listed.json()).toMatchObject({ data: [{ id: run, savedSearchId: id }], nextCursor: null })
})

test('a run whose story has not begun yet is not taken for lost', async () => {
  const id = await newCampaign()
  const run = await campaignRow(database, organisationId, { status: 'queued' })
  await database.as(
    organisationId,
    (tx) => tx`update campaigns set saved_search_id = ${id}, begun_by = 'test', due_at = now() where id = ${run}`,
  )
  const response = await ask('POST', `/campaigns/${run}/pause`)
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
  expect(await (await ask('GET', `/campaigns/${run}`)).json()).toMatchObject({ status: 'queued' })
})

test("another organisation's campaign can be neither scheduled nor read", async () => {
  const id = await newCampaign()
  await schedule(id, { cron: '0 6 * * 1' })
  const { key } = await neighbour()
  expect((await ask('GET', `/campaigns/${id}/schedule`, { key })).status).toBe(404)
  expect((await ask('POST', `/campaigns/${id}/schedule`, { key, body: { cron: '0 6 * * 1' } })).status).toBe(404)
  expect((await ask('POST', `/campaigns/${id}/schedule/remove`, { key })).status).toBe(404)
  expect((await ask('GET', `/campaigns/${id}/schedule`)).status).toBe(200)
})

test('while Temporal is away every request is answered 503 with when to come again', async () => {
  const id = await campaignRow(whileAway.database, whileAway.organisationId)
  const asked: [string, string, object?][] = [
    ['POST', '', { cron: '0 6 * * 1' }],
    ['GET', ''],
    ['POST', '/pause'],
    ['POST', '/resume'],
    ['POST', '/trigger'],
    ['POST', '/remove'],
  ]
  for (const [method, path, body] of asked) {
    const response = await whileAway.ask(method, `/campaigns/${id}/schedule${path}`, { body })
    expect([path, response.status, response.headers.get('retry-after')]).toEqual([path, 503, '5'])
  }
})
