import pino from 'pino'
import { expect, test } from 'vitest'
import { createHandover } from '../../api/handover.ts'
import { enqueueStart, type OutboxRow } from '../../db/outbox.ts'
import { eventually } from '../support/eventually.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, system, organisationId } = await testOrganisation()

/** What Temporal was told of, in order; `answer` throws where it takes nothing. */
function handoverWith({
  perSecond,
  watch = () => () => 0,
  answer = () => {},
}: {
  perSecond?: number
  watch?: () => () => number
  answer?: () => void
} = {}) {
  const taken: string[] = []
  const delivery = {
    async deliver({ workflowId }: OutboxRow) {
      answer()
      taken.push(workflowId)
    },
    isFinal: () => false,
    codeOf: () => 'UNAVAILABLE',
  }
  const log = pino({ level: 'silent' })
  return { taken, handover: createHandover({ system, delivery, clock: () => new Date(), log, perSecond, watch }) }
}

async function enqueue(workflowId: string): Promise<string> {
  const story = { workflowId, name: 'x', args: {}, subjectId: organisationId, summary: 'x', requestId: 'r' }
  await database.as(organisationId, (tx) => enqueueStart(tx, story, new Date()))
  return workflowId
}

const pending = async () => {
  const rows = await system<{ workflowId: string }[]>`
    select workflow_id from outbox where status = 'pending' order by workflow_id`
  return rows.map(({ workflowId }) => workflowId)
}
const soon = { timeout: 10_000, interval: 20 }

test('many stories are handed over, each once, however often it is begun', async () => {
  const workflowIds = await Promise.all(Array.from({ length: 250 }, (_, index) => enqueue(`many/${index}`)))
  const { taken, handover } = handoverWith()
  for (const workflowId of [...workflowIds, ...workflowIds]) handover.begin(workflowId)
  await eventually(async () => expect(await pending()).toEqual([]), soon)
  expect(taken.toSorted()).toEqual(workflowIds.toSorted())
  await handover.close()
})

test('beyond its pace stories wait, and a close does not wait for them', async () => {
  await enqueue('paced/1')
  await enqueue('paced/2')
  const { taken, handover } = handoverWith({ perSecond: 0.0001 })
  handover.begin('paced/1')
  handover.begin('paced/2')
  await eventually(async () => expect(await pending()).toEqual(['paced/2']), soon)
  await handover.close()
  expect(taken).toEqual(['paced/1'])
  expect(await handover.now('paced/2')).toBe(true)
})

test('while the process is busy with what comes in, what has a pace goes on at a tenth of it', async () => {
  const workflowIds = [await enqueue('busy/1'), await enqueue('busy/2'), await enqueue('busy/3')]
  // After the first it is busy all the time, after the second for two rests.
  const isFree = Array.from({ length: 13 }, (_, rest) => rest === 12)
  const restedBefore: number[] = []
  let rested = 0
  const { handover } = handoverWith({
    perSecond: 4,
    watch: () => {
      const free = isFree[rested] ?? true
      rested += 1
      return () => (free ? 0 : 1)
    },
    answer: () => void restedBefore.push(rested),
  })
  for (const workflowId of workflowIds) handover.begin(workflowId)
  await eventually(() => expect(restedBefore).toEqual([0, 10, 13]), soon)
  await handover.close()
})

test('while Temporal is away a story stays in the outbox, and the next is tried all the same', async () => {
  let isAway = true
  const answer = () => {
    if (isAway) throw new Error('no connection')
  }
  const { taken, handover } = handoverWith({ answer })
  handover.begin(await enqueue('away/1'))
  await eventually(async () => {
    const [row] = await system`select from outbox where workflow_id = 'away/1' and last_error = 'UNAVAILABLE'`
    expect(row).toBeDefined()
  }, soon)
  isAway = false
  await eventually(() => {
    handover.begin('away/1')
    expect(taken).toEqual(['away/1'])
  }, soon)
  await handover.close()
})
