import type { Stripe } from 'stripe'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BillingAccount, BillingProvider } from '../../../activities/ports.ts'
import type { BillingMemory } from '../../../workflows/contracts/subscriptions.ts'
import { decideBilling } from '../../../workflows/rules/billing-decision.ts'
import { situation } from '../../support/billing-situations.ts'
import { neverAborted } from '../../support/resend.ts'
import { billingOn, idOf, openStripe, planOfPrice, type StripeWorld, seconds } from '../../support/stripe.ts'

const begin = Date.parse('2026-11-21T10:00:00Z')
const hourMs = 3_600_000
const dayMs = 24 * hourMs

let world: StripeWorld
let stripe: Stripe
let billing: BillingProvider
let happen: StripeWorld['happen']
let elapsedMs: number

beforeEach(async () => {
  world = await openStripe()
  ;({ stripe, happen } = world)
  billing = billingOn(world.sandbox)
  await world.sandbox.control('POST', '/_sandbox/clock', { now: new Date(begin).toISOString() })
  elapsedMs = 0
})
afterEach(() => world[Symbol.asyncDispose]())

describe('an account is told as its facts:', () => {
  test('a trial, and what its invoice of nothing brings', async () => {
    const { customer, subscription } = await subscribed('price_scout', { trialDays: 14 })
    const { facts } = await account(customer)
    const endsAt = near(begin + 14 * dayMs)
    expect(facts.subscriptions).toEqual([
      {
        id: subscription,
        status: 'trialing',
        startedAt: near(begin),
        items: [{ planKey: 'scout', every: 'P1M', period: { startsAt: near(begin), endsAt } }],
        trialEndsAt: endsAt,
        cancelsAt: null,
        endedAt: null,
        ownCardId: facts.card?.id,
        collectionPaused: null,
      },
    ])
    expect(facts.payments).toMatchObject([
      { amount: 0, lines: [{ planKey: 'scout', quantity: 1, share: 1, source: 'plan' }] },
    ])
    expect(facts.payments[0]?.lines[0]?.subscription).toEqual({
      id: subscription,
      every: 'P1M',
      anchoredAt: endsAt,
      period: { startsAt: near(begin), endsAt },
    })
    const { subscriptions, access, acts } = decide(facts)
    expect({ subscriptions, access }).toMatchObject({ subscriptions: [{ state: 'trialing' }], access: 'full' })
    expect(acts).toMatchObject([{ is: 'grant_credits', type: 'searches', amount: 100, beginsPeriod: true }])
    // The next period ends a month after the trial, not a fortnight.
    expect(acts[0]).toMatchObject({ rollsOver: { until: near(Date.parse('2027-01-05T12:00:00Z')) } })
  })

  test('renewals, each a payment of a whole period', async () => {
    const { customer } = await subscribed('price_scout')
    await wait(32)
    const { facts, paymentIds } = await account(customer)
    expect(facts.payments.map(({ amount, lines }) => [amount, lines.length, lines[0]?.share])).toEqual([
      [9_900, 1, 1],
      [9_900, 1, 1],
    ])
    expect(paymentIds.filter((id) => id.startsWith('pi_'))).toHaveLength(2)
    expect(paymentIds.filter((id) => id.startsWith('ch_'))).toHaveLength(2)
    const grants = decide(facts).acts.filter(({ is }) => is === 'grant_credits')
    expect(grants).toMatchObject([{ beginsPeriod: false }, { beginsPeriod: true }])
  })

  test('a year is one period of a yearly price', async () => {
    const { customer } = await subscribed('price_command_yearly')
    const { facts } = await account(customer)
    expect(facts.subscriptions[0]?.items).toMatchObject([{ planKey: 'command', every: 'P1Y' }])
    expect(facts.payments[0]?.lines[0]?.subscription).toMatchObject({
      every: 'P1Y',
      period: { endsAt: near(Date.parse('2027-11-21T10:00:00Z')) },
    })
  })

  test('a renewal that fails is overdue since then, and Stripe tries again', async () => {
    const { customer, subscription, card } = await subscribed('price_scout')
    await happen('card.decline', { paymentMethod: card, declineCode: 'insufficient_funds' })
    await wait(31)
    const failedAt = near(Date.parse('2026-12-21T11:00:00Z'))
    const { facts, shown } = await account(customer)
    expect(facts.subscriptions).toMatchObject([{ status: 'past_due' }])
    expect(facts.openInvoices).toEqual([
      {
        id: expect.stringMatching(/^in_/),
        subscriptionId: subscription,
        amountDue: 9_900,
        currency: 'USD',
        overdueSince: failedAt,
        lastAttemptAt: failedAt,
        lastAttemptCardId: facts.card?.id,
        nextAttemptAt: near(Date.parse('2026-12-22T11:00:00Z')),
        declineCode: 'insufficient_funds',
      },
    ])
    expect(shown.openInvoices).toMatchObject([{ due: { amount: 9_900, currency: 'USD' }, dueAt: null }])
    expect(shown.openInvoices[0]?.payUrl).toMatch(/^https:/)
    const { data: invoices } = await stripe.invoices.list({ customer })
    expect(invoices.map(({ status }) => status)).toEqual(['open', 'paid'])
    expect(shown.invoiceNumbers).toEqual(Object.fromEntries(invoices.map(({ id, number }) => [id, number])))
    await wait(7)
    const later = (await account(customer)).facts
    expect(later.openInvoices).toMatchObject([{ overdueSince: failedAt }])
    expect(later.openInvoices[0]?.lastAttemptAt).toBeGreaterThan(Date.parse('2026-12-27T00:00:00Z'))
    expect(decide(later)).toMatchObject({ subscriptions: [{ state: 'grace' }], dunning: [{ status: 'open' }] })
  })

  test('a trial that ends without a card is overdue, too', async () => {
    const { id: customer } = await stripe.customers.create()
    const { id } = await stripe.subscriptions.create({
      customer,
      items: [{ price: 'price_scout' }],
      trial_period_days: 3,
    })
    await wait(4)
    const { facts, shown } = await account(customer)
    const triedAt = near(begin + 3 * dayMs + hourMs)
    expect(facts.openInvoices).toMatchObject([
      { subscriptionId: id, overdueSince: triedAt, lastAttemptAt: triedAt, declineCode: null },
    ])
    expect({ card: facts.card, shown: shown.card }).toEqual({ card: null, shown: null })
    await happen('portal.newCard', { customer, paymentMethod: 'pm_card_visa' })
    expect(decide((await account(customer)).facts).acts).toContainEqual(
      expect.objectContaining({ is: 'charge', because: 'new_card' }),
    )
  })

  test('a new card is charged, though the subscription has one of its own, which it then pays by', async () => {
    const { customer, subscription, card } = await subscribed('price_scout')
    await happen('card.decline', { paymentMethod: card, declineCode: 'lost_card' })
    await wait(33)
    await happen('portal.newCard', { customer, paymentMethod: 'pm_card_mastercard' })
    const { facts, shown } = await account(customer)
    expect(facts.card?.id).not.toBe(card)
    expect(facts.card).toMatchObject({ defaultSince: near(begin + 33 * dayMs), expiresAt: Date.UTC(2030, 0, 1) })
    expect(shown.card).toMatchObject({ brand: 'mastercard', last4: '4444' })
    const [charge] = decide(facts).acts.filter((act) => act.is === 'charge')
    if (!charge) throw new Error('nothing is charged')
    expect(await billing.payInvoice(charge.invoiceId, charge.cardId, charge.key, neverAborted)).toEqual({ is: 'paid' })
    const [use] = decide(facts).acts.filter((act) => act.is === 'use_card')
    if (!use) throw new Error('it goes on with the old card')
    await billing.useCard(use.subscriptionId, use.cardId, use.key, neverAborted)
    const after = await stripe.subscriptions.retrieve(subscription)
    expect(after).toMatchObject({ status: 'active', default_payment_method: facts.card?.id })
    expect((await account(customer)).facts.openInvoices).toEqual([])
  })

  test('what a change of plan charges and credits, as parts of the period', async () => {
    const { customer, subscription } = await subscribed('price_scout')
    await wait(15)
    expect(await change(subscription, 'price_hunter')).toEqual({ is: 'paid' })
    const [change1] = (await account(customer)).facts.payments.filter(({ lines }) => lines.length > 1)
    expect(change1?.lines.map(({ planKey, share }) => [planKey, share])).toEqual([
      ['scout', expect.closeTo(-0.5, 3)],
      ['hunter', expect.closeTo(0.5, 3)],
    ])
    expect(change1?.amount).toBe(7_500)
    await wait(3)
    expect(await change(subscription, 'price_scout')).toEqual({ is: 'paid' })
    const { facts } = await account(customer)
    const back = facts.payments.find(({ amount }) => amount === 0)
    expect(back?.lines.map(({ planKey, share }) => [planKey, share])).toEqual([
      ['hunter', expect.closeTo(-0.4, 3)],
      ['scout', expect.closeTo(0.4, 3)],
    ])
    // 100 for the month, then half of 300 less half of 100; the way back grants nothing.
    const grants = decide(facts).acts.flatMap((act) => (act.is === 'grant_credits' ? [act.amount] : []))
    expect(grants).toEqual([100, expect.closeTo(100, -1)])
  })

  test('of a change to another rhythm, the part of the old period that was left', async () => {
    const { customer, subscription } = await subscribed('price_scout')
    await wait(15)
    await change(subscription, 'price_command_yearly')
    const [changed] = (await account(customer)).facts.payments.filter(({ lines }) => lines.length > 1)
    expect(changed?.lines).toMatchObject([
      { planKey: 'scout', share: expect.closeTo(-0.5, 3), subscription: { every: 'P1M' } },
      { planKey: 'command', share: 1, subscription: { every: 'P1Y', anchoredAt: near(begin + 15 * dayMs) } },
    ])
  })

  test('a pack that was bought at the checkout', async () => {
    const { id: customer } = await stripe.customers.create()
    const intent = await buyPack(customer, 3)
    const { facts, paymentIds } = await account(customer)
    const line = { planKey: 'calls-100', quantity: 3, subscription: null, share: 1, source: 'purchase' }
    expect(facts.payments).toEqual([
      { id: intent, paidAt: near(begin), amount: 15_000, currency: 'USD', lines: [line] },
    ])
    expect(paymentIds).toContain(intent)
    expect(decide(facts).acts).toMatchObject([
      { is: 'grant_credits', type: 'calls', amount: 300, source: 'purchase', expiresAt: null },
    ])
  })

  test('refunds, of a part and of the rest', async () => {
    const { id: customer } = await stripe.customers.create()
    const paymentId = await buyPack(customer, 1)
    await billing.refund({ paymentId, amount: 2_000 }, 'refund/1', neverAborted)
    await billing.refund({ paymentId, amount: null }, 'refund/2', neverAborted)
    const { facts } = await account(customer)
    expect(facts.refunds.map(({ amount, status, paymentId: of }) => [amount, status, of])).toEqual([
      [3_000, 'succeeded', paymentId],
      [2_000, 'succeeded', paymentId],
    ])
    const back = decide(facts).acts.flatMap((act) => (act.is === 'claw_back_credits' ? [act.amount] : []))
    expect(back).toEqual([100])
    await happen('refund.fail', { refundId: facts.refunds[0]?.id })
    expect((await account(customer)).facts.refunds.map(({ status }) => status).toSorted()).toEqual([
      'failed',
      'succeeded',
    ])
  })

  test.each([
    ['dispute.win', 'won', 0],
    ['dispute.lose', 'lost', 1],
  ])('a dispute that is open, and after %s', async (outcome, status, clawedBack) => {
    const { customer, invoice } = await subscribed('price_scout')
    await happen('dispute.open', { invoice })
    const { facts, shown } = await account(customer)
    const evidenceDueAt = near(begin + 14 * dayMs)
    const dispute = { paymentId: invoice, amount: 9_900, openedAt: near(begin), evidenceDueAt }
    expect(facts.disputes).toMatchObject([{ ...dispute, status: 'needs_response' }])
    expect(shown.disputes).toMatchObject([{ amount: { amount: 9_900, currency: 'USD' }, evidenceDueAt }])
    expect(decide(facts).isFrozen).toBe(true)
    await happen(outcome, { disputeId: facts.disputes[0]?.id })
    const closed = (await account(customer)).facts
    expect(closed.disputes).toMatchObject([{ ...dispute, status }])
    const decided = decide(closed)
    expect(decided.isFrozen).toBe(false)
    expect(decided.acts.filter(({ is }) => is === 'claw_back_credits')).toHaveLength(clawedBack)
  })

  test('an end with the period, and that it was taken back', async () => {
    const { customer, subscription } = await subscribed('price_scout')
    const cancelsAt = near(Date.parse('2026-12-21T10:00:00Z'))
    await billing.cancel(subscription, 'period_end', 'cancel/1', neverAborted)
    expect((await account(customer)).facts.subscriptions).toMatchObject([{ status: 'active', cancelsAt }])
    await billing.cancel(subscription, 'undo', 'cancel/2', neverAborted)
    expect((await account(customer)).facts.subscriptions).toMatchObject([{ status: 'active', cancelsAt: null }])
    await billing.cancel(subscription, 'now', 'cancel/3', neverAborted)
    const { facts } = await account(customer)
    expect(facts.subscriptions).toMatchObject([{ status: 'canceled', endedAt: near(begin) }])
    expect(decide(facts)).toMatchObject({ subscriptions: [{ state: 'ended' }], access: 'none' })
  })

  test('a balance, above 0 in favour of the customer', async () => {
    const { id } = await stripe.customers.create()
    expect((await account(id)).shown.balance).toBeNull()
    const { customer, subscription } = await subscribed('price_hunter')
    expect((await account(customer)).shown.balance).toEqual({ amount: 0, currency: 'USD' })
    const { items } = await stripe.subscriptions.retrieve(subscription)
    const smaller = { items: [{ id: items.data[0]?.id ?? '', price: 'price_scout' }] }
    await stripe.subscriptions.update(subscription, { ...smaller, proration_behavior: 'always_invoice' })
    expect((await account(customer)).shown.balance).toEqual({ amount: 15_000, currency: 'USD' })
    await stripe.customers.update(customer, { balance: 700 })
    expect((await account(customer)).shown.balance).toEqual({ amount: -700, currency: 'USD' })
  })

  test('collection that is paused', async () => {
    const { customer, subscription } = await subscribed('price_scout')
    const resumes = Math.floor(begin / 1000) + 5 * seconds.day
    await stripe.subscriptions.update(subscription, { pause_collection: { behavior: 'void', resumes_at: resumes } })
    const paused = { collectionPaused: { resumesAt: resumes * 1000 } }
    expect((await account(customer)).facts.subscriptions).toMatchObject([paused])
  })

  test('a price that is in no catalogue stands for a plan that nobody has', async () => {
    const { customer } = await subscribed('price_scout')
    const found = await billing.fetchAccount(customer, new Map(), neverAborted)
    expect(found?.facts.subscriptions[0]?.items).toMatchObject([{ planKey: 'price_scout' }])
    expect(found?.facts.payments[0]?.lines).toMatchObject([{ planKey: 'price_scout' }])
    expect(found?.shown.subscriptions[0]?.prices).toEqual([
      { priceId: 'price_scout', quantity: 1, amount: { amount: 9_900, currency: 'USD' } },
    ])
  })

  test('a customer who was deleted, or never was, is none', async () => {
    const { id } = await stripe.customers.create()
    await stripe.customers.del(id)
    expect(await billing.fetchAccount(id, planOfPrice, neverAborted)).toBeNull()
    expect(await billing.fetchAccount('cus_nobody', planOfPrice, neverAborted)).toBeNull()
  })
})

describe('an account is read', () => {
  test('by six calls, and one more for each payment that was disputed', async () => {
    const { customer, invoice } = await subscribed('price_scout')
    expect(await callsFor(customer)).toBe(6)
    await happen('dispute.open', { invoice })
    expect(await callsFor(customer)).toBe(7)
  })

  test('whole, however long its lists are', { timeout: 30_000 }, async () => {
    const { customer } = await subscribed('price_scout')
    for (let count = 0; count < 12; count += 1)
      await stripe.refunds.create({ charge: await lastCharge(customer), amount: 100 })
    expect((await account(customer)).facts.refunds).toHaveLength(12)
    for (let count = 0; count < 4; count += 1) await wait(365)
    // Of four years, two are lately; what was paid back is told however long it is ago.
    await wait(2 * 365)
    const later = billingOn(world.sandbox, { now: () => begin + elapsedMs })
    const facts = (await later.fetchAccount(customer, planOfPrice, neverAborted))?.facts
    expect(facts?.payments).toHaveLength(25)
    expect(facts?.payments.map(({ id }) => id)).toContain(facts?.refunds[0]?.paymentId)
    for (const { id: refundId } of facts?.refunds ?? []) await happen('refund.fail', { refundId })
    const failed = (await later.fetchAccount(customer, planOfPrice, neverAborted))?.facts
    expect(failed?.payments).toHaveLength(25)
  })
})

async function callsFor(customer: string): Promise<number> {
  const before = (await world.sandbox.requests({ provider: 'stripe' })).length
  await account(customer)
  return (await world.sandbox.requests({ provider: 'stripe' })).length - before
}

async function lastCharge(customer: string): Promise<string> {
  return idOf((await stripe.charges.list({ customer })).data[0])
}

/** Stripe counts seconds, and the sandbox's clock runs. */
function near(at: number) {
  return expect.closeTo(at, -5.5)
}

async function wait(days: number): Promise<void> {
  elapsedMs += days * dayMs
  await world.wait(days)
}

async function account(customer: string): Promise<BillingAccount> {
  const found = await billing.fetchAccount(customer, planOfPrice, neverAborted)
  if (found === null) throw new Error('there is no such customer')
  return found
}

function decide(facts: BillingAccount['facts'], memory: Partial<BillingMemory> = {}) {
  return decideBilling(situation(facts, begin + elapsedMs + 60_000, memory))
}

function change(subscriptionId: string, priceId: string) {
  const wanted = { subscriptionId, priceId, money: 'with_proration' as const }
  return billing.changePrice(wanted, `change/${priceId}`, neverAborted)
}

/** Through the checkout, as people do: the subscription has a card of its own. */
async function subscribed(priceId: string, { trialDays = null }: { trialDays?: number | null } = {}) {
  const { id: customerId } = await stripe.customers.create({ email: 'ann@example.com' })
  const pages = { successUrl: 'https://example.com/a', cancelUrl: 'https://example.com/b' }
  const wanted = { customerId, priceId, quantity: 1, subscription: { trialDays }, ...pages }
  const { id } = await billing.startCheckout(wanted, `checkout/${customerId}`, neverAborted)
  await happen('checkout.complete', { sessionId: id })
  const { subscription, invoice } = await stripe.checkout.sessions.retrieve(id)
  const { default_payment_method: card } = await stripe.subscriptions.retrieve(idOf(subscription))
  return { customer: customerId, subscription: idOf(subscription), invoice: idOf(invoice), card: idOf(card) }
}

async function buyPack(customerId: string, quantity: number): Promise<string> {
  const pages = { successUrl: 'https://example.com/a', cancelUrl: 'https://example.com/b' }
  const wanted = { customerId, priceId: 'price_pack', quantity, subscription: null, ...pages }
  const { id } = await billing.startCheckout(wanted, `checkout/${customerId}`, neverAborted)
  await happen('checkout.complete', { sessionId: id })
  return idOf((await stripe.checkout.sessions.retrieve(id)).payment_intent)
}
