import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BillingFacts } from '../../../workflows/contracts/subscriptions.ts'
import { differingFacts, noFacts } from '../../../workflows/rules/billing-differences.ts'
import { failedInvoice, oldCard, subscription } from '../../support/billing-situations.ts'

const facts: BillingFacts = {
  subscriptions: [subscription(), subscription({ id: 'sub_2', status: 'trialing' })],
  openInvoices: [failedInvoice(), failedInvoice({ id: 'in_2' })],
  payments: [
    { id: 'in_3', paidAt: 1, amount: 100, currency: 'USD', lines: [] },
    { id: 'in_4', paidAt: 2, amount: 200, currency: 'USD', lines: [] },
  ],
  refunds: [{ id: 're_1', paymentId: 'in_3', amount: 50, status: 'succeeded', at: 3 }],
  disputes: [{ id: 'du_1', paymentId: 'in_4', amount: 200, status: 'lost', openedAt: 4, evidenceDueAt: null }],
  card: oldCard,
}

/** The same, with every list and every object in another order. */
function shuffled(value: unknown, swap: () => boolean): unknown {
  if (typeof value !== 'object' || value === null) return value
  const turned = <T>(list: T[]) => (swap() ? list.toReversed() : list)
  if (Array.isArray(value)) return turned(value.map((one: unknown) => shuffled(one, swap)))
  return Object.fromEntries(turned(Object.entries(value)).map(([name, one]) => [name, shuffled(one, swap)]))
}

test('the order of lists and fields is no difference, nor is the way through a row', () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.boolean()), (bits) => {
      const swap = () => bits.next().value ?? false
      const stored: BillingFacts = JSON.parse(JSON.stringify(shuffled(facts, swap)))
      expect(differingFacts(stored, facts)).toEqual([])
      expect(differingFacts(facts, stored)).toEqual([])
    }),
  )
})

test.each<[keyof BillingFacts, Partial<BillingFacts>]>([
  ['subscriptions', { subscriptions: [subscription()] }],
  ['subscriptions', { subscriptions: [subscription({ status: 'past_due' }), subscription({ id: 'sub_2' })] }],
  ['openInvoices', { openInvoices: [] }],
  ['payments', { payments: [{ id: 'in_5', paidAt: 5, amount: 1, currency: 'USD', lines: [] }] }],
  ['refunds', { refunds: [{ id: 're_1', paymentId: 'in_3', amount: 50, status: 'failed', at: 3 }] }],
  ['disputes', { disputes: [...facts.disputes, ...facts.disputes.map((one) => ({ ...one, id: 'du_2' }))] }],
  ['card', { card: null }],
])('a change of %s is a difference, and of nothing else', (name, change) => {
  expect(differingFacts(facts, { ...facts, ...change })).toEqual([name])
})

test('what lasts and is only no longer told of is no difference', () => {
  expect(differingFacts(facts, { ...facts, payments: [], refunds: [], disputes: [] })).toEqual([])
})

test('of a customer who is gone whatever we still hold to be there differs', () => {
  expect(differingFacts(facts, noFacts)).toEqual(['subscriptions', 'openInvoices', 'card'])
  expect(differingFacts(noFacts, noFacts)).toEqual([])
})
