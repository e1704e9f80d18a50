import { expect, test } from 'vitest'
import type { BillingFacts, BillingMemory, Dispute } from '../../../workflows/contracts/subscriptions.ts'
import { decideBilling } from '../../../workflows/rules/billing-decision.ts'
import {
  began,
  daysOn,
  failedInvoice,
  hourMs,
  plans,
  situation,
  subscription,
} from '../../support/billing-situations.ts'

const decide = (facts: Partial<BillingFacts>, now: number, memory: Partial<BillingMemory> = {}) =>
  decideBilling(situation(facts, now, memory))
/** What is due, and how many days after the beginning what is to come; without the charge of the period under way. */
function look(facts: Partial<BillingFacts>, now: number, memory: Partial<BillingMemory> = {}) {
  const { acts, timers } = decide(facts, now, memory)
  return {
    due: acts.map((act) => ('notice' in act ? act.notice : act.is)),
    ahead: timers
      .filter(({ what }) => what !== 'renewal_check')
      .map(({ at, what }) => `${what} ${(at - began) / (24 * hourMs)}`),
  }
}
const only = (...subscriptions: BillingFacts['subscriptions']) => ({ subscriptions })

const trial = subscription({ status: 'trialing', trialEndsAt: daysOn(14), items: [] })

test('a trial is reminded of 3 days and 1 day before its end', () => {
  expect(look(only(trial), began)).toEqual({ due: [], ahead: ['trial_ending 11', 'trial_ending 13', 'trial_end 14'] })
  expect(look(only(trial), daysOn(13.5))).toEqual({ due: ['trial_ending'], ahead: ['trial_end 14'] })
  expect(look(only(trial), daysOn(14)).due).toEqual([])
})

test('a trial that is too short for a reminder, or was cancelled, has none', () => {
  expect(look(only({ ...trial, trialEndsAt: daysOn(2) }), began).ahead).toEqual(['trial_ending 1', 'trial_end 2'])
  expect(look(only({ ...trial, cancelsAt: daysOn(14) }), began).ahead).toEqual(['trial_end 14', 'subscription_end 14'])
})

test('a trial that is prolonged is reminded of anew', () => {
  const [reminded] = decide(only(trial), daysOn(13)).acts
  const prolonged = only({ ...trial, trialEndsAt: daysOn(20) })
  expect(look(prolonged, daysOn(13), { done: [reminded?.key ?? ''] })).toEqual({
    due: [],
    ahead: ['trial_ending 17', 'trial_ending 19', 'trial_end 20'],
  })
})

test('when a trial has ended and nobody pays, the customer is told once', () => {
  const paused = only({ ...trial, status: 'paused' })
  const told = decide(paused, daysOn(15)).acts
  expect(told).toMatchObject([{ is: 'notice', notice: 'trial_ended' }])
  expect(look(paused, daysOn(15), { done: told.map(({ key }) => key) })).toEqual({ due: [], ahead: [] })
  const period = { startsAt: daysOn(44), endsAt: daysOn(74) }
  const pausedLater = subscription({
    status: 'paused',
    trialEndsAt: daysOn(14),
    items: [{ planKey: 'scout', every: 'P1M', period }],
  })
  expect(look(only(pausedLater), daysOn(50)).due).toEqual([])
})

test('somebody looks soon after a period has begun, when Stripe has charged it', () => {
  const { timers } = decide(only(subscription()), began)
  expect(timers[0]).toMatchObject({ what: 'renewal_check', at: began + 70 * 60_000, isMovable: false })
})

test('a renewal is announced before the period ends, unless it is not going to be paid', () => {
  expect(look(only(subscription()), began)).toEqual({ due: [], ahead: ['renewal 23', 'period_end 30'] })
  expect(look(only(subscription()), daysOn(25)).due).toEqual(['renewal'])
  expect(look(only(subscription({ cancelsAt: daysOn(30) })), began).ahead).toEqual(['subscription_end 30'])
  expect(look(only(subscription({ collectionPaused: { resumesAt: daysOn(5) } })), began).ahead).toEqual([
    'collection_resumes 5',
    'period_end 30',
  ])
  const short = { startsAt: began, endsAt: daysOn(5) }
  expect(look(only(subscription({ items: [{ planKey: 'scout', every: 'P1M', period: short }] })), began).ahead).toEqual(
    ['period_end 5'],
  )
})

test('a first payment that is not made is looked after when Stripe lets go of it', () => {
  const { timers } = decide(only(subscription({ status: 'incomplete' })), began)
  expect(timers).toMatchObject([{ what: 'first_payment_expires', at: began + 23 * hourMs, isMovable: false }])
})

test.each(['canceled', 'incomplete_expired'] as const)('a subscription that is %s has nothing to come', (status) => {
  const pending = { changes: [{ id: 'c1', subscriptionId: 'sub_1', at: daysOn(30) }] }
  expect(look(only(subscription({ status, trialEndsAt: daysOn(14), cancelsAt: daysOn(20) })), began, pending)).toEqual({
    due: [],
    ahead: [],
  })
})

test('grace has its own timers, whatever Stripe and dunning do', () => {
  const facts = {
    ...only(subscription({ status: 'past_due' })),
    openInvoices: [failedInvoice({ nextAttemptAt: null })],
  }
  const { ahead } = look(facts, began, { switches: { noDunning: { reason: 'trusted', author: 'operator' } } })
  expect(ahead).toEqual(['access_reduced 7', 'access_revoked 21', 'period_end 30'])
})

test('a change of plan that waits is due at its time, and not once the subscription ends before', () => {
  const memory = { changes: [{ id: 'c1', subscriptionId: 'sub_1', at: daysOn(29) }] }
  expect(look(only(subscription()), began, memory).ahead).toContain('change_plan 29')
  expect(decide(only(subscription()), daysOn(29), memory).acts).toContainEqual({
    key: 'billing/org/change/c1',
    is: 'change_plan',
    changeId: 'c1',
    subscriptionId: 'sub_1',
  })
  expect(look(only(subscription({ cancelsAt: daysOn(20) })), began, memory).ahead).toEqual(['subscription_end 20'])
})

test('a card that expires is told of while something is still going to be paid with it', () => {
  const card = { id: 'pm_1', expiresAt: daysOn(40), defaultSince: began }
  expect(look({ ...only(trial), card }, daysOn(10)).due).toEqual(['card_expiring'])
  expect(look({ ...only(subscription({ status: 'canceled' })), card }, daysOn(10)).due).toEqual([])
  expect(look({ ...only(subscription({ cancelsAt: daysOn(30) })), card }, daysOn(10)).due).toEqual([])
})

const dispute: Dispute = {
  id: 'dp_1',
  paymentId: null,
  amount: 9_900,
  status: 'needs_response',
  openedAt: began,
  evidenceDueAt: daysOn(10),
}
const disputed = (more: Partial<Dispute> = {}) => ({
  subscriptions: [subscription({ status: 'past_due', items: [] })],
  openInvoices: [failedInvoice()],
  disputes: [{ ...dispute, ...more }],
})

test('a dispute freezes dunning and is told of 7, 3 and 1 days before its deadline', () => {
  const { due, ahead } = look(disputed(), began)
  expect(due).toEqual(['freeze', 'dispute_opened'])
  expect(ahead).toEqual(['dispute_due 3', 'dispute_due 7', 'access_reduced 7', 'dispute_due 9', 'access_revoked 21'])
  expect(decide(disputed(), began).isFrozen).toBe(true)
})

test('a deadline that is near leaves out what was before, one that has passed everything', () => {
  expect(look(disputed({ evidenceDueAt: daysOn(2) }), began).ahead).toContain('dispute_due 1')
  const done = ['billing/org/dispute/dp_1/freeze']
  expect(decide(disputed(), daysOn(9.5), { done }).acts.filter(({ is }) => is === 'tell_operator')).toMatchObject([
    { notice: 'dispute_due', step: 3, isLast: true },
  ])
  expect(look(disputed(), daysOn(10), { done }).due).not.toContain('dispute_due')
})

test('once it is answered it is told of no more, and stays frozen', () => {
  const done = ['billing/org/dispute/dp_1/freeze', 'billing/org/dispute/dp_1/reminder/1']
  const answered = disputed({ status: 'under_review' })
  expect(look(answered, daysOn(4), { done })).toEqual({ due: [], ahead: ['access_reduced 7', 'access_revoked 21'] })
  expect(decide(answered, daysOn(4), { done }).isFrozen).toBe(true)
})

test.each(['won', 'lost', 'closed'] as const)(
  'a dispute that is %s thaws what it froze, and dunning catches up once',
  (status) => {
    const over = disputed({ status })
    const done = ['billing/org/dispute/dp_1/freeze']
    expect(look(over, daysOn(3), { done }).due).toEqual(['payment_failed', 'unfreeze'])
    expect(look(over, daysOn(3)).due).toEqual(['payment_failed'])
  },
)

const left = subscription({ status: 'canceled', endedAt: daysOn(20) })

test('who has left is won back a week later, once', () => {
  expect(look(only(left), daysOn(20))).toEqual({ due: [], ahead: ['win_back 27'] })
  expect(look(only(left), daysOn(27)).due).toEqual(['win_back'])
  expect(look(only(left), daysOn(27), { done: ['billing/org/win-back/sub_1'] }).due).toEqual([])
})

test('who has another subscription, disputes a payment or left long ago is left in peace', () => {
  expect(look(only(left, subscription({ id: 'sub_2', status: 'incomplete' })), daysOn(30)).due).toEqual([])
  expect(look({ ...only(left), disputes: [{ ...dispute, status: 'lost' }] }, daysOn(30)).due).toEqual([])
  expect(look(only(left), daysOn(110)).due).toEqual([])
  const again = subscription({ id: 'sub_2', status: 'canceled', endedAt: daysOn(80) })
  expect(decide(only(left, again), daysOn(87)).acts).toMatchObject([{ is: 'win_back', subscriptionId: 'sub_2' }])
})

test('a policy with a duration that is none is refused', () => {
  const given = situation(only(subscription({ status: 'past_due' })), daysOn(1))
  const broken = plans.map((one) => ({ ...one, grace: { reducedAfter: 'soon', revokedAfter: 'later' } }))
  expect(() => decideBilling({ ...given, plans: broken })).toThrow('not a duration')
})
