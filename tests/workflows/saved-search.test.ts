import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test, vi } from 'vitest'
import { findCampaign, listCampaigns } from '../../db/campaigns.ts'
import type { Database } from '../../db/client.ts'
import { listCampaignProspects } from '../../db/prospects.ts'
import { changeCounts, goneUnknownBecause, listGoneProspects } from '../../db/saved-searches.ts'
import { findSheetExport } from '../../db/sheet-exports.ts'
import { businessStatusKey } from '../../temporal-config/search-attributes.ts'
import { createStorySchedules, type Rhythm } from '../../temporal-config/story-schedules.ts'
import type { CampaignDefinition } from '../../workflows/contracts/prospect-campaign.schema.ts'
import { resumeCampaign, campaignId as workflowIdOf } from '../../workflows/contracts/prospect-campaign.ts'
import { campaignScheduleId, savedSearchRunId } from '../../workflows/contracts/saved-search-run.ts'
import { campaignWorld } from '../support/campaign-world.ts'
import { valuesOf } from '../support/google.ts'
import { testOrganisation } from '../support/organisation.ts'
import { startTestSandbox } from '../support/sandbox.ts'
import { ownNamespace, patience as withTemporal } from '../support/temporal.ts'

const folder = mkdtempSync(join(tmpdir(), 'throughline-sites-'))
const site = (name: string) => join(folder, `${name}.html`)
const files = new Map(['stays', 'changes', 'leaves', 'comes', 'returns'].map((name) => [`${name}.test`, site(name)]))
const sandbox = await startTestSandbox({ websites: { files } })
afterAll(async () => {
  await sandbox.close()
  rmSync(folder, { recursive: true })
})

const { client, connection } = await ownNamespace('saved-searches')
const organisation = await testOrganisation()
const { database, organisationId } = organisation
const world = campaignWorld(organisation, sandbox, { client, connection })
const schedules = createStorySchedules(client, withTemporal)
const as = <T>(work: Parameters<typeof database.as<T>>[1]) => database.as(organisationId, work)
const patience = { timeout: 25_000, interval: 50 }

/** Every day from 2040 on: until then only when it is triggered. */
const someDay: Rhythm = {
  at: { everyMs: 86_400_000 },
  startAt: new Date('2040-01-01T00:00:00Z'),
  overlap: 'skip',
  catchUpMs: 86_400_000,
}

function schedule(id: string, changes: Partial<Rhythm> = {}): Promise<void> {
  const args = { organisationId, campaignId: id }
  const story = { workflowId: savedSearchRunId(id), name: 'savedSearchRun', subjectId: id, summary: 'Test' }
  return schedules.set(
    campaignScheduleId(id),
    { ...someDay, ...changes },
    { organisationId, args, ...story },
    new Date(),
  )
}

/** Triggers once more than before, and waits until there is a run. */
async function trigger(id: string): Promise<string> {
  const before = (await runsOf(id)).length
  await schedules.trigger(campaignScheduleId(id), crypto.randomUUID())
  return vi.waitFor(async () => {
    const [newest, ...others] = await runsOf(id)
    if (!newest || others.length < before) throw new Error('it has not begun yet')
    return newest.id
  }, patience)
}

/** The newest first. */
const runsOf = (id: string) => as((tx) => listCampaigns(tx, { limit: 100, before: null, savedSearchId: id }))
const statusOf = async (id: string) => (await world.campaign(id)).status
const isCompleted = (id: string) => vi.waitFor(async () => expect(await statusOf(id)).toBe('completed'), patience)
const isIdle = (id: string) =>
  vi.waitFor(async () => expect((await schedules.describe(campaignScheduleId(id))).isRunning).toBe(false), patience)

/** What operators filter by. */
const shownStatusOf = async (workflowId: string) =>
  (await client.workflow.getHandle(workflowId).describe()).typedSearchAttributes.get(businessStatusKey)

const listOf = (...hosts: string[]) => hosts.map((host) => ({ website: `http://${host}.test/`, name: null }))
const slowList = (name: string, count = 20) => ({
  websites: listOf(...Array.from({ length: count }, (_, n) => `${name}-${n}`)),
})
const slowSites = () => sandbox.addFault({ provider: 'websites', kind: 'latency', latencyMs: 150, rate: 1 })
const page = (head: string) =>
  `<!doctype html><html><head><title>Business</title>${head}</head><body>Welcome</body></html>`

beforeEach(async () => {
  await sandbox.control('DELETE', '/_sandbox/faults')
})

async function finished(definition: Partial<CampaignDefinition>): Promise<string> {
  const id = await world.start(definition)
  await isCompleted(id)
  return id
}

/** The same by workers that are gone when it is. */
async function finishedBefore(definition: Partial<CampaignDefinition>): Promise<string> {
  await using _ = await world.work()
  return await finished(definition)
}

/** What each prospect's website has become, by host. */
async function marksOf(id: string): Promise<Record<string, string>> {
  const prospects = await as((tx) => listCampaignProspects(tx, id, { after: null, limit: 100 }))
  const mark = (change: string | null, changed: string[] | null) => [change, ...(changed ?? [])].join(' ')
  return Object.fromEntries(prospects.map((one) => [hostOf(one.website), mark(one.change, one.changed)]))
}

const hostOf = (website: string | null) => new URL(website ?? 'http://none').hostname

async function goneFrom(id: string): Promise<string[]> {
  const campaign = await world.campaign(id)
  expect(await as((tx) => goneUnknownBecause(tx, campaign))).toBeNull()
  return (await as((tx) => listGoneProspects(tx, campaign, { after: null, limit: 100 }))).map((one) =>
    hostOf(one.website),
  )
}

test('each run tells what is new, changed, the same and gone, and adds what it found to the one spreadsheet', async () => {
  await using _ = await world.work()
  for (const name of ['stays', 'changes', 'leaves', 'comes']) writeFileSync(site(name), page(''))
  const sheet = { people: [] }
  const wanted: Partial<CampaignDefinition> = { export: { formats: ['csv'], minScore: 0, sheet } }
  const id = await finished({ ...wanted, websites: listOf('stays', 'changes', 'leaves') })
  expect(await marksOf(id)).toEqual({ 'stays.test': 'new', 'changes.test': 'new', 'leaves.test': 'new' })
  expect(await as(async (tx) => goneUnknownBecause(tx, await world.campaign(id)))).toBe('nothing_before')

  await as(
    (tx) => tx`
      update campaigns set definition = jsonb_set(definition, '{websites}', ${tx.json(listOf('stays', 'changes', 'comes'))})
      where id = ${id}`,
  )
  writeFileSync(
    site('changes'),
    page('<meta name="generator" content="WordPress 6.8.1"><meta name="viewport" content="width=device-width">'),
  )
  await schedule(id)
  const second = await trigger(id)
  await isCompleted(second)
  expect(await world.campaign(second)).toMatchObject({ savedSearchId: id, previousId: id, actor: 'schedule' })
  expect(await marksOf(second)).toEqual({
    'stays.test': 'same',
    'changes.test': 'changed viewport cms',
    'comes.test': 'new',
  })
  expect(await goneFrom(second)).toEqual(['leaves.test'])

  await isIdle(id)
  const third = await trigger(id)
  await isCompleted(third)
  expect(await as((tx) => changeCounts(tx, third))).toEqual({ new: 0, changed: 0, same: 3 })
  expect(await goneFrom(third)).toEqual([])
  expect((await world.campaign(third)).previousId).toBe(second)

  const exported = await as((tx) => findSheetExport(tx, third))
  expect(exported).toMatchObject({ id: (await as((tx) => findSheetExport(tx, id)))?.id, status: 'done', problem: null })
  const websites = (await valuesOf(sandbox, exported?.spreadsheet?.id ?? '', 'D2:D')).flat().map(String)
  expect(websites.map(hostOf).toSorted()).toEqual(['changes.test', 'comes.test', 'leaves.test', 'stays.test'])
})

test('a site that is away when one run looks is the same, and what has changed meanwhile shows when it is back', async () => {
  await using _ = await world.work()
  const mark = async () => (await marksOf(await finished({ websites: listOf('returns') })))['returns.test']
  writeFileSync(site('returns'), page(''))
  expect(await mark()).toBe('new')
  await sandbox.addFault({ provider: 'websites', kind: 'reset' })
  expect(await mark()).toBe('same')
  await sandbox.control('DELETE', '/_sandbox/faults')
  writeFileSync(site('returns'), page('<meta name="generator" content="WordPress 6.8.1">'))
  expect(await mark()).toBe('changed cms')
})

test('a run that finds the spreadsheet gone waits for somebody to say so, and then makes another with all rows', async () => {
  await using _ = await world.work()
  const wanted: Partial<CampaignDefinition> = { export: { formats: ['csv'], minScore: 0, sheet: { people: [] } } }
  const id = await finished({ ...wanted, websites: listOf('held', 'both') })
  await as(
    (tx) => tx`
      update campaigns set definition = jsonb_set(definition, '{websites}', ${tx.json(listOf('both', 'later'))})
      where id = ${id}`,
  )
  const spreadsheetOf = async (run: string) => (await as((tx) => findSheetExport(tx, run)))?.spreadsheet?.id ?? ''
  const lost = await spreadsheetOf(id)
  await sandbox.control('POST', '/_sandbox/events', {
    provider: 'google',
    type: 'spreadsheet.deleted',
    spreadsheetId: lost,
  })
  await schedule(id)
  const run = await trigger(id)
  await vi.waitFor(async () => expect(await statusOf(run)).toBe('waiting'), patience)
  expect(await spreadsheetOf(run)).toBe(lost)
  await world.stories.update(workflowIdOf(run), resumeCampaign, { updateId: 'gone', args: ['system'] })
  await isCompleted(run)
  const websites = (await valuesOf(sandbox, await spreadsheetOf(run), 'D2:D')).flat().map(String)
  expect(websites.map(hostOf).toSorted()).toEqual(['both.test', 'held.test', 'later.test'])
})

test('a run is due when the schedule meant it to be, and operators see that it is over', async () => {
  await using _ = await world.work()
  const id = await finished({ websites: listOf('due') })
  await schedule(id)
  const { dueAt } = await world.campaign(await trigger(id))
  const { info } = await client.schedule.getHandle(campaignScheduleId(id)).describe()
  const due = dueAt?.toISOString().replace('.000Z', 'Z')
  const workflowId = `${savedSearchRunId(id)}-${due}`
  expect(info.recentActions.map(({ action }) => action.workflow.workflowId)).toEqual([workflowId])
  await isIdle(id)
  expect(await shownStatusOf(workflowId)).toBe('completed')
})

test('by skip a run that is due while another is under way is left out, and counted', async () => {
  await using _ = await world.work()
  const id = await finished(slowList('skipped'))
  await slowSites()
  await schedule(id)
  const run = await trigger(id)
  await schedules.trigger(campaignScheduleId(id), crypto.randomUUID())
  await vi.waitFor(async () => expect((await schedules.describe(campaignScheduleId(id))).skipped).toBe(1), patience)
  await isCompleted(run)
  expect(await runsOf(id)).toHaveLength(1)
})

test('a trigger that is asked for twice is one', async () => {
  await using _ = await world.work()
  const id = await finished(slowList('twice'))
  await slowSites()
  await schedule(id)
  await schedules.trigger(campaignScheduleId(id), 'the same')
  await schedules.trigger(campaignScheduleId(id), 'the same')
  await vi.waitFor(async () => expect(await runsOf(id)).toHaveLength(1), patience)
  await isIdle(id)
  expect(await schedules.describe(campaignScheduleId(id))).toMatchObject({ skipped: 0 })
})

test('by cancel_other the campaign under way is cancelled, and the one that is due runs', async () => {
  await using _ = await world.work()
  const id = await finished(slowList('replaced', 40))
  await slowSites()
  await schedule(id, { overlap: 'cancel_other' })
  const first = await trigger(id)
  await vi.waitFor(async () => expect((await world.campaign(first)).stage).toBe('analyse'), patience)
  const second = await trigger(id)
  expect(await statusOf(first)).toBe('cancelled')
  await isCompleted(second)
  expect((await world.campaign(second)).previousId).toBe(id)
})

test('of two that are asked for in one second each is a run of its own', async () => {
  await using _ = await world.work()
  const id = await finished(slowList('at-once', 4))
  await slowSites()
  await schedule(id, { overlap: 'buffer_one' })
  await schedules.trigger(campaignScheduleId(id), crypto.randomUUID())
  await schedules.trigger(campaignScheduleId(id), crypto.randomUUID())
  await vi.waitFor(async () => {
    expect((await runsOf(id)).map(({ status }) => status)).toEqual(['completed', 'completed'])
  }, patience)
})

test('a run fires by itself; one that is paused does not, and goes on when it is resumed', async () => {
  await using _ = await world.work()
  const everySecond = { at: { everyMs: 1_000 }, startAt: null }
  const paused = await finished({ websites: listOf('paused') })
  const other = await finished({ websites: listOf('other') })
  await schedule(paused, everySecond)
  await vi.waitFor(async () => expect(await runsOf(paused)).not.toHaveLength(0), patience)
  await schedules.pause(campaignScheduleId(paused), 'test')
  await isIdle(paused)
  const before = (await runsOf(paused)).length
  await schedule(other, everySecond)
  await vi.waitFor(async () => expect((await runsOf(other)).length).toBeGreaterThan(2), patience)
  expect(await runsOf(paused)).toHaveLength(before)
  await schedules.resume(campaignScheduleId(paused), 'test')
  await vi.waitFor(async () => expect((await runsOf(paused)).length).toBeGreaterThan(before), patience)
  await Promise.all([paused, other].map((id) => schedules.remove(campaignScheduleId(id))))
})

/** The database of a worker that is killed right after its next transaction: nobody hears that it was done. */
function dyingOnce(): Database {
  let isDead = false
  return {
    ...database,
    async as(owner, work) {
      const done = await database.as(owner, work)
      if (isDead) return done
      isDead = true
      throw new Error('killed')
    },
  }
}

test('killed after the row of the run was written, the next attempt goes on with it: one run', async () => {
  const id = await finishedBefore({ websites: listOf('killed') })
  await schedule(id)
  await using _ = await world.work({ database: dyingOnce(), logUnexpected: () => {} })
  await isCompleted(await trigger(id))
  await isIdle(id)
  expect(await runsOf(id)).toHaveLength(1)
})

test('cancelled while its row is being written, a run is closed without ever beginning', async () => {
  const id = await finishedBefore({ websites: listOf('unbegun') })
  await schedule(id)
  const written = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const slow: Database = {
    ...database,
    async as(owner, work) {
      const done = await database.as(owner, work)
      written.resolve()
      await goOn.promise
      return done
    },
  }
  await using _ = await world.work({ database: slow })
  const run = await trigger(id)
  await written.promise
  const [running] = (await client.schedule.getHandle(campaignScheduleId(id)).describe()).info.runningActions
  const workflowId = running?.workflow.workflowId ?? ''
  expect(await shownStatusOf(workflowId)).toBe('running')
  await client.workflow.getHandle(workflowId).cancel()
  goOn.resolve()
  await isIdle(id)
  expect(await as((tx) => findCampaign(tx, run))).toMatchObject({ status: 'cancelled', stage: null })
  expect(await shownStatusOf(workflowId)).toBe('cancelled')
})
