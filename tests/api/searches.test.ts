import { expect, test } from 'vitest'
import { z } from 'zod'
import { claimSearchPage, type PageClaim, recordRefusal, recordSearchPage } from '../../db/searches.ts'
import { testApi } from '../support/api.ts'
import { campaignRow } from '../support/campaign-rows.ts'

const { ask, database, organisationId } = await testApi()

const at = new Date('2026-01-05T12:00:00Z')
const hoursLater = (hours: number) => new Date(at.getTime() + hours * 3_600_000)

function claim(campaignId: string, page: number, now = at): Promise<PageClaim> {
  const identity = { campaignId, engine: 'google' as const, fingerprint: 'dentist', page }
  return database.as(organisationId, (tx) =>
    claimSearchPage(tx, { ...identity, query: 'dentist', location: 'Austin, Texas' }, now),
  )
}

async function claimed(campaignId: string, page: number): Promise<string> {
  const claims = await claim(campaignId, page)
  if (claims.action !== 'ask') throw new Error('the page is new')
  return claims.searchId
}

const Listed = z.object({
  data: z.array(z.looseObject({ id: z.string(), page: z.int() })),
  nextCursor: z.string().nullable(),
})

const list = async (query: string) => Listed.parse(await (await ask('GET', `/searches?${query}`)).json())

test('each page that was paid for is listed with what it was for, what it brought and what it cost', async () => {
  const campaignId = await campaignRow(database, organisationId)
  const done = await claimed(campaignId, 0)
  const answer = { results: 10, hasMore: true, droppedDirectories: 1, droppedExclusions: 0, droppedUnusable: 0 }
  await database.as(organisationId, (tx) => recordSearchPage(tx, done, answer))
  const refused = await claimed(campaignId, 1)
  await database.as(organisationId, (tx) => recordRefusal(tx, refused))
  const failed = await claimed(campaignId, 2)
  for (const hours of [2, 4]) await claim(campaignId, 2, hoursLater(hours))
  const asking = await claimed(campaignId, 3)
  await database.as(organisationId, (tx) =>
    claimSearchPage(tx, { campaignId, engine: 'list', fingerprint: 'list', page: 0 }, at),
  )
  const search = { campaignId, engine: 'google', query: 'dentist', location: 'Austin, Texas' }
  const askedAt = at.toISOString()
  expect((await list(`campaignId=${campaignId}`)).data).toEqual([
    { ...search, id: asking, page: 3, status: 'asking', results: null, paid: 1, askedAt },
    { ...search, id: failed, page: 2, status: 'failed', results: null, paid: 2, askedAt: hoursLater(2).toISOString() },
    { ...search, id: refused, page: 1, status: 'refused', results: null, paid: 1, askedAt },
    { ...search, id: done, page: 0, status: 'done', results: 10, paid: 1, askedAt },
  ])
})

test('pages list each search once, the newest first, over all campaigns or of one, whatever is added meanwhile', async () => {
  const [one, other] = [await campaignRow(database, organisationId), await campaignRow(database, organisationId)]
  const ids: string[] = []
  for (let page = 0; page < 7; page += 1) {
    for (const campaignId of [one, other]) ids.unshift(await claimed(campaignId, page))
  }
  const seen: string[] = []
  for (let cursor: string | null = ''; cursor !== null && seen.length < ids.length; ) {
    const page: z.infer<typeof Listed> = await list(`limit=3${cursor && `&cursor=${cursor}`}`)
    seen.push(...page.data.map(({ id }) => id))
    cursor = page.nextCursor
    await claimed(one, 100 + seen.length)
  }
  expect(seen.slice(0, ids.length)).toEqual(ids)
  const { data } = await list(`campaignId=${other.toUpperCase()}&limit=100`)
  expect(data.map(({ page }) => page)).toEqual([6, 5, 4, 3, 2, 1, 0])
})

test('a campaign that is none has no searches, and an id that cannot be one is named', async () => {
  expect(await list(`campaignId=${crypto.randomUUID()}`)).toEqual({ data: [], nextCursor: null })
  const response = await ask('GET', '/searches?campaignId=17')
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ errors: [{ pointer: '/query/campaignId' }] })
})
