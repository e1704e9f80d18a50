import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { beforeEach, expect, test } from 'vitest'
import { createScoreActivities } from '../../activities/scores.ts'
import type { BatchResult } from '../../activities/searches.ts'
import type { Database } from '../../db/client.ts'
import { createOrganisation } from '../../db/organisations.ts'
import { recordScores } from '../../db/scores.ts'
import { saveScoringRules } from '../../db/scoring-rules.ts'
import { storyEventsAfter } from '../../db/story-events.ts'
import type { Condition } from '../../workflows/contracts/scoring-rules.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { testOrganisation } from '../support/organisation.ts'
import { faultless, visitRows } from '../support/visit-rows.ts'

const { database, system } = await testOrganisation()
const now = new Date('2026-01-05T12:00:00Z')

let organisationId: string
let campaignId: string
beforeEach(async () => {
  organisationId = (await createOrganisation(system, 'Test', 'US')).id
  campaignId = await campaignRow(database, organisationId, { status: 'completed' })
})

const as: <T>(work: Parameters<typeof database.as<T>>[1]) => Promise<T> = (work) => database.as(organisationId, work)
const seed = (visits: Parameters<typeof visitRows>[3]) => visitRows(database, organisationId, campaignId, visits)
const saveRule = (reason: string, points: number, ...when: Condition[]) =>
  as((tx) => saveScoringRules(tx, { rules: [{ reason, points, when }], actor: 'system', now }))
const everywhere: Condition = { field: 'sightings', atLeast: 1 }

function newEnvironment(): MockActivityEnvironment {
  return new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') })
}

function score(environment = newEnvironment(), over: Database = database): Promise<BatchResult> {
  const { scoreProspects } = createScoreActivities({ database: over, clock: () => now })
  return environment.run(scoreProspects, { organisationId, campaignId, now: 0 })
}

interface Scored {
  score: number | null
  reasons: { text: string; points: number }[] | null
  rulesVersion: number
  /** Changes with every write. */
  written: string
}

const scores = () =>
  as(
    (tx) => tx<Scored[]>`
      select score, reasons, rules_version, xmin::text as written from site_visits
      where campaign_id = ${campaignId} order by prospect_id`,
  )
const progress = async () =>
  (await as((tx) => storyEventsAfter(tx, campaignId, 0, 1_000))).map(({ type, data }) => ({ type, data }))

test('what is known of each business is scored by the rules of now, and what nobody looked at yet is left alone', async () => {
  await seed([
    { isAd: true },
    { isAd: true, analysis: { ...faultless, booking: ['calendly'] } },
    { url: null, isAd: true },
    { failure: 'timeout', isAd: true },
    { status: 'pending', isAd: true },
  ])
  await saveRule('advertises in vain', 30, { field: 'runsAds', is: true }, { field: 'booking', has: 'none' })
  expect(await score()).toMatchObject({ finished: true, counts: { done: 4 } })
  const rows = await scores()
  expect(rows.map((row) => [row.score, row.rulesVersion])).toEqual([
    [30, 1],
    [0, 1],
    [0, 1],
    [0, 1],
    [null, 0],
  ])
  expect(rows[0]?.reasons).toEqual([{ text: 'advertises in vain', points: 30 }])
})

test('a campaign of many pages is scored to its last prospect, and to do it again writes nothing', async () => {
  await seed(Array.from({ length: 1_203 }, () => ({})))
  await saveRule('all', 7, everywhere)
  await score()
  const first = await scores()
  expect(new Set(first.map((row) => `${row.score} by ${row.rulesVersion}`))).toEqual(new Set(['7 by 1']))
  await score()
  expect(await scores()).toEqual(first)
})

test('an attempt after a killed one scores the rest and nothing twice', async () => {
  await seed(Array.from({ length: 1_203 }, () => ({})))
  await saveRule('all', 7, everywhere)
  let transactions = 0
  const dying: Database = {
    ...database,
    as: (owner, work) => (++transactions > 2 ? Promise.reject(new Error('killed')) : database.as(owner, work)),
  }
  await expect(score(newEnvironment(), dying)).rejects.toThrow('killed')
  const before = await scores()
  expect(before.filter(({ rulesVersion }) => rulesVersion === 1)).toHaveLength(500)
  await score()
  const after = await scores()
  expect(after.every(({ rulesVersion }) => rulesVersion === 1)).toBe(true)
  expect(after.slice(0, 500)).toEqual(before.slice(0, 500))
})

test('a cancelled attempt ends at its page', async () => {
  await seed(Array.from({ length: 1_203 }, () => ({})))
  await saveRule('all', 7, everywhere)
  const environment = newEnvironment()
  let transactions = 0
  const watched: Database = {
    ...database,
    as(owner, work) {
      if (++transactions === 2) environment.cancel()
      return database.as(owner, work)
    },
  }
  await expect(score(environment, watched)).rejects.toThrow()
  expect((await scores()).filter(({ rulesVersion }) => rulesVersion === 1)).toHaveLength(500)
})

test('many at once, while the rules change, end with the scores of the last ones', async () => {
  await seed(Array.from({ length: 700 }, () => ({})))
  const attempts: Promise<BatchResult>[] = []
  for (let points = 1; points <= 4; points += 1) {
    await saveRule('all', points, everywhere)
    attempts.push(score(), score())
  }
  await Promise.all(attempts)
  expect(new Set((await scores()).map((row) => `${row.score} by ${row.rulesVersion}`))).toEqual(new Set(['4 by 4']))
})

test('a late write of an earlier version changes nothing', async () => {
  await seed([{}])
  await saveRule('all', 1, everywhere)
  await saveRule('all', 2, everywhere)
  await score()
  const [row] = await as((tx) => tx<{ prospectId: string }[]>`select prospect_id from site_visits`)
  const late = { prospectId: row?.prospectId ?? '', score: 1, reasons: [] }
  await as((tx) => recordScores(tx, campaignId, { version: 1, scores: [late] }))
  expect(await scores()).toMatchObject([{ score: 2, rulesVersion: 2 }])
})

test('each scoring tells how far it is, the second of a running campaign too', async () => {
  await as((tx) => tx`update campaigns set status = 'running' where id = ${campaignId}`)
  await seed(Array.from({ length: 700 }, () => ({})))
  const done = (count: number) => ({
    type: 'prospect.scored',
    data: expect.objectContaining({ done: count, total: 700 }),
  })
  await score()
  await saveRule('all', 1, everywhere)
  await score()
  await score()
  expect(await progress()).toEqual([done(700), done(0), done(500), done(700)])
})
