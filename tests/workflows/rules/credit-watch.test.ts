import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BillingMemory, CreditWatch, Dispute, WatchedCredits } from '../../../workflows/contracts/subscriptions.ts'
import { decideBilling } from '../../../workflows/rules/billing-decision.ts'
import { type Lived, lifeOf, live, someMoments } from '../../support/billing-life.ts'
import { began, calls, dayMs, daysOn, oldCard, situation, topUpCalls } from '../../support/billing-situations.ts'

const switchedOn = { reason: 'asked for', author: 'operator' }
const watch = (account: Partial<WatchedCredits>, more: Partial<CreditWatch> = {}): CreditWatch => ({
  accounts: [calls(account)],
  topUps: [],
  attempts: [],
  ...more,
})
const decide = (credits: CreditWatch, now = daysOn(1), memory: Partial<BillingMemory> = {}, facts = {}) =>
  decideBilling({ ...situation({ card: oldCard, ...facts }, now, memory), credits })
const attempt = (days: number, hasFailed = false) => ({ type: 'calls', at: daysOn(days), hasFailed })
const low = { balance: 5, fallenTo: 20 }

test.each([
  [{ balance: 60, fallenTo: 100 }, []],
  [{ balance: 50, fallenTo: 50 }, [['credits_low', 50]]],
  [{ balance: 10, fallenTo: 20 }, [['credits_low', 20]]],
  [{ balance: 0, fallenTo: 0 }, [['credits_exhausted', 0]]],
  [{ balance: -3, fallenTo: 0 }, [['credits_exhausted', 0]]],
  // Expired, not used.
  [{ balance: 1, fallenTo: 100 }, []],
  // Bought since.
  [{ balance: 90, periodGranted: 180, fallenTo: 20 }, []],
])('of %j is told: %j', (account, told) => {
  const { acts } = decide(watch(account))
  expect(acts.map((act) => (act.is === 'notice' ? [act.notice, act.step] : act))).toEqual(told)
})

test('a share is told once a period, and again in the next', () => {
  const [act] = decide(watch(low)).acts
  expect(act).toEqual({
    is: 'notice',
    notice: 'credits_low',
    about: 'calls',
    step: 20,
    isLast: false,
    key: `billing/org/credits-low/calls/${began}/20`,
  })
  const done = [act?.key ?? '']
  expect(decide(watch(low), daysOn(2), { done }).acts).toEqual([])
  expect(decide(watch({ ...low, periodBeganAt: daysOn(30) }), daysOn(31), { done }).acts).toHaveLength(1)
})

const topUpsOf = (...given: Parameters<typeof decide>) => decide(...given).acts.filter(({ is }) => is === 'top_up')
const running = (attempts: CreditWatch['attempts'] = [], more = {}) =>
  watch({ balance: 5 }, { topUps: [topUpCalls(more)], attempts })

test('below the threshold credits are bought, under a number', () => {
  expect(topUpsOf(running())).toEqual([
    {
      is: 'top_up',
      type: 'calls',
      planKey: 'calls-100',
      priceKey: 'once',
      quantity: 2,
      key: 'billing/org/top-up/calls/1',
    },
  ])
  expect(topUpsOf(running([], { threshold: 5 }))).toEqual([])
  expect(topUpsOf(running([attempt(-9), attempt(-5)]))).toMatchObject([{ key: 'billing/org/top-up/calls/3' }])
})

test('within the cool-down nothing is bought, whatever came of the last: a timer tells when', () => {
  for (const hasFailed of [false, true]) {
    const { acts, timers } = decide(running([attempt(0.5, hasFailed)]))
    expect(acts.filter(({ is }) => is === 'top_up')).toEqual([])
    expect(timers).toEqual([{ key: 'billing/org/top-up/calls/2', at: daysOn(1.5), what: 'top_up', isMovable: false }])
  }
})

test('once a month has had its most, the next begins with the next month', () => {
  const attempts = [attempt(1), attempt(3), attempt(5, true)]
  const { acts, timers } = decide(running(attempts), daysOn(20), { done: ['billing/org/top-up/calls/3/failed'] })
  expect(acts).toEqual([])
  expect(timers).toMatchObject([{ key: 'billing/org/top-up/calls/4', at: Date.parse('2026-07-01T00:00:00Z') }])
  expect(topUpsOf(running(attempts), Date.parse('2026-07-01T00:00:00Z'))).toHaveLength(1)
})

test('nothing is bought with a dispute, by an operator’s switch, or without a card that is valid', () => {
  const dispute: Dispute = {
    id: 'dp_1',
    paymentId: null,
    amount: 100,
    status: 'under_review',
    openedAt: began,
    evidenceDueAt: null,
  }
  expect(topUpsOf(running(), daysOn(1), {}, { disputes: [dispute] })).toEqual([])
  expect(topUpsOf(running(), daysOn(1), { switches: { noAutomaticCharge: switchedOn } })).toEqual([])
  expect(topUpsOf(running(), daysOn(1), {}, { card: null })).toEqual([])
  expect(topUpsOf(running(), daysOn(1), {}, { card: { ...oldCard, expiresAt: daysOn(1) } })).toEqual([])
})

test('that it has failed is told once until one has succeeded', () => {
  const failures = (attempts: CreditWatch['attempts']) =>
    decide(running(attempts), daysOn(9)).acts.flatMap((act) =>
      act.is === 'notice' && act.notice === 'top_up_failed' ? [act.key] : [],
    )
  const first = 'billing/org/top-up/calls/2/failed'
  expect(failures([attempt(1)])).toEqual([])
  expect(failures([attempt(1), attempt(2, true)])).toEqual([first])
  expect(failures([attempt(1), attempt(2, true), attempt(3, true)])).toEqual([first])
  expect(failures([attempt(2, true), attempt(3)])).toEqual([])
  expect(failures([attempt(1), attempt(2, true), attempt(3), attempt(4, true)])).toEqual([
    'billing/org/top-up/calls/4/failed',
  ])
})

/** Lives in which much is used. */
const someUse = lifeOf([
  ...(['useCredits', 'useCredits', 'useCredits', 'useCredits', 'buyCredits', 'creditPeriod', 'topUp'] as const),
  ...(['newCard', 'noCard', 'switch', 'disputeOpens', 'disputeMoves', 'invoicePaid', 'invoiceFails'] as const),
])

function inEveryLife(check: (acts: Lived['acts']) => void) {
  fc.assert(
    fc.property(someUse, someMoments, (life, moments) => check(live(life, { extra: moments }).acts)),
    { numRuns: 300 },
  )
}

test('whatever happens, top-ups are a cool-down apart, and no month has more than its most', () => {
  inEveryLife((acts) => {
    const times = acts.filter(({ act }) => act.is === 'top_up').map(({ at }) => at)
    for (const [index, at] of times.entries()) {
      const before = times[index - 1]
      if (before !== undefined) expect(at - before).toBeGreaterThanOrEqual(dayMs)
    }
    const months = Map.groupBy(times, (at) => new Date(at).toISOString().slice(0, 7))
    for (const inMonth of months.values()) expect(inMonth.length).toBeLessThanOrEqual(3)
  })
})

test('within a period the shares that are told only fall', () => {
  inEveryLife((acts) => {
    const told = acts.flatMap(({ act }) =>
      act.is === 'notice' && act.notice.startsWith('credits_') ? [{ key: act.key, share: act.step }] : [],
    )
    for (const shares of Map.groupBy(told, ({ key }) => key.replace(/\/\d+$/, '')).values()) {
      const inOrder = shares.map(({ share }) => share)
      expect(inOrder).toEqual([...new Set(inOrder)].toSorted((one, other) => other - one))
    }
  })
})
