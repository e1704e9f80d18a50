import { beforeEach, expect, test } from 'vitest'
import { claimSearchPage, type PageClaim, recordRefusal, recordSearchPage } from '../../db/searches.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, organisationId } = await testOrganisation()
let campaignId: string

beforeEach(async () => {
  campaignId = await campaignRow(database, organisationId)
})

const start = new Date('2026-01-05T12:00:00Z')
const later = (minutes: number) => new Date(start.getTime() + minutes * 60_000)

function claim(now: Date): Promise<PageClaim> {
  const page = { campaignId, engine: 'google' as const, fingerprint: 'dentist in Austin', page: 0 }
  return database.as(organisationId, (tx) => claimSearchPage(tx, page, now))
}

async function paid(): Promise<number> {
  const [row] = await database.as(
    organisationId,
    (tx) =>
      tx<
        { units: number }[]
      >`select coalesce(sum(units), 0)::int as units from spend where campaign_id = ${campaignId}`,
  )
  return row?.units ?? 0
}

function searchIdOf(claimed: PageClaim): string {
  if (claimed.action !== 'ask') throw new Error(`expected to ask, was told ${claimed.action}`)
  return claimed.searchId
}

const answer = { results: 10, hasMore: true, droppedDirectories: 0, droppedExclusions: 0, droppedUnusable: 0 }

test('a page is booked before it is asked for, and once when it was answered', async () => {
  const searchId = searchIdOf(await claim(start))
  expect(await paid()).toBe(1)
  await database.as(organisationId, (tx) => recordSearchPage(tx, searchId, answer))
  expect(await claim(later(90))).toEqual({ action: 'done', results: 10, hasMore: true })
  expect(await paid()).toBe(1)
})

test('a page without an answer is asked again free of charge within the hour', async () => {
  await claim(start)
  expect((await claim(later(59))).action).toBe('ask')
  expect(await paid()).toBe(1)
})

test('a page without an answer is paid once more after the hour, and not a third time', async () => {
  await claim(start)
  expect((await claim(later(61))).action).toBe('ask')
  expect(await paid()).toBe(2)
  expect((await claim(later(100))).action).toBe('ask')
  expect(await paid()).toBe(2)
  expect((await claim(later(180))).action).toBe('failed')
  expect((await claim(later(181))).action).toBe('failed')
  expect(await paid()).toBe(2)
})

test('a booking that an unanswered call may have used does not pay for the next', async () => {
  expect(await claim(start)).toMatchObject({ action: 'ask', isUnspent: true })
  expect(await claim(later(5))).toMatchObject({ action: 'ask', isUnspent: false })
  expect(await claim(later(70))).toMatchObject({ action: 'ask', isUnspent: true })
  expect(await paid()).toBe(2)
})

test('what was booked for a refused call pays for the next, however late', async () => {
  const searchId = searchIdOf(await claim(start))
  await database.as(organisationId, (tx) => recordRefusal(tx, searchId))
  expect((await claim(later(600))).action).toBe('ask')
  expect(await paid()).toBe(1)
})

test('twenty claims of one page at the same moment book it once', async () => {
  await Promise.all(Array.from({ length: 20 }, () => claim(start)))
  expect(await paid()).toBe(1)
})

test('an answer is recorded by the first attempt that brings it', async () => {
  const searchId = searchIdOf(await claim(start))
  const record = () => database.as(organisationId, (tx) => recordSearchPage(tx, searchId, answer))
  expect(await record()).toBe(true)
  expect(await record()).toBe(false)
})
