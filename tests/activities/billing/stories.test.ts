import { expect, test } from 'vitest'
import { billingStories } from '../../support/billing-story.ts'

const stories = await billingStories()
const { newCustomer } = stories

const states = async (one: { subscriptions(): Promise<{ state: string }[]> }) =>
  (await one.subscriptions()).map(({ state }) => state)
const noticesOf = (acts: readonly { is: string }[]) =>
  acts.flatMap((act) => ('notice' in act ? [String(act.notice)] : []))
const typesOf = async (one: { timeline(): Promise<{ type: string }[]> }) =>
  (await one.timeline()).map(({ type }) => type)

test('a checkout brings access and the credits of its period, each period anew', async () => {
  const one = await newCustomer()
  expect(await one.settle()).toMatchObject({ state: 'none', access: 'none', acts: [] })
  expect(await one.checkOut('STRIPE_PRICE_SCOUT')).toMatchObject({ state: 'active', access: 'full' })
  expect(await one.balances()).toEqual([{ type: 'call_seconds', balance: 3_600 }])
  // The renewal's notice comes a week ahead, and the period's credits roll over in part.
  expect(await one.wait(32)).toMatchObject({ state: 'active', access: 'full' })
  expect(noticesOf(one.told())).toEqual(['renewal'])
  expect(await one.balances()).toEqual([{ type: 'call_seconds', balance: 3_600 + 1_800 }])
  expect(await typesOf(one)).toEqual([
    'subscription.started',
    'invoice.paid',
    'billing.grant_credits',
    'billing.notice',
    'invoice.paid',
    'billing.grant_credits',
  ])
})

test('a payment that fails is asked for in steps, access lessens, and a new card is charged at once', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_SCOUT', { trialDays: 7, card: 'pm_card_chargeCustomerFail' })
  expect(await states(one)).toEqual(['trialing'])
  await one.wait(8)
  expect(await states(one)).toEqual(['past_due'])
  expect(await one.wait(9)).toMatchObject({ state: 'grace', access: 'reduced' })
  expect(await one.wait(20)).toMatchObject({ state: 'suspended', access: 'none' })
  expect((await one.cases()).map(({ status }) => status)).toEqual(['exhausted'])
  expect(await one.newCard('pm_card_visa')).toMatchObject({ state: 'active', access: 'full' })
  expect((await one.cases()).map(({ status }) => status)).toEqual(['recovered'])
  expect(noticesOf(one.told())).toEqual([
    'trial_ending',
    'trial_ending',
    'payment_failed',
    'payment_failed',
    'payment_failed',
    'access_reduced',
    'payment_failed',
    'payment_failed',
    'access_revoked',
    'renewal',
  ])
  expect(await typesOf(one)).toContain('subscription.recovered')
})

test('who comes back after months pays what they owe and the period that runs, and none of those without access', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_SCOUT')
  await one.declineCard()
  await one.wait(32)
  expect(await states(one)).toEqual(['past_due'])
  expect(await one.wait(75)).toMatchObject({ state: 'suspended', access: 'none' })
  const late = await one.facts()
  expect(late.subscriptions.map(({ status }) => status)).toEqual(['unpaid'])
  expect(late.openInvoices.map(({ isDraft = false }) => isDraft)).toEqual([false, true])
  expect(late.payments).toHaveLength(1)
  // A card that is declined as well leaves all as it is.
  expect(await one.newCard('pm_card_chargeCustomerFail')).toMatchObject({ state: 'suspended', access: 'none' })
  await one.wait(1)
  expect(await one.newCard('pm_card_visa')).toMatchObject({ state: 'active', access: 'full' })
  const back = await one.facts()
  expect(back.openInvoices).toEqual([])
  const [period] = back.subscriptions.flatMap(({ items }) => items.map((item) => item.period))
  const periods = back.payments.flatMap(({ lines }) => lines.map(({ subscription }) => subscription?.period.endsAt))
  expect(periods).toHaveLength(3)
  expect(periods).toContain(period?.endsAt)
  expect(await one.wait(31)).toMatchObject({ state: 'active', access: 'full' })
})

test('who pays what they owe by themselves has the period that runs charged, too', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_SCOUT')
  await one.declineCard()
  await one.wait(75)
  const owed = (await one.facts()).openInvoices.find(({ isDraft }) => !isDraft)?.id ?? ''
  await one.declineCard(null)
  expect(await one.wait(1)).toMatchObject({ state: 'suspended', access: 'none' })
  expect(await one.ask({ kind: 'pay_now', invoiceId: owed })).toMatchObject({ is: 'done' })
  expect(await one.settle()).toMatchObject({ state: 'active', access: 'full' })
  expect((await one.facts()).openInvoices).toEqual([])
})

test('the period that runs can be asked for first', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_SCOUT')
  await one.declineCard()
  await one.wait(75)
  const draft = (await one.facts()).openInvoices.find(({ isDraft }) => isDraft)?.id ?? ''
  await one.declineCard(null)
  expect(await one.ask({ kind: 'pay_now', invoiceId: draft })).toMatchObject({ is: 'done' })
  expect(await one.settle()).toMatchObject({ state: 'active', access: 'full' })
})

test('an end at the end of the period can be undone, one at once cannot', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_SCOUT')
  const subscriptionId = (await one.facts()).subscriptions[0]?.id ?? ''
  expect(await one.ask({ kind: 'undo_cancel', subscriptionId })).toMatchObject({
    is: 'refused',
    code: 'nothing_to_undo',
  })
  expect(await one.ask({ kind: 'cancel', subscriptionId, when: 'period_end' })).toMatchObject({ is: 'done' })
  expect((await one.facts()).subscriptions[0]?.cancelsAt).not.toBeNull()
  expect(await one.ask({ kind: 'undo_cancel', subscriptionId })).toMatchObject({ is: 'done' })
  expect((await one.facts()).subscriptions[0]?.cancelsAt).toBeNull()
  expect(await one.ask({ kind: 'cancel', subscriptionId, when: 'now' })).toMatchObject({ is: 'done' })
  expect(await one.settle()).toMatchObject({ state: 'ended', access: 'none' })
  expect(await one.ask({ kind: 'undo_cancel', subscriptionId })).toMatchObject({ is: 'refused', code: 'not_under_way' })
  await one.wait(8)
  expect(await typesOf(one)).toContain('billing.win_back')
})

test('a pack is credits for good, and its refund takes them back in proportion', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_CALLS_300', { quantity: 2 })
  const [balance] = await one.balances()
  const [payment] = (await one.facts()).payments
  if (!balance || !payment) throw new Error('nothing was bought')
  expect(balance.balance).toBeGreaterThan(0)
  expect(await one.ask({ kind: 'refund', paymentId: payment.id, amount: payment.amount / 2 })).toMatchObject({
    is: 'done',
  })
  expect((await one.balances())[0]?.balance).toBe(balance.balance / 2)
  expect(await one.ask({ kind: 'refund', paymentId: payment.id, amount: null })).toMatchObject({ is: 'done' })
  expect((await one.balances())[0]?.balance).toBe(0)
})

test('a dispute freezes what is refunded and dunned, is told to the operator, and takes the credits when it is lost', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_CALLS_300')
  const [payment] = (await one.facts()).payments
  const paymentId = payment?.id ?? ''
  const charged = paymentId.startsWith('in_') ? { invoice: paymentId } : { paymentIntent: paymentId }
  await stories.sandbox.happen('stripe', { type: 'dispute.open', ...charged, days: 10 })
  expect(await one.settle()).toMatchObject({ isFrozen: true })
  expect(await one.ask({ kind: 'refund', paymentId, amount: null })).toMatchObject({
    is: 'refused',
    code: 'dispute_open',
  })
  await one.wait(4)
  expect(noticesOf(one.told())).toEqual(['dispute_opened', 'dispute_due'])
  const [dispute] = (await one.facts()).disputes
  await stories.sandbox.happen('stripe', { type: 'dispute.lose', disputeId: dispute?.id })
  expect(await one.settle()).toMatchObject({ isFrozen: false })
  expect((await one.balances())[0]?.balance).toBe(0)
  expect(await typesOf(one)).toEqual(
    expect.arrayContaining([
      'dispute.opened',
      'billing.freeze',
      'dispute.closed',
      'billing.unfreeze',
      'billing.claw_back_credits',
    ]),
  )
})

test('a refund that fails days later gives its credits back, once, with what is left of their time', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_SCOUT')
  const paymentId = (await one.facts()).payments[0]?.id ?? ''
  await one.use('use/1', 2_600)
  expect(await one.ask({ kind: 'refund', paymentId, amount: 4_950 })).toMatchObject({ is: 'done' })
  expect(await one.ask({ kind: 'refund', paymentId, amount: null })).toMatchObject({ is: 'done' })
  expect((await one.balances())[0]?.balance).toBe(-2_600)
  const failing = async () => {
    const refund = (await one.facts()).refunds.find(({ status }) => status === 'succeeded')
    await stories.sandbox.happen('stripe', { type: 'refund.fail', refundId: refund?.id })
    await one.settle()
    return (await one.balances())[0]?.balance
  }
  await one.wait(3)
  expect(await failing()).toBe(-800)
  // The next period has paid what was owed, and has it again.
  await one.wait(30)
  expect((await one.balances())[0]?.balance).toBe(3_600 - 800)
  expect(await failing()).toBe(3_600 + 1_000)
  await one.wait(1)
  const timeline = await one.timeline()
  const amountsOf = (type: string) => timeline.filter((told) => told.type === type).map(({ details }) => details.amount)
  expect(amountsOf('billing.claw_back_credits')).toEqual([1_800, 1_800])
  expect(amountsOf('billing.give_back_credits')).toEqual([1_800, 1_800])
  expect(timeline.filter(({ type }) => type === 'invoice.refund_failed')).toHaveLength(2)
})

test('what a refund took and gave back between two looks is nothing', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_CALLS_300')
  const [balance] = await one.balances()
  const paymentId = (await one.facts()).payments[0]?.id ?? ''
  const refunded = await stories.billing.refund(
    { paymentId, amount: null },
    `refund/${paymentId}`,
    AbortSignal.timeout(9_000),
  )
  await stories.sandbox.happen('stripe', { type: 'refund.fail', refundId: refunded.refundId })
  await one.settle()
  expect(await one.balances()).toEqual([balance])
  expect(await typesOf(one)).not.toContain('billing.claw_back_credits')
})

test('the credits of a trial end with it, those of a period that was paid stay', async () => {
  const [tried, paid] = [await newCustomer(), await newCustomer()]
  await tried.checkOut('STRIPE_PRICE_SCOUT', { trialDays: 14 })
  await paid.checkOut('STRIPE_PRICE_SCOUT')
  for (const one of [tried, paid]) {
    await one.use('use/1', 600)
    const subscriptionId = (await one.facts()).subscriptions[0]?.id ?? ''
    expect(await one.ask({ kind: 'cancel', subscriptionId, when: 'now' })).toMatchObject({ is: 'done' })
    await one.settle()
  }
  expect((await tried.balances())[0]?.balance).toBe(0)
  expect(await typesOf(tried)).toContain('billing.end_credits')
  expect((await paid.balances())[0]?.balance).toBe(3_000)
})

test('a trial that was left at its end leaves no credits, one that was paid for keeps what rolls over', async () => {
  const [left, stayed] = [await newCustomer(), await newCustomer()]
  for (const one of [left, stayed]) await one.checkOut('STRIPE_PRICE_SCOUT', { trialDays: 7 })
  const subscriptionId = (await left.facts()).subscriptions[0]?.id ?? ''
  expect(await left.ask({ kind: 'cancel', subscriptionId, when: 'period_end' })).toMatchObject({ is: 'done' })
  // It is heard of late, when some of them have rolled over.
  left.sleep(8)
  await left.settle()
  await stayed.settle()
  expect((await left.balances())[0]?.balance).toBe(0)
  expect((await stayed.balances())[0]?.balance).toBeGreaterThan(3_600)
})

test('an operator moves what is to come and switches charges off; undone, it is caught up with at once', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_SCOUT', { trialDays: 7, card: 'pm_card_chargeCustomerFail' })
  const on = { kind: 'switch_on', name: 'noAutomaticCharge', reason: 'they pay by transfer' } as const
  expect(await one.ask(on, 'key:operator')).toMatchObject({ is: 'done' })
  await one.wait(8)
  await one.newCard('pm_card_visa')
  expect(await states(one)).toEqual(['past_due'])
  expect(await one.ask({ kind: 'switch_off', name: 'noAutomaticCharge' })).toMatchObject({
    is: 'done',
    look: { state: 'active' },
  })
})
