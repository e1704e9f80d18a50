import type { Info } from '@temporalio/activity'
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ProviderError } from '../../activities/ports.ts'
import type { BatchResult } from '../../activities/searches.ts'
import { createSheetActivities } from '../../activities/sheets.ts'
import { recordCampaignState } from '../../db/campaigns.ts'
import { findSheetExport } from '../../db/sheet-exports.ts'
import { latestStoryEvents } from '../../db/story-events.ts'
import { type CampaignStatus, queuedCampaign } from '../../workflows/contracts/prospect-campaign.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { googleSheets, valuesOf } from '../support/google.ts'
import { testOrganisation } from '../support/organisation.ts'
import { startTestSandbox, type TestSandbox } from '../support/sandbox.ts'

const { database, organisationId } = await testOrganisation()
const as = <T>(work: Parameters<typeof database.as<T>>[1]) => database.as(organisationId, work)

let sandbox: TestSandbox
let skippedMs = 0
beforeEach(async () => {
  sandbox = await startTestSandbox()
  skippedMs = 0
})
afterEach(() => sandbox.close())

type People = { emailAddress: string; role: 'reader' | 'writer' }[]

/** A running campaign that has read so many prospects, with scores from 0 to 100. */
async function campaignOf(prospects: number, people: People = []): Promise<string> {
  const campaignId = await campaignRow(database, organisationId, { status: 'running' })
  await as(async (tx) => {
    await tx`
      update campaigns set export = jsonb_set(export, '{sheet}', ${tx.json({ people })})
      where id = ${campaignId}`
    await tx`
      with made as (
        insert into prospects (name, website)
        select 'Business ' || n, '=cmd|' || n from generate_series(1, ${prospects}) as n returning id
      )
      insert into site_visits (campaign_id, prospect_id, status, score, reasons)
      select ${campaignId}, id, 'done', (row_number() over () * 37) % 101, '[{"text": "no HTTPS", "points": 25}]' from made`
  })
  return campaignId
}

function activity(settings: Parameters<typeof googleSheets>[1] = {}) {
  const clock = () => new Date(Date.now() + skippedMs)
  return createSheetActivities({ database, sheets: googleSheets(sandbox, settings), clock, chunkRows: 200 })
    .exportToSheet
}

function environmentOf(info: Partial<Info> = {}): MockActivityEnvironment {
  return new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') })
}

function attempt(
  campaignId: string,
  environment = environmentOf(),
  settings: Parameters<typeof activity>[0] = {},
): Promise<BatchResult> {
  return environment.run(activity(settings), { organisationId, campaignId, now: 0 })
}

/** Attempts as Temporal makes them, but without the pauses between them. */
async function exported(campaignId: string): Promise<{ result: BatchResult; attempts: number }> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return { result: await attempt(campaignId), attempts }
    } catch (error) {
      const isFinal =
        !(error instanceof ProviderError) || error.outcome === 'rejected' || error.outcome === 'unconfirmed'
      if (isFinal || attempts === 100) throw error
      skippedMs += 5_000
    }
  }
}

async function sheetOf(campaignId: string): Promise<string> {
  const row = await as((tx) => findSheetExport(tx, campaignId))
  if (!row?.spreadsheet) throw new Error('the campaign has no spreadsheet')
  return row.spreadsheet.id
}

async function keysIn(spreadsheetId: string): Promise<string[]> {
  return (await valuesOf(sandbox, spreadsheetId, 'A2:A')).flat().map(String)
}

async function expectEachOnce(campaignId: string): Promise<void> {
  const keys = await keysIn(await sheetOf(campaignId))
  const wanted = await as(
    (tx) => tx<{ id: string }[]>`select prospect_id as id from site_visits where campaign_id = ${campaignId}`,
  )
  expect(keys.toSorted()).toEqual(wanted.map(({ id }) => id).toSorted())
}

const operations = async (operation: string) =>
  (await sandbox.requests({ provider: 'google' })).filter((request) => request.operation === operation)

const setStatus = (campaignId: string, status: CampaignStatus, revision: number, problem: string | null = null) =>
  as((tx) => {
    const waitingFor = status === 'waiting' ? ('repair' as const) : null
    const state = { ...queuedCampaign, status, waitingFor, revision, problem }
    return recordCampaignState(tx, campaignId, state, new Date())
  })

const event = (type: string, spreadsheetId: string) =>
  sandbox.control('POST', '/_sandbox/events', { provider: 'google', type, spreadsheetId })

test('every prospect is in the sheet once, the best first, and the link opens it', async () => {
  const campaignId = await campaignOf(450)
  const { result, attempts } = await exported(campaignId)
  expect(attempts).toBe(1)
  expect(result).toMatchObject({ finished: true, counts: { prospects: 450 } })
  expect(
    await (await fetch((await as((tx) => findSheetExport(tx, campaignId)))?.spreadsheet?.url ?? '')).text(),
  ).toContain('Business 450')
  await expectEachOnce(campaignId)
  const [header, ...rows] = await valuesOf(sandbox, await sheetOf(campaignId), 'A:M')
  expect(header?.slice(0, 4)).toEqual(['Key', 'Score', 'Name', 'Website'])
  const scores = rows.map(([, score]) => Number(score))
  expect(scores).toEqual(scores.toSorted((a, b) => b - a))
  expect(rows[0]).toContainEqual(expect.stringMatching(/^=cmd\|/))
  expect(await as((tx) => latestStoryEvents(tx, campaignId, 'prospect.exported', 1))).toMatchObject([
    { data: { stage: 'export', done: 450, total: 450 } },
  ])
})

test('prospects below the wanted score are left out', async () => {
  const campaignId = await campaignOf(100)
  await as(
    (tx) => tx`
    update campaigns set export = jsonb_set(export, '{minScore}', '60') where id = ${campaignId}`,
  )
  await exported(campaignId)
  const rows = await valuesOf(sandbox, await sheetOf(campaignId), 'B2:B')
  expect(rows.length).toBeGreaterThan(20)
  expect(rows.every(([score]) => Number(score) >= 60)).toBe(true)
})

test('a thousand rows are there once each although a fifth of all answers is lost', async () => {
  const campaignId = await campaignOf(1000)
  await sandbox.addFault({ provider: 'google', kind: 'accept-then-drop', rate: 0.2, seed: 4 })
  await sandbox.addFault({
    provider: 'google',
    operation: 'sheets.batchUpdate',
    kind: 'accept-then-drop',
    rate: 0.2,
    seed: 2,
  })
  const { result } = await exported(campaignId)
  expect(result.finished).toBe(true)
  expect((await operations('sheets.batchUpdate')).filter(({ status }) => status === null).length).toBeGreaterThan(1)
  await sandbox.control('DELETE', '/_sandbox/faults')
  await expectEachOnce(campaignId)
})

test('a storm of 429 and 503 delays the export and changes nothing else', async () => {
  const campaignId = await campaignOf(700)
  await sandbox.addFault({ provider: 'google', kind: 'status', status: 429, rate: 0.3, seed: 1 })
  await sandbox.addFault({ provider: 'google', kind: 'status', status: 503, rate: 0.2, seed: 2 })
  const { result, attempts } = await exported(campaignId)
  expect(result.finished).toBe(true)
  expect(attempts).toBeGreaterThan(2)
  await sandbox.control('DELETE', '/_sandbox/faults')
  await expectEachOnce(campaignId)
  expect(await operations('drive.files.create').then((all) => all.filter(({ status }) => status === 200))).toHaveLength(
    1,
  )
})

test('of a creation that got no answer there is one spreadsheet', async () => {
  const campaignId = await campaignOf(3)
  await sandbox.addFault({ provider: 'google', operation: 'drive.files.create', kind: 'accept-then-drop', count: 1 })
  await exported(campaignId)
  expect(await operations('drive.files.create')).toHaveLength(1)
  await expectEachOnce(campaignId)
})

test('a creation that may yet show is not repeated before its time', async () => {
  const campaignId = await campaignOf(3)
  await sandbox.addFault({ provider: 'google', operation: 'drive.files.create', kind: 'reset', count: 1 })
  for (let early = 0; early < 3; early += 1) {
    await expect(attempt(campaignId)).rejects.toMatchObject({ outcome: 'retryAfter', code: 'creation_unclear' })
  }
  expect(await operations('drive.files.create')).toHaveLength(1)
  skippedMs = 15_000
  expect(await attempt(campaignId)).toMatchObject({ finished: true })
})

/** Stands between the client and the sandbox at one of its changes to the sheet: the first is the header, the others are appends. */
function atChange(number: number, meddle: (send: () => Promise<Response>) => Promise<Response>) {
  let changes = 0
  return (url: string, init?: RequestInit) => {
    const send = () => fetch(url, init)
    return url.endsWith(':batchUpdate') && ++changes === number ? meddle(send) : send()
  }
}

test('the attempt after a killed one asks the sheet what is there and goes on', async () => {
  const campaignId = await campaignOf(900)
  const environment = environmentOf()
  const killed = atChange(3, async (send) => {
    const response = await send()
    environment.cancel()
    return response.ok ? Promise.reject(new Error('killed')) : response
  })
  await expect(attempt(campaignId, environment, { fetch: killed })).rejects.toThrow()
  expect(await keysIn(await sheetOf(campaignId))).toHaveLength(400)

  expect(await attempt(campaignId, environmentOf({ attempt: 2 }))).toMatchObject({ finished: true })
  expect(await operations('sheets.batchUpdate')).toHaveLength(6)
  await expectEachOnce(campaignId)
})

test('a worker that was taken for dead and goes on adds no row twice', async () => {
  const campaignId = await campaignOf(900)
  const isFrozen = Promise.withResolvers<void>()
  const wakes = Promise.withResolvers<void>()
  const freezing = atChange(3, async (send) => {
    isFrozen.resolve()
    await wakes.promise
    return send()
  })
  const first = attempt(campaignId, environmentOf(), { fetch: freezing })
  await isFrozen.promise
  expect(await attempt(campaignId, environmentOf({ attempt: 2 }))).toMatchObject({ finished: true })
  wakes.resolve()
  await first
  expect((await operations('sheets.batchUpdate')).map(({ status }) => status)).toContain(400)
  await expectEachOnce(campaignId)
})

test('two attempts at once share the rows', async () => {
  const campaignId = await campaignOf(1000)
  // From its first change on the spreadsheet is on record; before that, the second would rightly be told to come again.
  const isCreated = Promise.withResolvers<void>()
  const creating = atChange(1, async (send) => {
    isCreated.resolve()
    return send()
  })
  const first = attempt(campaignId, environmentOf(), { fetch: creating })
  await isCreated.promise
  await Promise.all([first, attempt(campaignId)])
  await expectEachOnce(campaignId)
})

test('a paused campaign exports nothing more, and all when it goes on', async () => {
  const campaignId = await campaignOf(600)
  const pausing = atChange(2, async (send) => {
    await setStatus(campaignId, 'paused', 5)
    return send()
  })
  const paused = await attempt(campaignId, environmentOf(), { fetch: pausing })
  expect(paused.finished).toBe(false)
  expect(await keysIn(await sheetOf(campaignId))).toHaveLength(200)
  expect(await attempt(campaignId)).toMatchObject({ finished: false })

  await setStatus(campaignId, 'running', 6)
  expect(await attempt(campaignId)).toMatchObject({ finished: true })
  await expectEachOnce(campaignId)
})

test('prospects that come later are added to the same spreadsheet', async () => {
  const campaignId = await campaignOf(10)
  await exported(campaignId)
  const spreadsheetId = await sheetOf(campaignId)
  await as(async (tx) => {
    const [late] = await tx<{ id: string }[]>`insert into prospects (name) values ('Late') returning id`
    await tx`insert into site_visits (campaign_id, prospect_id, status, score) values (${campaignId}, ${late?.id ?? ''}, 'done', 5)`
  })
  await attempt(campaignId)
  expect(await sheetOf(campaignId)).toBe(spreadsheetId)
  await expectEachOnce(campaignId)
})

test('a spreadsheet that was deleted is replaced when the campaign goes on after having been parked, not before', async () => {
  const campaignId = await campaignOf(250)
  await exported(campaignId)
  const lost = await sheetOf(campaignId)
  await event('spreadsheet.deleted', lost)
  // Twice, as when the worker dies before anybody hears of the first.
  for (const _ of [1, 2]) {
    await expect(attempt(campaignId)).rejects.toMatchObject({ outcome: 'rejected', code: 'spreadsheet_not_found' })
    expect(await as((tx) => findSheetExport(tx, campaignId))).toMatchObject({ problem: 'spreadsheet_not_found' })
  }
  await setStatus(campaignId, 'waiting', 5, 'google:spreadsheet_not_found')
  await setStatus(campaignId, 'running', 6)
  expect(await attempt(campaignId)).toMatchObject({ finished: true })
  expect(await sheetOf(campaignId)).not.toBe(lost)
  await expectEachOnce(campaignId)
})

test.each([
  ['spreadsheet.trashed', 'spreadsheet.restored', 'spreadsheet_not_found'],
  ['access.withdrawn', 'access.restored', 'no_access'],
])('%s parks the export, and once mended it goes on with the same spreadsheet', async (type, mended, code) => {
  const campaignId = await campaignOf(250)
  await exported(campaignId)
  const spreadsheetId = await sheetOf(campaignId)
  await event(type, spreadsheetId)
  await expect(attempt(campaignId)).rejects.toMatchObject({ outcome: 'rejected', code })
  await setStatus(campaignId, 'waiting', 5, `google:${code}`)
  await event(mended, spreadsheetId)
  await setStatus(campaignId, 'running', 6)
  expect(await attempt(campaignId)).toMatchObject({ finished: true })
  expect(await sheetOf(campaignId)).toBe(spreadsheetId)
  expect(await as((tx) => findSheetExport(tx, campaignId))).toMatchObject({ problem: null, status: 'done' })
  await expectEachOnce(campaignId)
  // Mended, it takes another parking to give it up.
  await event(type, spreadsheetId)
  await expect(attempt(campaignId)).rejects.toMatchObject({ outcome: 'rejected', code })
})

test('people are let in once, when all rows are there, and a bad address keeps nobody else out', async () => {
  const people: People = [
    { emailAddress: 'bob@no-account.test', role: 'reader' },
    { emailAddress: 'ann@example.com', role: 'writer' },
  ]
  const campaignId = await campaignOf(250, people)
  const refused = { outcome: 'rejected', code: 'invalid_share_address' }
  await expect(attempt(campaignId)).rejects.toMatchObject(refused)
  await expect(attempt(campaignId)).rejects.toMatchObject(refused)
  const told = (await operations('drive.permissions.create')).map(({ status }) => status)
  expect(told).toEqual([400, 200, 400])
  await expectEachOnce(campaignId)

  await as(
    (tx) => tx`
    update campaigns set export = jsonb_set(export, '{sheet,people}', ${tx.json(people.slice(1))})
    where id = ${campaignId}`,
  )
  expect(await attempt(campaignId)).toMatchObject({ finished: true })
  expect(await operations('drive.permissions.create')).toHaveLength(3)
})

test('a campaign that does not exist is not retried', async () => {
  const missing = attempt('019a0000-0000-7000-8000-000000000000')
  await expect(missing).rejects.toMatchObject({ type: 'not_found', nonRetryable: true })
})
