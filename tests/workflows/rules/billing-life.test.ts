import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  accessLevels,
  type BillingDecision,
  type BillingSituation,
} from '../../../workflows/contracts/subscriptions.ts'
import { decideBilling } from '../../../workflows/rules/billing-decision.ts'
import { type Lived, lifeOf, live, someLife, someMoments } from '../../support/billing-life.ts'
import { dayMs } from '../../support/billing-situations.ts'

/** Every decision of many random lives. */
function inEveryLife(check: (decided: BillingDecision, of: BillingSituation) => void, numRuns = 300): void {
  fc.assert(
    fc.property(someLife, someMoments, (life, moments) => void live(life, { extra: moments, onDecision: check })),
    { numRuns },
  )
}

test('looking in between changes neither what is done nor when, nor how it ends', () => {
  fc.assert(
    fc.property(someLife, someMoments, (life, moments) => {
      expect(live(life, { extra: moments })).toEqual(live(life))
    }),
    { numRuns: 500 },
  )
})

test('no act comes twice', () => {
  fc.assert(
    fc.property(someLife, someMoments, (life, moments) => {
      const keys = live(life, { extra: moments }).acts.map(({ act }) => act.key)
      expect(new Set(keys).size).toBe(keys.length)
    }),
    { numRuns: 300 },
  )
})

test('whatever webhooks are lost, the end is the same, and so is the ledger', () => {
  const told = fc.infiniteStream(fc.boolean())
  fc.assert(
    fc.property(fc.oneof(someLife, moneyLife), told, (life, stream) => {
      // What we do ourselves changes what is left to be heard of, and an operator is always heard.
      const theirs = life.filter(({ is }) => !['status', 'newCard', 'switch', 'change', 'moveTimer'].includes(is))
      const lost = live([noCard, ...theirs], { isHeard: () => stream.next().value })
      const heard = live([noCard, ...theirs])
      expect(lost.last).toEqual(heard.last)
      expect(ledgerOf(lost.acts)).toEqual(ledgerOf(heard.acts))
    }),
    { numRuns: 300 },
  )
})

/** Much is paid, goes back and comes again. */
const moneyLife = lifeOf([
  'invoiceFails',
  'invoicePaid',
  'refund',
  'refundFails',
  'disputeOpens',
  'disputeMoves',
  'disputeTurns',
])
const noCard = { is: 'noCard', hours: 0, pick: 0 } as const

/** What was granted and, of that, is taken back in the end. Low-credit notices begin with the newest period that is known. */
function ledgerOf(acts: Lived['acts']) {
  return acts
    .map(({ act }) => act)
    .filter((act) => act.is === 'grant_credits')
    .map((act) => ({ ...act, beginsPeriod: null, takenBack: takenOf(act.key, acts).at(-1) ?? 0 }))
    .toSorted((one, other) => (one.key < other.key ? -1 : 1))
}

/** How much of a grant is taken back after each act that takes or gives. */
function takenOf(grantKey: string, acts: Lived['acts']): number[] {
  let taken = 0
  return acts.flatMap(({ act }) => {
    if (act.is !== 'claw_back_credits' && act.is !== 'give_back_credits') return []
    if (act.grantKey !== grantKey) return []
    taken += act.is === 'claw_back_credits' ? act.amount : -act.amount
    return [taken]
  })
}

test('timers are ahead, in their order, each once', () => {
  inEveryLife(({ timers }, { now }) => {
    expect(timers.every(({ at }) => at > now)).toBe(true)
    expect(timers.map(({ at }) => at)).toEqual(timers.map(({ at }) => at).toSorted((one, other) => one - other))
    expect(new Set(timers.map(({ key }) => key)).size).toBe(timers.length)
  })
})

test('until the next timer nothing becomes due and nothing changes', () => {
  inEveryLife((decided, of) => {
    const memory = { ...of.memory, done: [...of.memory.done, ...decided.acts.map(({ key }) => key)] }
    const next = Math.min(decided.timers[0]?.at ?? Infinity, of.now + 400 * dayMs)
    for (const now of [of.now, Math.floor((of.now + next) / 2), next - 1].filter((one) => one < next)) {
      const later = decideBilling({ ...of, memory, now })
      // What was done shows in the ladder it was done in, such as one that is given up.
      expect(later).toEqual({ ...decideBilling({ ...of, memory }), acts: [] })
      expect(later.timers).toEqual(decided.timers)
      expect(later.subscriptions).toEqual(decided.subscriptions)
    }
  }, 100)
})

test('the order in which Stripe lists things decides nothing', () => {
  inEveryLife((decided, of) => {
    const { subscriptions, openInvoices, payments, refunds, disputes, card } = of.facts
    const facts = {
      subscriptions: subscriptions.toReversed(),
      openInvoices: openInvoices.toReversed(),
      payments: payments.toReversed(),
      refunds: refunds.toReversed(),
      disputes: disputes.toReversed(),
      card,
    }
    expect(decideBilling({ ...of, facts })).toEqual(decided)
  }, 100)
})

test('nobody is charged while that is frozen, switched off or paused, nor beside an attempt of Stripe, nor twice at once', () => {
  inEveryLife(({ acts, isFrozen }, { facts, memory, now }) => {
    const charges = acts.filter((act) => act.is === 'charge')
    for (const { key, invoiceId, because } of charges) {
      const invoice = facts.openInvoices.find(({ id }) => id === invoiceId)
      const subscription = facts.subscriptions.find(({ id }) => id === invoice?.subscriptionId)
      expect(isFrozen).toBe(false)
      expect(memory.switches.noAutomaticCharge).toBeUndefined()
      expect(subscription?.collectionPaused).toBeNull()
      expect(facts.card?.expiresAt).toBeGreaterThan(now)
      // An operator may ask for another attempt sooner.
      if (because === 'new_card' || key in memory.movedTimers) continue
      expect(invoice?.nextAttemptAt).toBeNull()
      expect(now - (invoice?.lastAttemptAt ?? now)).toBeGreaterThanOrEqual(dayMs)
    }
    expect(new Set(charges.map(({ invoiceId }) => invoiceId)).size).toBe(charges.length)
  })
})

test('nobody is dunned while that is frozen or switched off, and never with two notices of one invoice at once', () => {
  inEveryLife(({ acts, isFrozen }, { memory }) => {
    const dunned = acts.filter(
      (act) => act.is === 'give_up' || (act.is === 'notice' && act.notice === 'payment_failed'),
    )
    if (isFrozen || memory.switches.noDunning) expect(dunned).toEqual([])
    const about = dunned.flatMap((act) => (act.is === 'notice' ? [act.about] : []))
    expect(new Set(about).size).toBe(about.length)
  })
})

test('as time goes by and nothing else, access only ever lessens', () => {
  inEveryLife((decided, of) => {
    let before = decided
    for (const { at } of decided.timers) {
      const later = decideBilling({ ...of, now: at })
      expect(accessLevels.indexOf(later.access)).toBeGreaterThanOrEqual(accessLevels.indexOf(before.access))
      before = later
    }
  }, 100)
})

test('of the credits that a payment brought no more is taken back than it brought, nor given back than was taken', () => {
  let given = 0
  fc.assert(
    fc.property(moneyLife, someMoments, (life, moments) => {
      const { acts } = live(life, { extra: moments })
      for (const { act } of acts) {
        if (act.is === 'give_back_credits') given += 1
        if (act.is !== 'grant_credits') continue
        for (const taken of takenOf(act.key, acts)) {
          expect(taken).toBeGreaterThanOrEqual(0)
          expect(taken).toBeLessThanOrEqual(act.amount)
        }
      }
    }),
    { numRuns: 300 },
  )
  expect(given).toBeGreaterThan(0)
})
