import type { JSONValue } from 'postgres'
import { expect, test, vi } from 'vitest'
import { deliverDue, enqueueSignal, enqueueStart } from '../../db/outbox.ts'
import { dripStory } from '../../db/waking.ts'
import { createStories } from '../../temporal-config/stories.ts'
import { cohortState, dripSequenceId, lookAgain, seatsTaken } from '../../workflows/contracts/drip-sequence.ts'
import { allowanceChanged } from '../../workflows/contracts/prospect-campaign.ts'
import { type CohortRows, cohortRows, workOnCohorts } from '../support/drip-cohorts.ts'
import { testOrganisation } from '../support/organisation.ts'
import { ownNamespace, patience as withTemporal } from '../support/temporal.ts'

const { client, connection } = await ownNamespace('signals')
const { database, system, organisationId } = await testOrganisation()
const stories = createStories(client, withTemporal)
const patience = { timeout: 20_000, interval: 50 }

/** A cohort's story that the outbox is told of. */
function cohort() {
  const ids = { organisationId, sequenceId: crypto.randomUUID(), cohortId: crypto.randomUUID() }
  const workflowId = dripSequenceId(ids.sequenceId, ids.cohortId)
  return {
    handle: client.workflow.getHandle(workflowId),
    /** Puts the signal into the outbox and delivers it so many times. */
    async tell(signal: { name: string }, signalArgs: JSONValue, times = 1) {
      const told = { ...dripStory(ids), requestId: 'test', signal: signal.name, signalArgs }
      const id = await database.as(organisationId, (tx) => enqueueSignal(tx, told, new Date()))
      let delivered = 0
      for (let time = 0; time < times; time += 1) {
        await system`update outbox set status = 'pending' where id = ${id}` // as after a kill between delivery and commit
        delivered += (await deliverDue(system, stories, { now: new Date(), workflowIds: [workflowId] })).delivered
      }
      return delivered
    },
  }
}

const work = (rows: CohortRows) => workOnCohorts({ client, connection }, rows)

test('a signal to a story that does not run yet starts it, whichever comes first, and is told to it', async () => {
  const { handle, tell } = cohort()
  const rows = cohortRows(() => [0, null], 3)
  await using _ = await work(rows)
  expect(await tell(lookAgain, { seats: [2] })).toBe(1)
  expect(await tell(seatsTaken, { upTo: 3 })).toBe(1)
  await vi.waitFor(() => expect(rows.acts.map(({ seat }) => seat)).toEqual([1, 2, 3]), patience)
  expect(await (await handle.describe()).staticSummary()).toBe('Up to 500 people on their way through a sequence')
})

test('a signal that is delivered twice changes what one does', async () => {
  const { handle, tell } = cohort()
  const rows = cohortRows(() => [0, null], 2)
  await using _ = await work(rows)
  expect(await tell(seatsTaken, { upTo: 2 }, 3)).toBe(3)
  await vi.waitFor(async () => expect(await handle.query(cohortState)).toMatchObject({ atTurn: 0 }), patience)
  for (const seat of [1, 2]) rows.happened(seat, Date.now())
  expect(await tell(lookAgain, { seats: [1, 2] }, 3)).toBe(3)
  await vi.waitFor(async () => expect(await handle.query(cohortState)).toMatchObject({ ended: 2 }), patience)
  expect(rows.acts.map(({ seat, act }) => `${seat}/${act}`).toSorted()).toEqual(['1/0', '1/1', '2/0', '2/1'])
})

test('a signal to a story that is over starts it again, and it finds in its rows what is left', async () => {
  const { handle, tell } = cohort()
  const rows = cohortRows(() => [0], 500)
  await using _ = await work(rows)
  await tell(seatsTaken, { upTo: 500 })
  expect(await handle.result()).toEqual({ enrolled: 500 })
  const { acts } = rows
  expect(acts).toHaveLength(500)
  expect(await tell(lookAgain, { seats: [1] }, 2)).toBe(2)
  expect(await handle.result()).toEqual({ enrolled: 500 })
  expect(acts).toHaveLength(500)
})

test('a campaign that is over is told nothing, and does not begin again', async () => {
  const id = crypto.randomUUID()
  const workflowId = `campaign/${id}`
  const args = { organisationId, campaignId: id }
  const campaign = {
    workflowId,
    name: 'prospectCampaign',
    args,
    subjectId: id,
    summary: 'A campaign',
    requestId: 'test',
  }
  const hand = () => deliverDue(system, stories, { now: new Date(), workflowIds: [workflowId] })
  await database.as(organisationId, (tx) => enqueueStart(tx, campaign, new Date()))
  await hand()
  const handle = client.workflow.getHandle(workflowId)
  const { runId } = await handle.describe()
  await handle.terminate()
  const told = { ...campaign, signal: allowanceChanged.name, signalArgs: {} }
  await database.as(organisationId, (tx) => enqueueSignal(tx, told, new Date()))
  expect(await hand()).toMatchObject({ delivered: 1 })
  expect(await handle.describe()).toMatchObject({ runId, status: { name: 'TERMINATED' } })
})
