import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type Act,
  type BillingFacts,
  type BillingMemory,
  type Dispute,
  type PaidLine,
  type Payment,
  type Refund,
  takenBackBy,
} from '../../../workflows/contracts/subscriptions.ts'
import { decideBilling } from '../../../workflows/rules/billing-decision.ts'
import { began, daysOn, hourMs, paidPeriod, situation, subscription } from '../../support/billing-situations.ts'

const creditActs = (facts: Partial<BillingFacts>, now = daysOn(100), memory: Partial<BillingMemory> = {}) =>
  decideBilling(situation(facts, now, memory)).acts.filter(({ is }) => is.endsWith('_credits'))
const payment = (lines: PaidLine[], more: Partial<Payment> = {}): Payment => ({
  id: 'in_1',
  paidAt: began,
  amount: 9_900,
  currency: 'USD',
  lines,
  ...more,
})
const refund = (id: string, amount: number, more: Partial<Refund> = {}): Refund => ({
  id,
  paymentId: 'in_1',
  amount,
  status: 'succeeded',
  at: daysOn(5),
  ...more,
})
const at = (text: string) => Date.parse(text)
const period = (startsAt: string, endsAt: string, anchoredAt = startsAt): PaidLine =>
  paidPeriod({
    subscription: {
      id: 'sub_1',
      every: 'P1M',
      anchoredAt: at(anchoredAt),
      period: { startsAt: at(startsAt), endsAt: at(endsAt) },
    },
  })

test('a period that is paid brings its credits until a little after its end, and some of the rest for the next', () => {
  expect(creditActs({ payments: [payment([paidPeriod()])] })).toEqual([
    {
      key: `billing/org/credits/in_1/searches/plan/${at('2026-07-01T10:00:00Z')}`,
      is: 'grant_credits',
      type: 'searches',
      amount: 100,
      source: 'plan',
      expiresAt: at('2026-07-01T12:00:00Z'),
      rollsOver: { most: 20, until: at('2026-08-01T12:00:00Z') },
      beginsPeriod: true,
    },
  ])
})

test.each([
  ['2026-01-31', '2026-02-28', '2026-01-31', '2026-03-31'],
  ['2026-02-28', '2026-03-31', '2026-01-31', '2026-04-30'],
  ['2027-12-15', '2028-01-15', '2026-03-15', '2028-02-15'],
  // A trial's period ends where months are counted from.
  ['2026-06-01', '2026-06-15', '2026-06-15', '2026-07-15'],
])('the period after %s to %s, counted from %s, ends on %s', (startsAt, endsAt, anchoredAt, next) => {
  const [grant] = creditActs({ payments: [payment([period(startsAt, endsAt, anchoredAt)])] }, at('2030-01-01'))
  expect(grant).toMatchObject({ rollsOver: { until: at(next) + 2 * hourMs } })
})

test('a year from a leap day ends on the last of February', () => {
  const line = period('2028-02-29', '2029-02-28')
  const yearly = { ...line, subscription: line.subscription && { ...line.subscription, every: 'P1Y' as const } }
  const [grant] = creditActs({ payments: [payment([yearly])] }, at('2030-01-01'))
  expect(grant).toMatchObject({ rollsOver: { until: at('2030-02-28') + 2 * hourMs } })
})

test('a year brings twelve times the credits of a month, its trial and a part of it no more than that', () => {
  const by = (line: PaidLine) => ({
    ...line,
    subscription: line.subscription && { ...line.subscription, every: 'P1Y' as const },
  })
  const amountOf = (line: PaidLine) =>
    creditActs({ payments: [payment([line])] }, at('2030-01-01')).map((act) => act.is === 'grant_credits' && act.amount)
  expect(amountOf(by(period('2026-06-01', '2027-06-01')))).toEqual([1_200])
  expect(amountOf(by(period('2026-06-01', '2026-06-15')))).toEqual([100])
  expect(amountOf({ ...by(period('2027-05-01', '2027-06-01')), share: 0.1 })).toEqual([120])
})

test('what is bought once stays, times its number', () => {
  const pack: PaidLine = { planKey: 'calls-100', quantity: 3, subscription: null, share: 1, source: 'purchase' }
  expect(creditActs({ payments: [payment([pack])] })).toMatchObject([
    { type: 'calls', amount: 300, source: 'purchase', expiresAt: null, rollsOver: null, beginsPeriod: false },
  ])
})

test('an upgrade in the middle of a period brings the difference for the rest of it', () => {
  const lines = [paidPeriod({ share: -0.29 }), paidPeriod({ planKey: 'hunter', share: 0.29 })]
  expect(creditActs({ payments: [payment(lines)] })).toMatchObject([
    { amount: 58, rollsOver: { most: 11 }, beginsPeriod: false },
  ])
  expect(creditActs({ payments: [payment([paidPeriod({ share: 0.29 })])] })).toMatchObject([{ amount: 29 }])
  const downgrade = [paidPeriod({ planKey: 'hunter', share: -0.5 }), paidPeriod({ share: 0.5 })]
  expect(creditActs({ payments: [payment(downgrade)] })).toEqual([])
})

test('periods that are seen late bring what they would have in time, and the newest alone begins a period', () => {
  const payments = [
    payment([period('2026-07-01', '2026-08-01')], { id: 'in_2', paidAt: daysOn(31) }),
    payment([period('2026-06-01', '2026-07-01')]),
  ]
  expect(creditActs({ payments })).toMatchObject([
    { amount: 100, expiresAt: at('2026-07-01T02:00:00Z'), beginsPeriod: false },
    { amount: 100, expiresAt: at('2026-08-01T02:00:00Z'), beginsPeriod: true },
  ])
})

test('of what is paid in the same moment the oldest period brings its credits first, whatever ids Stripe has made up', () => {
  const [june, july] = [period('2026-06-01', '2026-07-01'), period('2026-07-01', '2026-08-01', '2026-06-01')]
  for (const [first, second] of [
    ['in_a', 'in_b'],
    ['in_b', 'in_a'],
  ] as const) {
    const payments = [payment([july], { id: second }), payment([june], { id: first })]
    expect(creditActs({ payments }).map(({ key }) => key.split('/')[3])).toEqual([first, second])
  }
})

test('a plan that the catalogue has not brings nothing', () => {
  expect(creditActs({ payments: [payment([paidPeriod({ planKey: 'unheard-of' })])] })).toEqual([])
})

test('a refund takes back its share, after the grant; what is pending or has failed takes nothing', () => {
  const refunds = [
    refund('re_1', 3_300),
    refund('re_2', 3_300, { status: 'pending' }),
    refund('re_3', 3_300, { status: 'failed' }),
  ]
  const grantKey = `billing/org/credits/in_1/searches/plan/${at('2026-07-01T10:00:00Z')}`
  expect(creditActs({ payments: [payment([paidPeriod()])], refunds })).toMatchObject([
    { key: grantKey },
    {
      is: 'claw_back_credits',
      key: `billing/org/claw-back/1/${grantKey.replace('billing/org/', '')}`,
      grantKey,
      amount: 33,
      because: 'money_back',
    },
  ])
})

const dispute = (status: Dispute['status'], more: Partial<Dispute> = {}): Dispute => ({
  id: 'dp_1',
  paymentId: 'in_1',
  amount: 9_900,
  status,
  openedAt: daysOn(3),
  evidenceDueAt: null,
  ...more,
})

test('a dispute takes back when it is lost', () => {
  const takes = (status: Dispute['status']) =>
    creditActs({ payments: [payment([paidPeriod()])], disputes: [dispute(status)] }).slice(1)
  expect(takes('lost')).toMatchObject([{ is: 'claw_back_credits', amount: 100 }])
  for (const status of ['needs_response', 'under_review', 'won', 'closed'] as const) expect(takes(status)).toEqual([])
})

/** What is done at one look after the other, of which each is remembered; of credits in numbers, below 0 what is given back. */
function looks(...seen: Partial<BillingFacts>[]): number[][] {
  let memory: Pick<BillingMemory, 'done' | 'takenBack'> = { done: [], takenBack: [] }
  return seen.map((facts) => {
    const acts: Act[] = creditActs({ payments: [payment([paidPeriod()])], ...facts }, daysOn(100), memory)
    const taken = acts.flatMap(takenBackBy)
    memory = {
      done: [...memory.done, ...acts.map(({ key }) => key)],
      takenBack: [...memory.takenBack, ...taken],
    }
    return taken.map(({ amount }) => amount)
  })
}

test('a refund that fails in the end gives back what it took, once, however often the bank changes its mind', () => {
  const succeeded = { refunds: [refund('re_1', 3_300)] }
  const failed = { refunds: [refund('re_1', 3_300, { status: 'failed' })] }
  expect(looks(succeeded, failed, failed, succeeded, succeeded, failed)).toEqual([[33], [-33], [], [33], [], [-33]])
  expect(looks(failed, succeeded)).toEqual([[], [33]])
})

test('of several refunds one that fails gives back no more than its share of all', () => {
  const three = (status: Refund['status']) => ({
    refunds: [refund('re_1', 3_300), refund('re_2', 3_300, { status }), refund('re_3', 3_300)],
  })
  expect(looks({ refunds: [refund('re_1', 3_300)] }, three('succeeded'), three('failed'))).toEqual([[33], [67], [-34]])
})

test('what a dispute has over a refund is taken when the refund fails', () => {
  const both = (status: Refund['status']) => ({
    refunds: [refund('re_1', 6_600, { status })],
    disputes: [dispute('lost', { amount: 6_600 })],
  })
  expect(looks({ refunds: [refund('re_1', 6_600)] }, both('succeeded'), both('failed'))).toEqual([[66], [34], [-34]])
})

test('a lost dispute that is tried again, or won after all, gives back', () => {
  const states = (['lost', 'under_review', 'lost', 'won'] as const).map((status) => ({ disputes: [dispute(status)] }))
  expect(looks(...states)).toEqual([[100], [-100], [100], [-100]])
})

const trial = payment([paidPeriod()], { amount: 0 })
const ended = (more = {}) =>
  subscription({ status: 'canceled', trialEndsAt: daysOn(14), endedAt: daysOn(3), items: [], ...more })

test('the credits of a trial end with it, whoever ended it and however late that is heard', () => {
  const key = `credits/in_1/searches/plan/${at('2026-07-01T10:00:00Z')}`
  expect(creditActs({ payments: [trial], subscriptions: [ended()] })).toMatchObject([
    { is: 'grant_credits', amount: 100 },
    { is: 'end_credits', key: `billing/org/end-credits/${key}`, grantKey: `billing/org/${key}` },
  ])
  const goesOn = ended({ status: 'trialing', endedAt: null })
  expect(creditActs({ payments: [trial], subscriptions: [goesOn] })).toHaveLength(1)
})

test.each([
  ['of a period that was paid', [payment([paidPeriod()])], ended({ trialEndsAt: null })],
  ['of a trial that was paid for afterwards', [trial, payment([], { id: 'in_2' })], ended()],
  ['that cost nothing outside a trial', [trial], ended({ trialEndsAt: null })],
])('credits %s stay when the subscription ends', (_, payments, subscriptionThen) => {
  const lines = [paidPeriod({ planKey: 'hasty' })]
  const paid = payments.map((one) => (one.lines.length > 0 ? one : { ...one, lines }))
  const acts = creditActs({ payments: paid, subscriptions: [subscriptionThen] })
  expect(acts.map(({ is }) => is)).toEqual(['grant_credits'])
})

test('whatever goes back and fails to, as much is taken in the end as is gone', () => {
  const moves = fc.array(
    fc.record({ which: fc.nat(5), status: fc.constantFrom<Refund['status'][]>('succeeded', 'failed', 'pending') }),
    { minLength: 1, maxLength: 20 },
  )
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 6_000 }), { minLength: 6, maxLength: 6 }), moves, (amounts, all) => {
      let refunds = amounts.map((amount, index) => refund(`re_${index}`, amount, { status: 'pending' }))
      const seen = all.map(({ which, status }) => {
        refunds = refunds.map((one, index) => (index === which ? { ...one, status } : one))
        return { refunds }
      })
      const steps = looks(...seen)
      const gone = refunds.filter(({ status }) => status === 'succeeded').reduce((sum, { amount }) => sum + amount, 0)
      const taken = steps.flat().reduce((sum, amount) => sum + amount, 0)
      expect(taken).toBe(Math.floor((100 * Math.min(gone, 9_900)) / 9_900))
      // And not one more for whoever has looked only now.
      expect(looks({ refunds }).flat()).toEqual(taken > 0 ? [taken] : [])
    }),
  )
})

test('in however many parts a payment goes back, all its credits do, and no more', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9_900 }), { minLength: 1, maxLength: 20 }), (amounts) => {
      const refunds = amounts.map((amount, index) => refund(`re_${index}`, amount, { at: daysOn(index) }))
      const taken = creditActs({ payments: [payment([paidPeriod()])], refunds }).slice(1)
      const sum = taken.reduce((total, act) => total + (act.is === 'claw_back_credits' ? act.amount : 0), 0)
      const paidBack = Math.min(
        amounts.reduce((total, amount) => total + amount, 0),
        9_900,
      )
      expect(sum).toBe(Math.floor((100 * paidBack) / 9_900))
    }),
  )
})
