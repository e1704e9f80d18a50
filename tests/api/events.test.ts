import { EventSourceParserStream } from 'eventsource-parser/stream'
import { expect, test } from 'vitest'
import { recordCampaignState } from '../../db/campaigns.ts'
import { appendStoryEvents } from '../../db/story-events.ts'
import { queuedCampaign } from '../../workflows/contracts/prospect-campaign.ts'
import { testApi } from '../support/api.ts'
import { campaignRow } from '../support/campaign-rows.ts'

const { ask, api, database, organisationId } = await testApi()
const at = new Date('2026-01-05T12:00:00Z')

const append = (storyId: string, ...types: string[]) =>
  database.as(organisationId, (tx) =>
    appendStoryEvents(
      tx,
      storyId,
      types.map((type) => ({ type, data: { done: 1 }, at })),
    ),
  )

/** As the workflow ends: the state and its event in one transaction. */
const complete = (id: string) =>
  database.as(organisationId, async (tx) => {
    const state = { ...queuedCampaign, status: 'completed', stage: 'analyse', revision: 9 } as const
    await recordCampaignState(tx, id, state, at)
    await appendStoryEvents(tx, id, [{ type: 'campaign.completed', data: {}, at }])
  })

/** Reads a stream event by event. */
async function open(id: string, headers: Record<string, string> = {}) {
  const response = await ask('GET', `/campaigns/${id}/events`, { headers })
  expect(response.status).toBe(200)
  if (!response.body) throw new Error('there is a body')
  const reader = response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())
    .getReader()
  return {
    response,
    next: async () => (await reader.read()).value,
    leave: () => reader.cancel(),
    async rest() {
      const types: (string | undefined)[] = []
      for (let read = await reader.read(); !read.done; read = await reader.read()) types.push(read.value.event)
      return types
    },
  }
}

test('a stream begins with what has happened, goes on as it happens, and ends with the campaign', async () => {
  const id = await campaignRow(database, organisationId)
  await append(id, 'campaign.started')
  const stream = await open(id)
  expect(stream.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  expect(await stream.next()).toEqual({
    id: '1',
    event: 'campaign.started',
    data: JSON.stringify({ done: 1, at: at.toISOString() }),
  })
  await append(id, 'campaign.stage_changed', 'prospect.found')
  expect(await stream.next()).toMatchObject({ id: '2', event: 'campaign.stage_changed' })
  expect(await stream.next()).toMatchObject({ id: '3', event: 'prospect.found' })
  await complete(id)
  expect(await stream.rest()).toEqual(['campaign.completed'])
})

test('a reader that comes back gets what it missed, and 204 once it has all of a finished campaign', async () => {
  const id = await campaignRow(database, organisationId)
  await append(id, ...Array.from({ length: 250 }, () => 'prospect.found'))
  await complete(id)
  await append(id, 'prospect.analysed') // a batch that was still running
  expect(await (await open(id, { 'last-event-id': '249' })).rest()).toEqual([
    'prospect.found',
    'campaign.completed',
    'prospect.analysed',
  ])
  expect(await (await open(id, { 'last-event-id': '251' })).rest()).toEqual(['prospect.analysed'])
  expect(await (await open(id)).rest()).toHaveLength(252)
  expect((await ask('GET', `/campaigns/${id}/events`, { headers: { 'last-event-id': '252' } })).status).toBe(204)
  expect((await ask('GET', `/campaigns/${id}/events?lastEventId=252`)).status).toBe(204)
})

test.each(['x', '-1', '1.5', '1000000'])('the Last-Event-ID %s, which no event has, is answered 400', async (last) => {
  const id = await campaignRow(database, organisationId)
  const response = await ask('GET', `/campaigns/${id}/events`, { headers: { 'last-event-id': last } })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ errors: [{ pointer: '/headers/last-event-id' }] })
})

test('streams go on after the listening connection was lost', async () => {
  const id = await campaignRow(database, organisationId)
  const stream = await open(id)
  await append(id, 'campaign.started')
  expect(await stream.next()).toMatchObject({ id: '1' })
  const cut = await database.as(
    organisationId,
    (tx) => tx`
    select pg_terminate_backend(pid) from pg_stat_activity
    where usename = current_user and query ilike 'listen%'`,
  )
  expect(cut.length).toBeGreaterThan(0)
  await append(id, 'campaign.paused')
  expect(await stream.next()).toMatchObject({ id: '2' })
  await stream.leave()
})

test('an organisation has at most fifty streams open, and a closed one makes room', async () => {
  const id = await campaignRow(database, organisationId)
  const streams = await Promise.all(Array.from({ length: 50 }, () => open(id)))
  const refused = await ask('GET', `/campaigns/${id}/events`)
  expect(refused.status).toBe(429)
  expect(refused.headers.get('retry-after')).toBe('30')
  expect(await refused.json()).toMatchObject({ code: 'limit_reached' })
  await streams.pop()?.leave()
  const status = async () => {
    const response = await ask('GET', `/campaigns/${id}/events`)
    await response.body?.cancel()
    return response.status
  }
  await expect.poll(status).toBe(200)
  await Promise.all(streams.map((stream) => stream.leave()))
})

test('when the server stops, its streams end, and new ones are told to come back', async () => {
  const id = await campaignRow(database, organisationId)
  const stream = await open(id)
  await append(id, 'campaign.started')
  await stream.next()
  await api.drain()
  expect(await stream.rest()).toEqual([])
  expect((await ask('GET', `/campaigns/${id}/events`)).status).toBe(503)
})
