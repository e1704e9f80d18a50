import { randomUUID } from 'node:crypto'
import { ApplicationFailure } from '@temporalio/common'
import { Worker } from '@temporalio/worker'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { DueAct } from '../../activities/billing/acts.ts'
import type { RequestOutcome } from '../../workflows/contracts/billing-requests.ts'
import {
  type BillingLook,
  carryOut,
  lookAgain,
  subscriptionView,
  subscriptionId as workflowIdOf,
} from '../../workflows/contracts/subscription-lifecycle.ts'
import type { Act } from '../../workflows/contracts/subscriptions.ts'
import { spreadOf } from '../../workflows/rules/spread.ts'
import { workflowBundle } from '../support/campaign-world.ts'
import { timeSkipping } from '../support/temporal.ts'

const skipping = await timeSkipping()
const patience = { timeout: 20_000, interval: 20 }
const hourMs = 3_600_000
const minuteMs = 60_000

const quiet: BillingLook = {
  state: 'active',
  access: 'full',
  isFrozen: false,
  acts: [],
  requests: [],
  next: null,
  reportAt: null,
}
const grant = (key: string): Act => ({
  key,
  is: 'grant_credits',
  type: 'calls',
  amount: 10,
  source: 'plan',
  expiresAt: null,
  rollsOver: null,
  beginsPeriod: true,
})

describe.skipIf(!skipping)('on the time-skipping server (skipped where none can be had)', () => {
  if (!skipping) return
  const { client, nativeConnection: connection } = skipping

  type Look = (at: number) => BillingLook | Promise<BillingLook>
  const taskQueue = 'billing'
  const stories = new Map<string, ReturnType<typeof newStory>>()
  const newStory = (look: Look) => ({
    look,
    looks: [] as number[],
    performed: [] as DueAct[],
    failed: [] as string[],
    carriedOut: [] as string[],
    answers: new Map<string, RequestOutcome>(),
    reports: [] as number[],
    report: (_count: number, _now: number): { reportAt: number | null } => ({ reportAt: null }),
  })
  const of = (organisationId: string) => {
    const begun = stories.get(organisationId)
    if (!begun) throw new Error('nobody has begun this story')
    return begun
  }

  // One for all: the server waits for those who left it with a task, and its clock stands still meanwhile.
  let worker: Worker
  let running: Promise<void>
  beforeAll(async () => {
    worker = await Worker.create({
      connection,
      taskQueue,
      ...(await workflowBundle()),
      activities: {
        lookAtBilling({ organisationId, now }: { organisationId: string; now: number }) {
          const { looks, look } = of(organisationId)
          looks.push(now)
          return look(now)
        },
        performAct(due: DueAct) {
          of(due.organisationId).performed.push(due)
          if (due.act.key === 'impossible') throw ApplicationFailure.nonRetryable('stripe:no_such_card', 'rejected')
        },
        recordFailedAct: ({ organisationId, act, code }: DueAct & { code: string }) =>
          void of(organisationId).failed.push(`${act.key} ${code}`),
        carryOutRequest({ organisationId, requestId }: { organisationId: string; requestId: string }) {
          of(organisationId).carriedOut.push(requestId)
          return of(organisationId).answers.get(requestId) ?? { is: 'done' }
        },
        reportUsage({ organisationId, now }: { organisationId: string; now: number }) {
          const { reports, report } = of(organisationId)
          reports.push(now)
          return report(reports.length, now)
        },
      },
    })
    running = worker.run()
  })
  afterAll(async () => {
    worker.shutdown()
    await running
  })

  /** A story whose looks come to what a test says, with all that it does. */
  async function story(look: Look) {
    const organisationId = randomUUID()
    const begun = newStory(look)
    stories.set(organisationId, begun)
    const { workflowId, firstExecutionRunId } = await client.workflow.start('subscriptionLifecycle', {
      workflowId: workflowIdOf(organisationId),
      taskQueue,
      args: [{ organisationId }],
    })
    await vi.waitFor(() => expect(begun.looks.length).toBeGreaterThan(0), patience)
    const handle = client.workflow.getHandle(workflowId)
    return {
      ...begun,
      organisationId,
      handle,
      firstRunId: firstExecutionRunId,
      async [Symbol.asyncDispose]() {
        await handle.cancel()
        await expect(handle.result()).rejects.toThrow()
      },
    }
  }

  test('what is heard while it looks makes it look once more, however often it is heard', async () => {
    const gate = Promise.withResolvers<void>()
    let isFirst = true
    await using one = await story(async () => {
      if (isFirst) await gate.promise
      isFirst = false
      return quiet
    })
    for (let times = 0; times < 10; times += 1) await one.handle.signal(lookAgain)
    gate.resolve()
    await vi.waitFor(() => expect(one.looks).toHaveLength(2), patience)
    await one.handle.signal(lookAgain)
    await vi.waitFor(() => expect(one.looks).toHaveLength(3), patience)
    expect(await one.handle.query(subscriptionView)).toMatchObject({ state: 'active', access: 'full' })
  })

  test('does what is due in its order, one that is impossible is written down as failed, and looks again', async () => {
    let acts = [grant('first'), grant('impossible'), grant('second')]
    await using one = await story(() => {
      const look = { ...quiet, acts }
      acts = []
      return look
    })
    await vi.waitFor(() => expect(one.looks).toHaveLength(2), patience)
    expect(one.performed.map(({ act }) => act.key)).toEqual(['first', 'impossible', 'second'])
    expect(one.failed).toEqual(['impossible stripe:no_such_card'])
  })

  test('looks when the next thing is to come', async () => {
    let at = 0
    await using one = await story((now) => {
      at ||= now + 3 * hourMs
      return { ...quiet, next: now < at ? { at, what: 'trial_ending' } : null }
    })
    await skipping.sleep('4 hours')
    await vi.waitFor(() => expect(one.looks).toHaveLength(2), patience)
    expect(one.looks[1]).toBeGreaterThanOrEqual(at)
    expect(one.looks[1]).toBeLessThan(at + 60_000)
  })

  test('metered use is reported at its time in batches, and some minutes later again where that fails for good', async () => {
    let first = 0
    await using one = await story((now) => {
      first ||= now
      return { ...quiet, reportAt: now < first + hourMs ? Math.max(now, first + 5 * minuteMs) : null }
    })
    of(one.organisationId).report = (count, now) => {
      if (count === 3) throw ApplicationFailure.nonRetryable('stripe:invalid_credentials', 'rejected')
      return { reportAt: count < 3 ? now : null }
    }
    expect(one.reports).toEqual([])
    await skipping.sleep('30 minutes')
    await vi.waitFor(() => expect(one.reports).toHaveLength(4), patience)
    const [began = 0, , failed = 0, again = 0] = one.reports
    expect(began).toBeGreaterThanOrEqual(first + 5 * minuteMs)
    expect(failed - began).toBeLessThan(minuteMs)
    expect(again - failed).toBeGreaterThanOrEqual(10 * minuteMs)
    expect(one.performed).toEqual([])
  })

  test('looks by itself every day, at a time of its own, each day in a new run', async () => {
    await using one = await story(() => quiet)
    await skipping.sleep('80 hours')
    await vi.waitFor(() => expect(one.looks.length).toBeGreaterThanOrEqual(3), patience)
    const [first = 0, second = 0, third = 0] = one.looks
    expect(second - first).toBeGreaterThanOrEqual((0.5 + spreadOf(one.organisationId)) * 24 * hourMs - 1_000)
    expect(third - second).toBeGreaterThan(23 * hourMs)
    expect(third - second).toBeLessThan(25 * hourMs)
    expect((await one.handle.describe()).runId).not.toBe(one.firstRunId)
  })

  test('carries out what people ask for and looks again, or refuses it with its code', async () => {
    await using one = await story(() => quiet)
    one.answers.set('wrong', { is: 'refused', code: 'payment_required' })
    one.answers.set('later', { is: 'waiting' })
    expect(await one.handle.executeUpdate(carryOut, { args: ['right'] })).toBe('done')
    // Whoever is answered finds it done.
    expect(one.looks).toHaveLength(2)
    expect(await one.handle.executeUpdate(carryOut, { args: ['later'] })).toBe('waiting')
    await expect(one.handle.executeUpdate(carryOut, { args: ['wrong'] })).rejects.toMatchObject({
      cause: { type: 'payment_required' },
    })
    await expect(one.handle.executeUpdate(carryOut, { args: [''] })).rejects.toMatchObject({
      cause: { type: 'invalid_input' },
    })
  })

  test('what was asked for and never told is carried out at the next look, whatever becomes of it', async () => {
    let requests = ['left-behind', 'wrong']
    await using one = await story(() => {
      const look = { ...quiet, requests }
      requests = []
      return look
    })
    one.answers.set('wrong', { is: 'refused', code: 'payment_required' })
    await vi.waitFor(() => expect(one.looks).toHaveLength(2), patience)
    expect(one.carriedOut).toEqual(['left-behind', 'wrong'])
  })

  test('where a look fails for good it waits, and goes on when it is told to look again', async () => {
    let isBroken = true
    await using one = await story(() => {
      if (isBroken) throw ApplicationFailure.nonRetryable('stripe:invalid_credentials', 'rejected')
      return quiet
    })
    await vi.waitFor(async () => {
      const { searchAttributes } = await one.handle.describe()
      expect(searchAttributes).toMatchObject({ BusinessStatus: ['waiting:repair'] })
    }, patience)
    isBroken = false
    await one.handle.signal(lookAgain)
    await vi.waitFor(
      async () => expect(await one.handle.query(subscriptionView)).toMatchObject({ state: 'active' }),
      patience,
    )
  })
})
