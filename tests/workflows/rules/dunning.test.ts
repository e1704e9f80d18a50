import { expect, test } from 'vitest'
import type { BillingFacts, BillingMemory, Card, OpenInvoice } from '../../../workflows/contracts/subscriptions.ts'
import { decideBilling } from '../../../workflows/rules/billing-decision.ts'
import {
  daysOn,
  failedInvoice,
  hourMs,
  oldCard,
  paidPeriod,
  situation,
  subscription,
} from '../../support/billing-situations.ts'

const overdue = (more: Partial<OpenInvoice> = {}): Partial<BillingFacts> => ({
  subscriptions: [subscription({ status: 'past_due' })],
  openInvoices: [failedInvoice(more)],
  card: oldCard,
})
const newCard: Card = { id: 'pm_2', expiresAt: daysOn(900), defaultSince: daysOn(1) }
const asked = { reason: 'asked for', author: 'operator' }

/** The notices and charges that are due, and the end, as the last parts of their keys say. */
function due(facts: Partial<BillingFacts>, now: number, memory: Partial<BillingMemory> = {}): string[] {
  return decideBilling(situation(facts, now, memory)).acts.flatMap(({ key }) =>
    /\/(?:dunning|charge)\//.test(key) ? [key.replace('billing/org/', '')] : [],
  )
}
const timersOf = (facts: Partial<BillingFacts>, now: number, memory: Partial<BillingMemory> = {}) =>
  decideBilling(situation(facts, now, memory)).timers.filter(({ key }) => /\/(?:dunning|charge)\//.test(key))
const keys = (...ends: string[]) => ends.map((end) => `billing/org/${end}`)

test('notices go out at once and after 2, 7, 14 and 21 days, and in the end it is given up', () => {
  expect(due(overdue(), daysOn(0))).toEqual(['dunning/in_1/1'])
  const timers = timersOf(overdue(), daysOn(0), { done: keys('dunning/in_1/1') })
  expect(timers.map(({ at, what }) => [at, what])).toEqual([
    [daysOn(2), 'payment_failed'],
    [daysOn(7), 'payment_failed'],
    [daysOn(14), 'payment_failed'],
    [daysOn(21), 'payment_failed'],
    [daysOn(28), 'give_up'],
  ])
})

test('a notice tells which it is and whether it is the last', () => {
  const notice = (now: number) =>
    decideBilling(situation(overdue(), now)).acts.find(({ key }) => key.includes('dunning'))
  expect(notice(daysOn(2))).toEqual({
    key: 'billing/org/dunning/in_1/2',
    is: 'notice',
    notice: 'payment_failed',
    about: 'in_1',
    step: 2,
    isLast: false,
  })
  expect(notice(daysOn(21))).toMatchObject({ step: 5, isLast: true })
})

test('who comes late gives the newest notice and none of those before it', () => {
  expect(due(overdue(), daysOn(15))).toEqual(['dunning/in_1/4'])
  expect(due(overdue(), daysOn(15), { done: keys('dunning/in_1/4') })).toEqual([])
})

test('a hard decline skips ahead to the end, also in the middle', () => {
  const lost = overdue({ declineCode: 'lost_card', nextAttemptAt: null })
  expect(due(lost, daysOn(0))).toEqual(['dunning/in_1/5', 'dunning/in_1/given-up'])
  const later = overdue({ declineCode: 'stolen_card', lastAttemptAt: daysOn(5), nextAttemptAt: null })
  // Nor does it help the card that an operator puts off the end.
  const movedTimers = { 'billing/org/dunning/in_1/given-up': daysOn(20) }
  expect(due(lost, daysOn(5), { done: keys('dunning/in_1/5'), movedTimers })).toEqual([])
  expect(due(later, daysOn(5), { done: keys('dunning/in_1/1', 'dunning/in_1/2') })).toEqual([
    'dunning/in_1/5',
    'dunning/in_1/given-up',
  ])
})

test('whose bank wants to hear the person has as long as anybody', () => {
  const asksForPerson = overdue({ declineCode: 'authentication_required', nextAttemptAt: null })
  expect(due(asksForPerson, daysOn(0))).toEqual(['dunning/in_1/1'])
  expect(timersOf(asksForPerson, daysOn(0)).at(-1)).toMatchObject({ at: daysOn(28), what: 'give_up' })
})

test('after a hard decline a new card that is declined for now brings no earlier notice', () => {
  const done = keys('dunning/in_1/5', 'dunning/in_1/given-up', 'charge/in_1/card/pm_2')
  const soft = { ...overdue({ lastAttemptAt: daysOn(1), nextAttemptAt: null }), card: newCard }
  for (const days of [1, 2, 8, 22, 40]) expect(due(soft, daysOn(days), { done })).toEqual([])
})

test.each(['past_due', 'unpaid'] as const)('a new card is charged at once when %s, and once', (status) => {
  const facts = { ...overdue({ nextAttemptAt: daysOn(1) + hourMs }), card: newCard }
  const unpaid = { ...facts, subscriptions: [subscription({ status })] }
  const done = keys('dunning/in_1/1')
  expect(due(unpaid, daysOn(1), { done })).toEqual(['charge/in_1/card/pm_2'])
  expect(due(unpaid, daysOn(1), { done: keys('dunning/in_1/1', 'charge/in_1/card/pm_2') })).toEqual([])
})

test('what is only drafted is charged once what was owed before is paid: to a new card, or because it was', () => {
  const unpaid = [subscription({ status: 'unpaid' })]
  const draft = failedInvoice({
    id: 'in_2',
    isDraft: true,
    overdueSince: null,
    lastAttemptAt: null,
    nextAttemptAt: null,
  })
  const memory = { overdueSince: { sub_1: daysOn(0) }, done: keys('dunning/in_1/1', 'charge/in_1/card/pm_2') }
  const charged = (facts: Partial<BillingFacts>, more: Partial<BillingMemory> = {}) =>
    due({ subscriptions: unpaid, openInvoices: [draft], ...facts }, daysOn(1), { ...memory, ...more })
  expect(charged({ card: newCard })).toEqual(['charge/in_2/card/pm_2'])
  expect(charged({ card: newCard }, { done: keys('charge/in_2/card/pm_2') })).toEqual([])
  expect(charged({ card: newCard, openInvoices: [failedInvoice(), draft] })).toEqual([])
  expect(charged({ card: oldCard })).toEqual([])
  const paid = { id: 'in_1', paidAt: daysOn(0.5), amount: 9_900, currency: 'USD', lines: [paidPeriod()] }
  expect(charged({ card: oldCard, payments: [paid] })).toEqual(['charge/in_2/card/pm_1'])
  expect(charged({ card: newCard }, { switches: { noAutomaticCharge: asked } })).toEqual([])
  expect(charged({ card: null })).toEqual([])
})

test('while it is unpaid, what fails later gives no time anew', () => {
  const facts = {
    subscriptions: [subscription({ status: 'unpaid' })],
    openInvoices: [failedInvoice({ overdueSince: daysOn(40) })],
  }
  const stateWith = (overdueSince: Record<string, number>) =>
    decideBilling(situation(facts, daysOn(41), { overdueSince })).subscriptions.map(({ state }) => state)
  expect(stateWith({ sub_1: daysOn(0) })).toEqual(['suspended'])
  expect(stateWith({})).toEqual(['past_due'])
})

test('it is charged for every invoice that is overdue, though the customer is reminded of the oldest alone', () => {
  const openInvoices = [failedInvoice(), failedInvoice({ id: 'in_2', overdueSince: daysOn(0.5) })]
  expect(due({ ...overdue(), openInvoices, card: newCard }, daysOn(1))).toEqual([
    'dunning/in_1/1',
    'charge/in_1/card/pm_2',
    'charge/in_2/card/pm_2',
  ])
})

test('a card with which the customer has paid by themselves, or Stripe has tried, is not new', () => {
  const facts = { ...overdue(), card: newCard }
  const done = keys('dunning/in_1/1')
  expect(due(facts, daysOn(1), { done, charges: [{ invoiceId: 'in_1', cardId: 'pm_2', at: daysOn(1) }] })).toEqual([])
  const before = { done, charges: [{ invoiceId: 'in_1', cardId: 'pm_2', at: daysOn(0.5) }] }
  expect(due(facts, daysOn(1), before)).toEqual([])
  const tried = { ...overdue({ lastAttemptAt: daysOn(1.5), lastAttemptCardId: newCard.id }), card: newCard }
  expect(due(tried, daysOn(1.6), { done })).toEqual([])
})

test('a new card that we hear of late is charged, though Stripe has tried the older one since; where nobody knows which, it is not', () => {
  const charged = (lastAttemptCardId: string | null) =>
    due({ ...overdue({ lastAttemptAt: daysOn(1.5), lastAttemptCardId }), card: newCard }, daysOn(1.6), {
      done: keys('dunning/in_1/1'),
    })
  expect(charged(oldCard.id)).toEqual(['charge/in_1/card/pm_2'])
  expect(charged(null)).toEqual([])
})

test('while Stripe tries again it is not doubled; once it does not, the steps that are left do, a day after its last', () => {
  const done = keys('dunning/in_1/1')
  for (const days of [2, 7, 14, 21]) {
    expect(due(overdue({ nextAttemptAt: daysOn(30) }), daysOn(days), { done }).join()).not.toContain('charge')
  }
  const gaveUp = overdue({ lastAttemptAt: daysOn(13.5), nextAttemptAt: null })
  expect(timersOf(gaveUp, daysOn(13.5), { done: keys('dunning/in_1/3') }).map(({ at, key }) => [at, key])).toEqual([
    [daysOn(14), 'billing/org/dunning/in_1/4'],
    [daysOn(14.5), 'billing/org/charge/in_1/4'],
    [daysOn(21), 'billing/org/charge/in_1/5'],
    [daysOn(21), 'billing/org/dunning/in_1/5'],
    [daysOn(28), 'billing/org/dunning/in_1/given-up'],
  ])
})

test('nothing of ours is charged without a card, with one that has expired, or that nobody tried before', () => {
  const done = keys('dunning/in_1/4')
  expect(due({ ...overdue({ nextAttemptAt: null }), card: null }, daysOn(15), { done })).toEqual([])
  const expired = { ...newCard, expiresAt: daysOn(15) }
  expect(due({ ...overdue({ nextAttemptAt: null }), card: expired }, daysOn(15), { done })).toEqual([])
  expect(due({ ...overdue({ lastAttemptAt: null }), card: newCard }, daysOn(15), { done })).toEqual([])
})

test('without automatic charges there are notices; switched on again, the new card is charged at once', () => {
  const facts = { ...overdue(), card: newCard }
  const noAutomaticCharge = asked
  expect(due(facts, daysOn(8), { switches: { noAutomaticCharge } })).toEqual(['dunning/in_1/3'])
  expect(due(facts, daysOn(8), { done: keys('dunning/in_1/3') })).toEqual(['charge/in_1/card/pm_2'])
})

test('without dunning there are neither notices nor timers; switched on again, the newest notice is due once', () => {
  expect(due(overdue(), daysOn(15), { switches: { noDunning: asked } })).toEqual([])
  expect(timersOf(overdue(), daysOn(15), { switches: { noDunning: asked } })).toEqual([])
  expect(due(overdue(), daysOn(15), { done: keys('dunning/in_1/1') })).toEqual(['dunning/in_1/4'])
})

test('how it stands with a case: open, frozen, exhausted', () => {
  const status = (now: number, memory: Partial<BillingMemory> = {}, more: Partial<BillingFacts> = {}) =>
    decideBilling(situation({ ...overdue(), ...more }, now, memory)).dunning
  expect(status(daysOn(3))).toEqual([{ invoiceId: 'in_1', subscriptionId: 'sub_1', status: 'open' }])
  expect(status(daysOn(3), { switches: { noDunning: asked } })).toMatchObject([{ status: 'frozen' }])
  const collectionPaused = { resumesAt: null }
  const subscriptions = [subscription({ status: 'past_due', collectionPaused })]
  expect(status(daysOn(3), {}, { subscriptions })).toMatchObject([{ status: 'frozen' }])
  expect(status(daysOn(28))).toMatchObject([{ status: 'exhausted' }])
  const done = keys('dunning/in_1/given-up')
  expect(status(daysOn(28), { done, switches: { noDunning: asked } })).toMatchObject([{ status: 'exhausted' }])
  expect(status(daysOn(28), {}, { openInvoices: [] })).toEqual([])
})

test.each([
  ['of a first payment', [subscription({ status: 'incomplete' })], {}],
  ['of a subscription that has ended', [subscription({ status: 'canceled' })], {}],
  ['that is of no subscription', [subscription()], { subscriptionId: null }],
  ['over nothing', [subscription()], { amountDue: 0 }],
  ['that is in time', [subscription()], { overdueSince: null }],
])('an invoice %s is nobody dunned for, nor a card charged', (_, subscriptions, more) => {
  expect(due({ subscriptions, openInvoices: [failedInvoice(more)], card: newCard }, daysOn(15))).toEqual([])
})

test('an operator moves a notice', () => {
  const movedTimers = { 'billing/org/dunning/in_1/2': daysOn(4) }
  const memory = { done: keys('dunning/in_1/1'), movedTimers }
  expect(due(overdue(), daysOn(3), memory)).toEqual([])
  expect(due(overdue(), daysOn(4), memory)).toEqual(['dunning/in_1/2'])
})
