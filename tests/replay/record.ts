import { Client, Connection } from '@temporalio/client'
import { NativeConnection } from '@temporalio/worker'
import { expect, test, vi } from 'vitest'
import { ProviderError } from '../../activities/ports.ts'
import { applyTemporalConfig } from '../../temporal-config/apply.ts'
import { createStorySchedules } from '../../temporal-config/story-schedules.ts'
import { storiesQueue } from '../../temporal-config/task-queues.ts'
import { cohortState, lookAgain, seatsTaken } from '../../workflows/contracts/drip-sequence.ts'
import {
  approveCampaign,
  cancelCampaign,
  pauseCampaign,
  resumeCampaign,
  setCampaignBudget,
  campaignId as workflowIdOf,
} from '../../workflows/contracts/prospect-campaign.ts'
import { campaignScheduleId, savedSearchRunId } from '../../workflows/contracts/saved-search-run.ts'
import { drawsFrom } from '../chaos/draws.ts'
import { campaignWorld } from '../support/campaign-world.ts'
import { cohortRows, startCohort, workOnCohorts } from '../support/drip-cohorts.ts'
import { testOrganisation } from '../support/organisation.ts'
import { reconciliationWorld } from '../support/reconciliations.ts'
import { startTestSandbox } from '../support/sandbox.ts'
import { sequenceRow } from '../support/sequence-rows.ts'
import { listOf } from '../support/skipping-campaigns.ts'
import { temporalServer, timeSkipping } from '../support/temporal.ts'
import { writeHistory } from './recording.ts'

// Run by `npm run record-histories`, not by `npm test`. Each recording is one way through a story that later code must still go.

const { address, namespace } = await temporalServer()
const client = new Client({ connection: await Connection.connect({ address }), namespace })
const connection = await NativeConnection.connect({ address })
await applyTemporalConfig(client)
const organisation = await testOrganisation()
const { organisationId } = organisation
const sandbox = await startTestSandbox()
const world = campaignWorld(organisation, sandbox, { client, connection })
const patience = { timeout: 20_000, interval: 50 }

/** Saves the history of a closed workflow. */
async function save(workflowId: string, name: string): Promise<void> {
  writeHistory(await client.workflow.getHandle(workflowId).fetchHistory(), name)
}

test('a cohort over a day: flooded with signals, the turn of one fails, and a new run goes on', async () => {
  const skipping = await timeSkipping()
  if (!skipping) throw new Error('only the time-skipping server has a day in a second')
  const draws = drawsFrom('recorded')
  const waits = Array.from({ length: 60 }, () => [0, draws.whole(1, 4) * 3_600_000, draws.whole(1, 3) * 3_600_000])
  const rows = cohortRows((seat) => waits[seat - 1] ?? [], 60)
  rows.before = (seats) => {
    if (seats.includes(7)) throw new Error('fails')
  }
  await using _ = await workOnCohorts({ client: skipping.client, connection: skipping.nativeConnection }, rows)
  const cohort = await startCohort(skipping.client, 20)
  for (const upTo of [60, 3, 60]) {
    await cohort.signal(seatsTaken, { upTo })
    for (let times = 0; times < 5; times += 1) await cohort.signal(lookAgain, { seats: [draws.whole(1, 60), times] })
    await vi.waitFor(
      async () => expect(await cohort.query(cohortState)).toMatchObject({ held: 1, atTurn: 0 }),
      patience,
    )
    await skipping.sleep('3 hours')
  }
  await cohort.signal(lookAgain, {})
  await vi.waitFor(async () => expect(await cohort.query(cohortState)).toMatchObject({ held: 1, atTurn: 0 }), patience)
  const { runId } = await cohort.describe()
  await skipping.sleep('1 day')
  rows.before = () => {}
  await cohort.signal(lookAgain, { seats: [7] })
  await cohort.result()
  writeHistory(await skipping.client.workflow.getHandle(cohort.workflowId, runId).fetchHistory(), 'cohort-continued')
  writeHistory(await cohort.fetchHistory(), 'cohort-completed')
}, 120_000)

test('a campaign over searches and a list, to its end', async () => {
  await using _ = await world.work()
  const id = await world.start({
    searches: [
      { engine: 'google', query: 'dentist', location: 'Austin, Texas', limit: 30 },
      { engine: 'google_maps', query: 'dentist', location: 'Austin, Texas', limit: 40 },
      { engine: 'google', query: 'bakery', location: 'Austin, Texas', limit: 30 },
      { engine: 'google_maps', query: 'bakery', location: 'Austin, Texas', limit: 40 },
    ],
    websites: listOf('listed', 120),
    export: {
      formats: ['csv'],
      minScore: 0,
      sheet: { people: [{ emailAddress: 'reader@listed.test', role: 'reader' }] },
    },
  })
  await world.ended(id)
  await save(workflowIdOf(id), 'campaign-completed')
})

test('a campaign that is paused, resumed and cancelled', async () => {
  await using _ = await world.work()
  await sandbox.addFault({ provider: 'websites', kind: 'latency', latencyMs: 200, rate: 1 })
  const id = await world.start({ websites: listOf('steered', 60) })
  const status = async () => (await world.campaign(id)).status
  await vi.waitFor(async () => expect((await world.campaign(id)).stage).toBe('analyse'), patience)
  await world.stories.update(workflowIdOf(id), pauseCampaign, { updateId: 'pause', args: ['system'] })
  await world.stories.update(workflowIdOf(id), resumeCampaign, { updateId: 'resume', args: ['system'] })
  await vi.waitFor(async () => expect(await status()).toBe('running'), patience)
  await world.stories.update(workflowIdOf(id), cancelCampaign, { updateId: 'cancel', args: ['system'] })
  await world.ended(id)
  await sandbox.control('DELETE', '/_sandbox/faults')
  await save(workflowIdOf(id), 'campaign-paused-resumed-cancelled')
})

test('a campaign that waits for a mended key', async () => {
  await using _ = await world.work()
  await sandbox.addFault({ provider: 'serpapi', operation: 'search', kind: 'status', status: 401, rate: 1, count: 1 })
  const id = await world.start({
    searches: [{ engine: 'google', query: 'plumber', location: 'Austin, Texas', limit: 10 }],
  })
  await vi.waitFor(async () => expect((await world.campaign(id)).status).toBe('waiting'), patience)
  await world.stories.update(workflowIdOf(id), resumeCampaign, { updateId: 'mended', args: ['system'] })
  await world.ended(id)
  await save(workflowIdOf(id), 'campaign-repaired')
})

test('a campaign that waits for budget, then for approval', async () => {
  await using _ = await world.work()
  const id = await world.start(
    { searches: [{ engine: 'google', query: 'florist', location: 'Austin, Texas', limit: 20 }] },
    { budgetSearches: 1, approval: 'sample' },
  )
  const waitsFor = async (what: string) =>
    vi.waitFor(async () => expect((await world.campaign(id)).waitingFor).toBe(what), patience)
  await waitsFor('budget')
  await world.stories.update(workflowIdOf(id), setCampaignBudget, { updateId: 'more', args: [10, 'system'] })
  await waitsFor('approval')
  await world.stories.update(workflowIdOf(id), approveCampaign, { updateId: 'approved', args: ['system'] })
  await world.ended(id)
  await save(workflowIdOf(id), 'campaign-budget-approval')
})

test('a campaign that enrols what it has found', async () => {
  await using _ = await world.work()
  const sequenceId = await sequenceRow(organisation.database, organisationId)
  const id = await world.start({ websites: listOf('enrolled', 10), enrol: { sequenceId, minScore: 0 } })
  await world.ended(id)
  await save(workflowIdOf(id), 'campaign-enrolled')
})

test('a run of a saved search', async () => {
  await using _ = await world.work()
  const id = await world.start({ websites: listOf('again', 3) })
  await world.ended(id)
  const story = { organisationId, args: { organisationId, campaignId: id }, subjectId: id, summary: 'Recorded' }
  const rhythm = { at: { everyMs: 86_400_000 }, startAt: null, overlap: 'skip', catchUpMs: 60_000 } as const
  const schedules = createStorySchedules(client)
  const scheduleId = campaignScheduleId(id)
  const started = { ...story, workflowId: savedSearchRunId(id), name: 'savedSearchRun' }
  await schedules.set(scheduleId, rhythm, started, new Date())
  await schedules.trigger(scheduleId, 'recorded')
  const workflowId = await vi.waitFor(async () => {
    const [action] = (await client.schedule.getHandle(scheduleId).describe()).info.recentActions
    if (!action) throw new Error('it has not begun yet')
    return action.action.workflow.workflowId
  }, patience)
  await client.workflow.getHandle(workflowId).result()
  await save(workflowId, 'saved-search-run')
})

test('a campaign that is scored anew after its end', async () => {
  await using _ = await world.work()
  const id = await world.start({ websites: listOf('rescored', 10) })
  await world.ended(id)
  const args = [{ organisationId: organisation.organisationId, campaignId: id }]
  await client.workflow.execute('prospectRescoring', {
    workflowId: 'recorded-rescoring',
    taskQueue: storiesQueue,
    args,
  })
  await save('recorded-rescoring', 'campaign-rescored')
})

test('comparisons of all customers with the provider: one to its end, one without a key', async () => {
  const { work, customer, reconcile, billing } = await reconciliationWorld(organisation, { client, connection })
  await using _ = await work({ accountsPerBatch: 2 })
  for (let count = 0; count < 5; count += 1) await customer()
  billing.subscribers = ['cus_unknown', 'cus_1']
  await save((await reconcile()).workflowId, 'billing-reconciliation-completed')
  billing.before = () => {
    throw new ProviderError('stripe', 'rejected', 'invalid_credentials')
  }
  await save((await reconcile()).workflowId, 'billing-reconciliation-failed')
})

test('a sweep of the outbox', async () => {
  await using _ = await world.work()
  await client.workflow.execute('outboxSweep', { workflowId: 'recorded-sweep', taskQueue: storiesQueue })
  await save('recorded-sweep', 'outbox-sweep')
})
