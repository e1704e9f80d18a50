import { beforeEach, expect, test } from 'vitest'
import {
  type Delivery,
  deliverDue,
  enqueueSignal,
  enqueueStart,
  type OutboxRow,
  removeDelivered,
} from '../../db/outbox.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, system, organisationId } = await testOrganisation()

beforeEach(async () => {
  await system`update outbox set status = 'delivered'`
})

const now = new Date('2026-01-05T12:00:00Z')
const seconds = (count: number) => new Date(now.getTime() + count * 1000)

async function enqueue(workflowId: string): Promise<void> {
  const start = {
    workflowId,
    name: 'prospectCampaign',
    args: {},
    subjectId: organisationId,
    summary: 'x',
    requestId: 'r',
  }
  await database.as(organisationId, (tx) => enqueueStart(tx, start, now))
}

class Unavailable extends Error {}
class Malformed extends Error {}

/** Temporal as seen from the outbox; `answer` throws where it does not take a row. */
function temporal(answer: (row: OutboxRow) => void = () => {}): Delivery & { taken: string[] } {
  const taken: string[] = []
  return {
    taken,
    async deliver(row) {
      answer(row)
      taken.push(row.workflowId)
    },
    isFinal: (error) => error instanceof Malformed,
    codeOf: (error) => (error instanceof Malformed ? 'INVALID_ARGUMENT' : 'UNAVAILABLE'),
  }
}

const sweep = (delivery: Delivery, at = now) => deliverDue(system, delivery, { now: at, limit: 100 })

test('what a transaction wrote is delivered, and once; what it rolled back is not', async () => {
  await enqueue('campaign/1')
  const rolledBack = database.as(organisationId, async (tx) => {
    await enqueueStart(
      tx,
      { workflowId: 'campaign/2', name: 'x', args: {}, subjectId: organisationId, summary: 'x', requestId: 'r' },
      now,
    )
    throw new Error('the caller fails')
  })
  await expect(rolledBack).rejects.toThrow('the caller fails')
  const delivery = temporal()
  expect(await sweep(delivery)).toEqual({ delivered: 1, failed: 0, codes: [] })
  expect(await sweep(delivery)).toEqual({ delivered: 0, failed: 0, codes: [] })
  expect(delivery.taken).toEqual(['campaign/1'])
})

test('sweeps at the same moment share the rows', async () => {
  for (let index = 0; index < 20; index += 1) await enqueue(`campaign/shared-${index}`)
  const delivery = temporal()
  await Promise.all(Array.from({ length: 5 }, () => deliverDue(system, delivery, { now, limit: 10 })))
  expect(new Set(delivery.taken).size).toBe(delivery.taken.length)
  await sweep(delivery)
  expect(delivery.taken).toHaveLength(20)
})

test('what is to be said to a story several times is said once, and what is said otherwise for itself', async () => {
  const say = (workflowId: string, upTo: number) => {
    const story = {
      workflowId,
      name: 'dripSequence',
      args: {},
      subjectId: organisationId,
      summary: 'x',
      requestId: 'r',
    }
    const told = { ...story, signal: 'seatsTaken', signalArgs: { upTo } }
    return database.as(organisationId, (tx) => enqueueSignal(tx, told, now))
  }
  for (const upTo of [1, 2, 2, 2]) await say('drip/1', upTo)
  await say('drip/2', 2)
  const said: string[] = []
  const delivery = temporal((row) => said.push(`${row.workflowId} ${JSON.stringify(row.signalArgs)}`))
  expect(await deliverDue(system, delivery, { now, limit: 1 })).toEqual({ delivered: 4, failed: 0, codes: [] })
  expect(said).toEqual(['drip/1 {"upTo":1}', 'drip/1 {"upTo":2}'])
  expect(await deliverDue(system, delivery, { now, workflowIds: ['drip/2'] })).toEqual({
    delivered: 1,
    failed: 0,
    codes: [],
  })
})

test('what is written while the same is being said is said once more', async () => {
  await enqueue('campaign/again')
  const delivery = temporal()
  const deliver = delivery.deliver
  let isWritten = false
  await sweep({
    ...delivery,
    async deliver(row) {
      if (!isWritten) await enqueue('campaign/again')
      isWritten = true
      await deliver(row)
    },
  })
  expect(await sweep(delivery)).toEqual({ delivered: 1, failed: 0, codes: [] })
  expect(delivery.taken).toEqual(['campaign/again', 'campaign/again'])
})

test('while Temporal is away rows stay due, later and later, and are delivered when it is back', async () => {
  await enqueue('campaign/waits')
  const away = temporal(() => {
    throw new Unavailable('no connection')
  })
  expect(await sweep(away)).toEqual({ delivered: 0, failed: 1, codes: ['UNAVAILABLE'] })
  expect(await sweep(away)).toEqual({ delivered: 0, failed: 0, codes: [] }) // not due again yet
  expect(await sweep(away, seconds(2))).toEqual({ delivered: 0, failed: 1, codes: ['UNAVAILABLE'] })
  const back = temporal()
  expect(await sweep(back, seconds(120))).toEqual({ delivered: 1, failed: 0, codes: [] })
})

test('a row that can never be delivered becomes dead and holds nobody up', async () => {
  await enqueue('campaign/malformed')
  await enqueue('campaign/fine')
  const delivery = temporal((row) => {
    if (row.workflowId === 'campaign/malformed') throw new Malformed('no')
  })
  expect(await sweep(delivery)).toEqual({ delivered: 1, failed: 1, codes: ['INVALID_ARGUMENT'] })
  const [row] = await system<{ status: string; lastError: string }[]>`
    select status, last_error from outbox where workflow_id = 'campaign/malformed'`
  expect(row).toEqual({ status: 'dead', lastError: 'INVALID_ARGUMENT' })
})

test('what was delivered long ago is removed bit by bit; what is due, dead or of late stays', async () => {
  const old = ['campaign/old-1', 'campaign/old-2', 'campaign/old-3']
  const all = [...old, 'campaign/late', 'campaign/due', 'campaign/dead']
  for (const workflowId of all) await enqueue(workflowId)
  await system`update outbox set status = 'delivered', delivered_at = ${seconds(-60)} where workflow_id = any(${old})`
  await system`update outbox set status = 'delivered', delivered_at = ${now} where workflow_id = 'campaign/late'`
  await system`update outbox set status = 'dead' where workflow_id = 'campaign/dead'`
  expect(await removeDelivered(system, { before: now, limit: 2 })).toBe(2)
  expect(await removeDelivered(system, { before: now, limit: 2 })).toBe(1)
  expect(await removeDelivered(system, { before: now, limit: 2 })).toBe(0)
  const left = await system<{ workflowId: string }[]>`
    select workflow_id from outbox where workflow_id = any(${all}) order by workflow_id`
  expect(left.map(({ workflowId }) => workflowId)).toEqual(['campaign/dead', 'campaign/due', 'campaign/late'])
})
