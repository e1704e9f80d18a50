import { Client, Connection } from '@temporalio/client'
import { NativeConnection } from '@temporalio/worker'
import { afterAll, expect, test, vi } from 'vitest'
import { applyTemporalConfig } from '../../temporal-config/apply.ts'
import { campaignId as workflowIdOf } from '../../workflows/contracts/prospect-campaign.ts'
import { campaignWorld } from '../support/campaign-world.ts'
import { testOrganisation } from '../support/organisation.ts'
import { startTestSandbox } from '../support/sandbox.ts'
import { temporalServer } from '../support/temporal.ts'

const { address, namespace } = await temporalServer()
const client = new Client({ connection: await Connection.connect({ address }), namespace })
const connection = await NativeConnection.connect({ address })
const sandbox = await startTestSandbox()
afterAll(() => Promise.all([client.connection.close(), connection.close(), sandbox.close()]))

const organisation = await testOrganisation()
const world = campaignWorld(organisation, sandbox, { client, connection })
const patience = { timeout: 20_000, interval: 100 }

test('a namespace is brought to what the code expects, however often and from how many places at once', async () => {
  await applyTemporalConfig(client)
  await Promise.all([applyTemporalConfig(client), applyTemporalConfig(client)])
  const { customAttributes } = await client.connection.operatorService.listSearchAttributes({ namespace })
  expect(Object.keys(customAttributes ?? {})).toEqual(
    expect.arrayContaining(['OrganisationId', 'ProcessKind', 'BusinessStatus', 'SubjectId']),
  )
  const { spec, policies } = await client.schedule.getHandle('outbox-sweep').describe()
  expect(spec.intervals).toMatchObject([{ every: 30_000 }])
  expect(policies.overlap).toBe('SKIP')
  const reconciliation = await client.schedule.getHandle('billing-reconciliation').describe()
  expect(reconciliation.spec.intervals).toMatchObject([{ every: 6 * 3_600_000 }])
})

test('a pause that an operator has set on a schedule stays', async () => {
  const schedule = client.schedule.getHandle('outbox-sweep')
  await schedule.pause('maintenance')
  await applyTemporalConfig(client)
  expect((await schedule.describe()).state.paused).toBe(true)
  await schedule.unpause()
})

test('operators find a campaign by organisation and status, with a summary, details and the request that asked for it', async () => {
  await applyTemporalConfig(client)
  await using _ = await world.work()
  const id = await world.start({ websites: [{ website: 'http://corner-bakery.test/', name: null }] })
  await world.ended(id)
  const query = `OrganisationId = '${organisation.organisationId}' and BusinessStatus = 'completed' and SubjectId = '${id}'`
  await vi.waitFor(async () => expect((await client.workflow.count(query)).count).toBe(1), patience)
  const { memo, staticSummary } = await client.workflow.getHandle(workflowIdOf(id)).describe()
  expect(memo).toMatchObject({ requestId: 'test' })
  expect(await staticSummary()).toBe('Test')
  const metadata = await client.workflow
    .getHandle(workflowIdOf(id))
    .query<{ currentDetails: string }>('__temporal_workflow_metadata')
  expect(metadata.currentDetails).toContain('**completed**')
})

test('the sweep starts a campaign whose start was never told to Temporal', async () => {
  await applyTemporalConfig(client)
  const id = await world.enqueue({ websites: [{ website: 'http://forgotten.test/', name: null }] })
  await using _ = await world.work()
  await client.schedule.getHandle('outbox-sweep').trigger()
  await vi.waitFor(async () => expect((await world.campaign(id)).status).toBe('completed'), patience)
})

test('a campaign that was reset in Temporal after its end goes on from its row and ends again', async () => {
  await applyTemporalConfig(client)
  await using _ = await world.work()
  const id = await world.start({ websites: [{ website: 'http://reset.test/', name: null }] })
  await world.ended(id)
  const { runId } = await client.workflow.getHandle(workflowIdOf(id)).describe()
  const { events } = await client.workflow.getHandle(workflowIdOf(id)).fetchHistory()
  const firstTask = events?.find(({ workflowTaskCompletedEventAttributes }) => workflowTaskCompletedEventAttributes)
  await client.workflowService.resetWorkflowExecution({
    namespace,
    workflowExecution: { workflowId: workflowIdOf(id), runId },
    reason: 'test',
    requestId: crypto.randomUUID(),
    workflowTaskFinishEventId: firstTask?.eventId ?? null,
  })
  await world.ended(id)
  expect((await client.workflow.getHandle(workflowIdOf(id)).describe()).runId).not.toBe(runId)
  expect(await world.campaign(id)).toMatchObject({ status: 'completed' })
  const { events: again } = await client.workflow.getHandle(workflowIdOf(id)).fetchHistory()
  expect(again?.length).toBeLessThan(120)
})
