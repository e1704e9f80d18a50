import { expect, test } from 'vitest'
import type { BillingFacts } from '../../../workflows/contracts/subscriptions.ts'
import { againstChangeWithin } from '../../../workflows/rules/plan-change-limits.ts'
import { began, daysOn, failedInvoice, nothing, paidPeriod, subscription } from '../../support/billing-situations.ts'

const period = { startsAt: began, endsAt: daysOn(30) }
const of = { id: 'sub_1', every: 'P1M', anchoredAt: began, period } as const
const paid = { id: 'in_1', paidAt: began, amount: 9_900, currency: 'USD', lines: [paidPeriod({ subscription: of })] }
const refund = { id: 're_1', paymentId: 'in_1', amount: 100, status: 'succeeded', at: daysOn(1) } as const
const dispute = { id: 'du_1', paymentId: 'in_1', amount: 9_900, openedAt: daysOn(1), evidenceDueAt: null } as const
const earlier = { startsAt: daysOn(-30), endsAt: began }
const before = { ...paid, lines: [paidPeriod({ subscription: { ...of, period: earlier } })] }

test.each<[string | null, Partial<BillingFacts>, ('past_due' | 'unpaid' | 'active')?]>([
  [null, { payments: [paid] }],
  ['overdue', { payments: [paid] }, 'past_due'],
  ['overdue', {}, 'unpaid'],
  // Stripe goes by the newest invoice, and an older one is open.
  ['overdue', { payments: [paid], openInvoices: [failedInvoice()] }],
  [null, { payments: [paid], openInvoices: [failedInvoice({ subscriptionId: 'sub_2' })] }],
  ['given_back', { payments: [paid], refunds: [refund] }],
  ['given_back', { payments: [paid], refunds: [{ ...refund, status: 'pending' }] }],
  [null, { payments: [paid], refunds: [{ ...refund, status: 'failed' }] }],
  [null, { payments: [before], refunds: [refund] }],
  ['dispute_open', { payments: [paid], disputes: [{ ...dispute, status: 'under_review' }] }],
  ['given_back', { payments: [paid], disputes: [{ ...dispute, status: 'lost' }] }],
  [null, { payments: [paid], disputes: [{ ...dispute, status: 'won' }] }],
])('what stands against a change within the period: %s', (against, facts, status = 'active') => {
  expect(againstChangeWithin(subscription({ status }), { ...nothing, ...facts })).toBe(against)
})
