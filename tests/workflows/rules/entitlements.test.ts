import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type GrantedLimit, windowOf } from '../../../workflows/contracts/entitlements.ts'
import type { Plan } from '../../../workflows/contracts/plans.ts'
import type { SubscriptionFacts } from '../../../workflows/contracts/subscriptions.ts'
import { decideBilling } from '../../../workflows/rules/billing-decision.ts'
import { decideEntitlements } from '../../../workflows/rules/entitlements.ts'
import {
  began,
  dayMs,
  daysOn,
  failedInvoice,
  plans as otherPlans,
  situation,
  subscription,
} from '../../support/billing-situations.ts'

const [someplan] = otherPlans
if (!someplan) throw new Error('there are plans')
const plan = (key: string, family: string, rank: number, entitlements: Plan['entitlements']): Plan => ({
  ...someplan,
  key,
  family,
  rank,
  entitlements,
})
const limits = (searches: number, messages: number): Plan['entitlements']['limits'] => [
  { act: 'searches', most: searches, per: 'period' },
  { act: 'messages', most: messages, per: 'period' },
  { act: 'messages', most: messages / 10, per: 'day' },
  { act: 'contacts', most: messages, per: 'total' },
]
const plans = [
  plan('scout', 'prospecting', 10, { features: ['campaigns', 'sequences'], limits: limits(500, 3_000) }),
  plan('hunter', 'prospecting', 20, { features: ['campaigns', 'saved-searches'], limits: limits(2_000, 15_000) }),
  plan('starter', 'suite', 10, { features: ['campaigns', 'scoring-rules'], limits: limits(100, 1_000) }),
  plan('open', 'custom', 10, { features: ['sso'], limits: limits(10, 1_000).slice(1) }),
]

const ask = (subscriptions: SubscriptionFacts[], now = daysOn(1), more: Parameters<typeof situation>[0] = {}) => {
  const asked = { ...situation({ subscriptions, ...more }, now), plans }
  return decideEntitlements(asked, decideBilling(asked))
}
const of = (planKey: string, more: Partial<SubscriptionFacts> = {}, every: 'P1M' | 'P1Y' = 'P1M') =>
  subscription({
    id: `sub_${planKey}`,
    items: [
      { planKey, every, period: { startsAt: began, endsAt: every === 'P1M' ? at('2026-07-01') : at('2027-06-01') } },
    ],
    ...more,
  })
/** At ten in the morning, as everything of these subscriptions. */
const at = (day: string) => Date.parse(`${day}T10:00:00Z`)
const none = { from: null, until: null }

test('whoever never subscribed has no limits, not even after a first payment that failed', () => {
  expect(ask([])).toEqual({ entitlements: null, changesAt: null })
  const tried = [of('scout', { status: 'incomplete' }), of('hunter', { status: 'incomplete_expired' })]
  expect(ask(tried).entitlements).toBeNull()
})

test('a plan gives its features, and its limits with the month that is paid for', () => {
  const month = { from: began, until: at('2026-07-01') }
  expect(ask([of('scout')])).toEqual({
    entitlements: {
      access: 'full',
      features: ['campaigns', 'sequences'],
      limits: [
        { act: 'searches', most: 500, per: 'period', ...month },
        { act: 'messages', most: 300, per: 'day', ...none },
        { act: 'messages', most: 3_000, per: 'period', ...month },
        { act: 'contacts', most: 3_000, per: 'total', ...none },
      ],
    },
    changesAt: at('2026-07-01'),
  })
})

test('a yearly plan has its limits for each month of the year, counted as Stripe counts months', () => {
  const startsAt = at('2026-01-31')
  const yearly = of('scout', {
    items: [{ planKey: 'scout', every: 'P1Y', period: { startsAt, endsAt: at('2027-01-31') } }],
  })
  const month = (now: number) => {
    const { entitlements, changesAt } = ask([yearly], now)
    const [searches] = entitlements?.limits ?? []
    return [searches?.from, searches?.until, changesAt]
  }
  expect(month(at('2026-02-27'))).toEqual([startsAt, at('2026-02-28'), at('2026-02-28')])
  expect(month(at('2026-02-28'))).toEqual([at('2026-02-28'), at('2026-03-31'), at('2026-03-31')])
  expect(month(at('2027-01-30'))).toEqual([at('2026-12-31'), at('2027-01-31'), at('2027-01-31')])
  // Stripe is late with the next year.
  expect(month(at('2027-01-31'))).toEqual([at('2027-01-31'), at('2027-02-28'), at('2027-02-28')])
})

test('a trial has the limits of its plan once, however long it is', () => {
  const period = { startsAt: began, endsAt: daysOn(90) }
  const items: SubscriptionFacts['items'] = [{ planKey: 'scout', every: 'P1Y', period }]
  const trial = of('scout', { status: 'trialing', trialEndsAt: daysOn(90), items })
  const { entitlements } = ask([trial], daysOn(80))
  expect(entitlements?.limits[0]).toEqual({
    act: 'searches',
    most: 500,
    per: 'period',
    from: began,
    until: daysOn(90),
  })
})

test('of plans of several families features unite and limits add up, in the months of the oldest', () => {
  const later = { startedAt: daysOn(3), items: [{ ...itemOf('starter'), period: periodFrom(daysOn(3)) }] }
  const { entitlements } = ask([of('starter', later), of('scout')], daysOn(4))
  expect(entitlements?.features).toEqual(['campaigns', 'scoring-rules', 'sequences'])
  expect(entitlements?.limits).toEqual([
    { act: 'searches', most: 600, per: 'period', from: began, until: at('2026-07-01') },
    { act: 'messages', most: 400, per: 'day', ...none },
    { act: 'messages', most: 4_000, per: 'period', from: began, until: at('2026-07-01') },
    { act: 'contacts', most: 4_000, per: 'total', ...none },
  ])
})

test('of one family the bigger plan counts alone', () => {
  const { entitlements } = ask([of('scout'), of('hunter')])
  expect(entitlements?.limits[0]?.most).toBe(2_000)
  expect(entitlements?.features).toEqual(['campaigns', 'saved-searches'])
})

test('what one of several plans does not limit has no limit', () => {
  const { entitlements } = ask([of('scout'), of('open')])
  expect(entitlements?.limits.map(({ act }) => act)).toEqual(['messages', 'messages', 'contacts'])
})

test('a plan that the catalogue has not brings nothing, and limits nothing', () => {
  expect(ask([of('unheard-of'), of('scout')])).toEqual(ask([of('scout')]))
  expect(ask([of('unheard-of')]).entitlements).toEqual({ access: 'full', features: [], limits: [] })
})

test('overdue for long, access is reduced, then gone with everything that it gave', () => {
  const overdue = [of('scout', { id: 'sub_1', status: 'past_due' })]
  const openInvoices = [failedInvoice()]
  expect(ask(overdue, daysOn(8), { openInvoices }).entitlements).toMatchObject({
    access: 'reduced',
    features: ['campaigns', 'sequences'],
  })
  const revoked = ask(overdue, daysOn(22), { openInvoices })
  expect(revoked).toEqual({ entitlements: { access: 'none', features: [], limits: [] }, changesAt: null })
})

test('a plan with reduced access beside a whole one adds messages and no searches', () => {
  const subscriptions = [of('scout', { id: 'sub_1', status: 'past_due' }), of('starter')]
  const { entitlements } = ask(subscriptions, daysOn(8), { openInvoices: [failedInvoice()] })
  expect(entitlements?.access).toBe('full')
  expect(entitlements?.limits.map(({ most }) => most)).toEqual([100, 400, 4_000, 4_000])
})

const someSubscription = fc
  .record({
    planKey: fc.constantFrom('scout', 'starter', 'open', 'unheard-of'),
    every: fc.constantFrom('P1M' as const, 'P1Y' as const),
    startsAt: fc.integer({ min: 0, max: 400 }).map((days) => began + days * dayMs),
  })
  .map(({ planKey, every, startsAt }) =>
    of(planKey, {
      id: `sub_${planKey}`,
      startedAt: startsAt,
      items: [{ planKey, every, period: periodFrom(startsAt, every === 'P1M' ? 1 : 12) }],
    }),
  )
const someSubscriptions = fc.uniqueArray(someSubscription, { selector: ({ id }) => id, maxLength: 4 })

test('buying more never takes anything away', () => {
  fc.assert(
    fc.property(someSubscriptions, fc.integer({ min: 0, max: 800 }), (all, days) => {
      const [, ...fewer] = all
      const [more, less] = [all, fewer].map((some) => ask(some, daysOn(days)).entitlements)
      if (!more || !less) return
      expect(new Set(more.features).isSupersetOf(new Set(less.features))).toBe(true)
      // Nothing known is no plan at all.
      if (less.features.length === 0) return
      for (const { act, per, most } of more.limits) {
        const before = less.limits.find((one) => one.act === act && one.per === per)
        expect(before && before.most <= most).toBe(true)
      }
    }),
  )
})

test('nothing changes before the time that is told, and the order of subscriptions decides nothing', () => {
  fc.assert(
    fc.property(
      someSubscriptions,
      fc.integer({ min: 0, max: 800 * 24 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      run,
    ),
  )
  function run(subscriptions: SubscriptionFacts[], hours: number, share: number) {
    const now = began + hours * 3_600_000
    const decided = ask(subscriptions, now)
    expect(ask(subscriptions.toReversed(), now)).toEqual(decided)
    const { changesAt } = decided
    if (changesAt === null) return
    expect(changesAt).toBeGreaterThan(now)
    expect(ask(subscriptions, Math.min(changesAt - 1, now + Math.floor(share * (changesAt - now))))).toEqual(decided)
  }
})

test('a day is one of UTC, a month that is over is followed by another, and a total has no end', () => {
  const limit = (more: Partial<GrantedLimit>): GrantedLimit => ({
    act: 'messages',
    most: 1,
    per: 'day',
    ...none,
    ...more,
  })
  const midnight = Date.parse('2026-06-02T00:00:00Z')
  expect(windowOf(limit({}), midnight)).toEqual({ from: midnight, until: midnight + dayMs })
  expect(windowOf(limit({}), midnight - 1)).toEqual({ from: midnight - dayMs, until: midnight })
  const month = limit({ per: 'period', from: began, until: daysOn(30) })
  expect(windowOf(month, daysOn(30) - 1)).toEqual({ from: began, until: daysOn(30) })
  expect(windowOf(month, daysOn(30))).toEqual({ from: daysOn(30), until: daysOn(60) })
  expect(windowOf(month, daysOn(75))).toEqual({ from: daysOn(60), until: daysOn(90) })
  expect(windowOf(limit({ per: 'total' }), began)).toEqual({ from: 0, until: null })
})

function itemOf(planKey: string) {
  return { planKey, every: 'P1M', period: periodFrom(began) } as const
}

function periodFrom(startsAt: number, months = 1) {
  const end = new Date(startsAt)
  return { startsAt, endsAt: end.setUTCMonth(end.getUTCMonth() + months) }
}
