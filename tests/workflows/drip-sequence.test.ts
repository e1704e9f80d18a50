import type { WorkflowHandle } from '@temporalio/client'
import { Worker } from '@temporalio/worker'
import { describe, expect, test, vi } from 'vitest'
import { businessStatusKey } from '../../temporal-config/search-attributes.ts'
import { cohortState, lookAgain, type Seat, seatsTaken } from '../../workflows/contracts/drip-sequence.ts'
import { drawsFrom } from '../chaos/draws.ts'
import { workflowBundle } from '../support/campaign-world.ts'
import { type CohortRows, cohortRows, startCohort, type Waits, workOnCohorts } from '../support/drip-cohorts.ts'
import { timeSkipping } from '../support/temporal.ts'

const environment = await timeSkipping()
const hourMs = 3_600_000
const dayMs = 24 * hourMs
const patience = { timeout: 20_000, interval: 20 }

describe.skipIf(environment === undefined)('a cohort', () => {
  if (!environment) return
  const { client } = environment
  const work = (rows: CohortRows, maxCachedWorkflows?: number) =>
    workOnCohorts({ client, connection: environment.nativeConnection }, rows, maxCachedWorkflows)
  const now = () => environment.currentTimeMs()

  /** All runs of a story, the last one first. */
  async function historiesOf({ workflowId }: WorkflowHandle) {
    const histories = []
    for (let runId: string | undefined; ; ) {
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory()
      histories.push(history)
      runId = history.events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? undefined
      if (!runId) return histories
    }
  }

  async function detailsOf(story: WorkflowHandle): Promise<string> {
    return (await story.query<{ currentDetails: string }>('__temporal_workflow_metadata')).currentDetails
  }

  /** Every act of everyone was done, each once, in order, and when it was due. */
  function expectAllDone(rows: CohortRows, people: number, waitsOf: Waits): void {
    const bySeat = Map.groupBy(rows.acts, ({ seat }) => seat)
    expect(bySeat.size).toBe(people)
    for (const [seat, acts] of bySeat) expect(acts.map(({ act }) => act)).toEqual([...waitsOf(seat).keys()])
    expect(rows.twiceAtOnce).toEqual([])
    // Of the skipped clock: somebody forgotten would be found hours later.
    for (const { at, dueAt } of rows.acts) expect(at - dueAt).toBeLessThan(5 * 60_000)
  }

  test.each([
    { how: 'kept in memory, over many wake-ups', cached: 50, unitMs: 60_000, units: 40, rounds: 30 },
    { how: 'replayed at every turn, over days', cached: 0, unitMs: 4 * hourMs, units: 6, rounds: 5 },
  ])(
    'of 500, flooded with signals and continued as new, does each act once when it is due: $how',
    async (way) => {
      const draws = drawsFrom(way.how)
      const wait = () => draws.whole(1, way.units) * way.unitMs
      const plans = Array.from({ length: 500 }, () => [0, wait(), wait(), wait()])
      const waitsOf: Waits = (seat) => plans[seat - 1] ?? []
      const rows = cohortRows(waitsOf, 500)
      await using _ = await work(rows, way.cached)
      const story = await startCohort(client, 40)
      for (let round = 0; round < way.rounds; round += 1) {
        const seats = () => Array.from({ length: draws.whole(1, 8) }, () => draws.whole(1, 510))
        await Promise.all([
          ...Array.from({ length: 12 }, () => story.signal(lookAgain, { seats: seats() })),
          ...draws.shuffled([500, round, 30 + round * 20]).map((upTo) => story.signal(seatsTaken, { upTo })),
          ...(draws.chance(0.2) ? [story.signal(lookAgain, {})] : []),
        ])
        await environment.sleep(draws.whole(1, 3) * way.unitMs)
      }
      expect(await story.result()).toEqual({ enrolled: 500 })
      expectAllDone(rows, 500, waitsOf)
      const histories = await historiesOf(story)
      expect(histories.length).toBeGreaterThan(1)
      expect(histories.length).toBeLessThan(8)
      for (const { events } of histories) expect(events?.length).toBeLessThan(2_500)
      for (const history of histories) await Worker.runReplayHistory(await workflowBundle(), history)
    },
    120_000,
  )

  test('of 500 who move together costs at most 0.1 events per contact and step', async () => {
    const waitsOf: Waits = () => [0, 1_000, 1_000]
    const rows = cohortRows(waitsOf, 500)
    await using _ = await work(rows)
    const story = await startCohort(client, 500)
    expect(await story.result()).toEqual({ enrolled: 500 })
    expectAllDone(rows, 500, waitsOf)
    const [history] = await historiesOf(story)
    expect((history?.events ?? []).length / 1_500).toBeLessThan(0.1)
  })

  test('holds the one person whose turn always fails, nobody else, and goes on with them once that is mended', async () => {
    const waitsOf: Waits = () => [0, 60_000]
    const rows = cohortRows(waitsOf, 250)
    rows.before = (seats) => {
      if (seats.includes(77)) throw new Error('poison')
    }
    await using _ = await work(rows)
    const story = await startCohort(client, 250)
    await vi.waitFor(async () => expect(await story.query(cohortState)).toMatchObject({ held: 1, atTurn: 0 }), patience)
    await environment.sleep('2 days')
    expect(await story.query(cohortState)).toMatchObject({
      underWay: 0,
      atTurn: 0,
      held: 1,
      ended: 249,
      isClosed: true,
    })
    expect([...rows.held]).toEqual([[77, 'internal_error']])
    expect(await detailsOf(story)).toContain('internal_error 1')
    expect(await detailsOf(story)).toContain('`lookAgain`')
    rows.before = () => {}
    await story.signal(lookAgain, { seats: [77] })
    expect(await story.result()).toEqual({ enrolled: 250 })
    expect(rows.acts).toHaveLength(500)
  })

  test('holds nobody for an outage', async () => {
    const rows = cohortRows(() => [0], 100)
    const { countSeats } = rows.activities
    let isAway = true
    let asked = 0
    rows.before = () => {
      if (isAway) throw new Error('the database is away')
    }
    rows.activities.countSeats = async (cohort) => {
      asked += 1
      if (asked < 5) throw new Error('the database is away')
      isAway = false
      return countSeats(cohort)
    }
    await using _ = await work(rows)
    const story = await startCohort(client, 100)
    expect(await story.result()).toEqual({ enrolled: 100 })
    expect(rows.acts).toHaveLength(100)
    expect(rows.held.size).toBe(0)
  })

  test.each<[string, CohortRows['answer']]>([
    ['nothing', (outcomes) => outcomes.filter(({ seat }) => seat !== 3)],
    [
      'nonsense',
      (outcomes) => outcomes.map((told) => (told.seat === 3 ? { seat: 3, now: 'due', dueAt: 'soon' } : told)),
    ],
    ['two things', (outcomes) => [...outcomes, { seat: 3, now: 'asleep' }]],
  ])('holds a person of whom it is told %s, until somebody looks again', async (_what, answer) => {
    const rows = cohortRows(() => [0], 10)
    rows.answer = answer
    await using _ = await work(rows)
    const story = await startCohort(client, 10)
    await vi.waitFor(async () => expect(await story.query(cohortState)).toMatchObject({ held: 1, ended: 9 }), patience)
    expect([...rows.held]).toEqual([[3, 'internal_error']])
    rows.answer = (outcomes) => outcomes
    await story.signal(lookAgain, { seats: [3] })
    expect(await story.result()).toEqual({ enrolled: 10 })
    expect(rows.acts).toHaveLength(10)
  })

  test('holds a batch that is answered with nothing at all', async () => {
    const rows = cohortRows(() => [0], 3)
    rows.answer = () => null
    await using _ = await work(rows)
    const story = await startCohort(client, 3)
    await vi.waitFor(async () => expect(await story.query(cohortState)).toMatchObject({ held: 3 }), patience)
    rows.answer = (outcomes) => outcomes
    await story.signal(lookAgain)
    expect(await story.result()).toEqual({ enrolled: 3 })
  })

  test('looks again at whoever is at their turn once it is over, never at the same time', async () => {
    const rows = cohortRows(() => [null], 1)
    const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    rows.before = async () => {
      begun.resolve()
      await goOn.promise
    }
    await using _ = await work(rows)
    const story = await startCohort(client, 1)
    await begun.promise
    for (let times = 0; times < 3; times += 1) await story.signal(lookAgain, { seats: [1, 2, 99, 501] })
    rows.taken = 1
    goOn.resolve()
    await vi.waitFor(() => expect(rows.batches).toEqual([[1], [1]]), patience)
    rows.happened(1, await now())
    await story.signal(lookAgain, { seats: [1] })
    expect(await story.result()).toEqual({ enrolled: 1 })
    expect(rows.twiceAtOnce).toEqual([])
    expect(rows.acts).toHaveLength(1)
  })

  test('does not let a slow batch hold back others, and has stragglers share the next one', async () => {
    const rows = cohortRows(() => [null], 300)
    const gates: PromiseWithResolvers<void>[] = []
    await using _ = await work(rows)
    const story = await startCohort(client, 300)
    await vi.waitFor(
      async () => expect(await story.query(cohortState)).toMatchObject({ atTurn: 0, underWay: 300 }),
      patience,
    )
    rows.batches.length = 0
    rows.before = async () => {
      const gate = Promise.withResolvers<void>()
      gates.push(gate)
      await gate.promise
    }
    for (let seat = 1; seat <= 5; seat += 1) {
      await story.signal(lookAgain, { seats: [seat] })
      await vi.waitFor(() => expect(gates).toHaveLength(seat), patience)
    }
    for (const seat of [20, 30, 40, 20]) await story.signal(lookAgain, { seats: [seat] })
    expect(await story.query(cohortState)).toMatchObject({ atTurn: 5 })
    rows.before = () => {}
    gates[2]?.resolve()
    await vi.waitFor(async () => expect(await story.query(cohortState)).toMatchObject({ atTurn: 4 }), patience)
    expect(rows.batches).toEqual([[1], [2], [3], [4], [5], [20, 30, 40]])
    for (const gate of gates) gate.resolve()
    // The test server refuses a cancellation of what ends in the same moment, and then never goes on.
    await vi.waitFor(async () => expect(await story.query(cohortState)).toMatchObject({ atTurn: 0 }), patience)
    await story.cancel()
    await expect(story.result()).rejects.toThrow()
  })

  test('takes people in for a day, those too whom it was never told of, and ends when all are through', async () => {
    const rows = cohortRows(() => [0], 2)
    await using _ = await work(rows)
    const story = await startCohort(client, 1)
    await environment.sleep('23 hours')
    rows.taken = 3
    expect(rows.isClosed).toBe(false)
    expect(await story.query(cohortState)).toMatchObject({ admitted: 2, ended: 2, isClosed: false })
    expect(await detailsOf(story)).toContain('People enter until')
    await story.signal(seatsTaken, { upTo: 1 })
    expect(await story.result()).toEqual({ enrolled: 3 })
    expect(rows.acts.map(({ seat }) => seat)).toEqual([1, 2, 3])
  })

  test('asleep costs a few events a day, and operators see who sleeps', async () => {
    const rows = cohortRows((seat) => (seat === 500 ? [30 * dayMs] : [0, null]), 500)
    await using _ = await work(rows)
    const story = await startCohort(client, 500)
    await environment.sleep('29 days')
    const { raw } = await story.describe()
    const histories = await historiesOf(story)
    expect(histories.length).toBeGreaterThanOrEqual(29)
    for (const { events } of histories.slice(0, -1)) expect(events?.length).toBeLessThan(12)
    expect(Number(raw.workflowExecutionInfo?.historySizeBytes)).toBeLessThan(20_000)
    const details = await detailsOf(story)
    expect(details).toContain('**500 under way, 0 held, 0 ended** of 500')
    expect(details).toContain('| step-0 | 499 | 499 |')
    expect((await story.describe()).typedSearchAttributes.get(businessStatusKey)).toBe('running')
    await environment.sleep('2 days')
    expect(rows.acts).toHaveLength(500)
    for (let seat: Seat = 1; seat < 500; seat += 1) rows.happened(seat, await now())
    await story.signal(lookAgain)
    expect(await story.result()).toEqual({ enrolled: 500 })
    expect(rows.acts).toHaveLength(999)
    expect((await story.describe()).typedSearchAttributes.get(businessStatusKey)).toBe('completed')
  })

  test('that is cancelled holds everyone on their way, and nobody enters any more', async () => {
    const rows = cohortRows((seat) => (seat === 1 ? [0] : [dayMs * 7]), 4)
    await using _ = await work(rows)
    const story = await startCohort(client, 3)
    await vi.waitFor(
      async () => expect(await story.query(cohortState)).toMatchObject({ ended: 1, atTurn: 0 }),
      patience,
    )
    await story.cancel()
    await expect(story.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } })
    expect(rows.isClosed).toBe(true)
    expect([...rows.held]).toEqual([2, 3, 4].map((seat) => [seat, 'workflow_cancelled']))
    expect((await story.describe()).typedSearchAttributes.get(businessStatusKey)).toBe('cancelled')
  })

  test('goes on whatever an operator sends by hand', async () => {
    const rows = cohortRows(() => [0], 2)
    await using _ = await work(rows)
    const story = await startCohort(client, 1)
    await story.signal('seatsTaken')
    for (const nonsense of [{ upTo: '7' }, { upTo: -1 }, { upTo: null }]) await story.signal('seatsTaken', nonsense)
    for (const nonsense of [{ seats: 7 }, { seats: ['1', null, 0, -1, 1.5, 1e9] }, null])
      await story.signal('lookAgain', nonsense)
    expect(await story.result()).toEqual({ enrolled: 2 })
    expect(rows.acts).toHaveLength(2)
  })
})
