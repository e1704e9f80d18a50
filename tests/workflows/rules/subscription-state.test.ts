import { expect, test } from 'vitest'
import type { Access, StripeStatus, SubscriptionState } from '../../../workflows/contracts/subscriptions.ts'
import { decideBilling } from '../../../workflows/rules/billing-decision.ts'
import { daysOn, failedInvoice, situation, subscription } from '../../support/billing-situations.ts'

const standing = (...given: Parameters<typeof situation>) => {
  const { access, subscriptions } = decideBilling(situation(...given))
  return { access, states: subscriptions.map(({ state }) => state) }
}

const statuses: [StripeStatus, SubscriptionState, Access][] = [
  ['incomplete', 'suspended', 'none'],
  ['incomplete_expired', 'ended', 'none'],
  ['trialing', 'trialing', 'full'],
  ['active', 'active', 'full'],
  ['past_due', 'past_due', 'full'],
  ['canceled', 'ended', 'none'],
  ['unpaid', 'past_due', 'full'],
  ['paused', 'suspended', 'none'],
]

test.each(statuses)('what Stripe calls %s is %s at first, with access %s', (status, state, access) => {
  expect(standing({ subscriptions: [subscription({ status })] }, daysOn(1))).toEqual({ access, states: [state] })
})

test.each(['past_due', 'unpaid'] as const)(
  'an overdue payment takes access away step by step, also when it is %s',
  (status) => {
    const facts = { subscriptions: [subscription({ status })], openInvoices: [failedInvoice()] }
    expect(standing(facts, daysOn(7) - 1)).toEqual({ access: 'full', states: ['past_due'] })
    expect(standing(facts, daysOn(7))).toEqual({ access: 'reduced', states: ['grace'] })
    expect(standing(facts, daysOn(21) - 1)).toEqual({ access: 'reduced', states: ['grace'] })
    expect(standing(facts, daysOn(21))).toEqual({ access: 'none', states: ['suspended'] })
  },
)

test('who has paid has full access again at once', () => {
  expect(standing({ subscriptions: [subscription()] }, daysOn(22)).access).toBe('full')
})

test('the first invoice that is overdue counts, then the next', () => {
  const second = failedInvoice({ id: 'in_2', overdueSince: daysOn(5) })
  const facts = { subscriptions: [subscription({ status: 'past_due' })] }
  expect(standing({ ...facts, openInvoices: [second, failedInvoice()] }, daysOn(8)).access).toBe('reduced')
  expect(standing({ ...facts, openInvoices: [second] }, daysOn(8)).access).toBe('full')
})

test('where no open invoice tells since when, what was known before does, and at first sight the period', () => {
  const facts = { subscriptions: [subscription({ status: 'past_due' })] }
  expect(decideBilling(situation(facts, daysOn(9))).subscriptions[0]?.overdueSince).toBe(daysOn(0))
  const remembered = situation(facts, daysOn(9), { overdueSince: { sub_1: daysOn(8) } })
  expect(decideBilling(remembered).subscriptions[0]?.overdueSince).toBe(daysOn(8))
})

test('the policy is that of the biggest plan, and one of ours where the catalogue has none', () => {
  const item = (planKey: string) => ({
    planKey,
    every: 'P1M' as const,
    period: { startsAt: daysOn(0), endsAt: daysOn(30) },
  })
  const at = (keys: string[]) =>
    standing(
      {
        subscriptions: [subscription({ status: 'past_due', items: keys.map(item) })],
        openInvoices: [failedInvoice()],
      },
      daysOn(1),
    ).access
  expect(at(['hasty'])).toBe('none')
  expect(at(['hasty', 'hunter'])).toBe('full')
  expect(at(['unheard-of'])).toBe('full')
})

test('of several subscriptions the best decides, each has its own', () => {
  const facts = {
    subscriptions: [subscription({ status: 'past_due' }), subscription({ id: 'sub_2', status: 'canceled' })],
    openInvoices: [failedInvoice()],
  }
  expect(standing(facts, daysOn(8))).toEqual({ access: 'reduced', states: ['grace', 'ended'] })
  expect(standing({}, daysOn(8))).toEqual({ access: 'none', states: [] })
})

test('an operator keeps the entitlements of who is overdue, not of who has ended; undone, it catches up with one notice', () => {
  const facts = { subscriptions: [subscription({ status: 'past_due' })], openInvoices: [failedInvoice()] }
  const keepEntitlements = { reason: 'bank strike', author: 'operator' }
  const kept = decideBilling(situation(facts, daysOn(22), { switches: { keepEntitlements } }))
  expect(kept).toMatchObject({ access: 'full', subscriptions: [{ state: 'suspended' }] })
  const noticesOf = ({ acts }: typeof kept) => acts.flatMap((act) => (act.is === 'notice' ? [act.notice] : []))
  expect(noticesOf(kept)).toEqual(['payment_failed'])
  expect(noticesOf(decideBilling(situation(facts, daysOn(22))))).toEqual(['payment_failed', 'access_revoked'])
  const ended = { subscriptions: [subscription({ status: 'canceled' })] }
  expect(standing(ended, daysOn(22), { switches: { keepEntitlements } }).access).toBe('none')
})

test('an operator moves the moment at which access goes', () => {
  const facts = { subscriptions: [subscription({ status: 'past_due' })], openInvoices: [failedInvoice()] }
  const timer = decideBilling(situation(facts, daysOn(1))).timers.find(({ what }) => what === 'access_reduced')
  expect(timer).toEqual({
    key: `billing/org/grace/sub_1/${daysOn(0)}/reduced`,
    at: daysOn(7),
    what: 'access_reduced',
    isMovable: true,
  })
  const movedTimers = { [timer?.key ?? '']: daysOn(9) }
  expect(standing(facts, daysOn(8), { movedTimers }).access).toBe('full')
  expect(standing(facts, daysOn(9), { movedTimers }).access).toBe('reduced')
})

test('paused collection changes neither state nor access', () => {
  const paused = subscription({ collectionPaused: { resumesAt: daysOn(9) } })
  expect(standing({ subscriptions: [paused] }, daysOn(1))).toEqual({ access: 'full', states: ['active'] })
})
