import type { Stripe } from 'stripe'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TestSandbox } from '../../support/sandbox.ts'
import { aCustomer, idOf, openStripe, type StripeWorld, seconds } from '../../support/stripe.ts'

let world: StripeWorld
let sandbox: TestSandbox
let stripe: Stripe
let wait: StripeWorld['wait']
let happen: StripeWorld['happen']

beforeEach(async () => {
  world = await openStripe()
  ;({ sandbox, stripe, wait, happen } = world)
})
afterEach(() => world[Symbol.asyncDispose]())

describe('a subscription', () => {
  const items = [{ price: 'price_scout' }]
  const statusOf = async (id: string) => (await stripe.subscriptions.retrieve(id)).status

  test('whose first payment fails waits 23 hours for another', async () => {
    const { id: customer } = await aCustomer(stripe, 'pm_card_chargeCustomerFail')
    const refused = stripe.subscriptions.create({ customer, items, payment_behavior: 'error_if_incomplete' })
    await expect(refused).rejects.toMatchObject({ code: 'card_declined', decline_code: 'generic_decline' })
    const [kept, expired] = [
      await stripe.subscriptions.create({ customer, items }),
      await stripe.subscriptions.create({ customer, items }),
    ]
    expect(kept.status).toBe('incomplete')
    const card = await stripe.paymentMethods.attach('pm_card_visa', { customer })
    await stripe.invoices.pay(idOf(kept.latest_invoice), { payment_method: card.id })
    expect(await statusOf(kept.id)).toBe('active')
    await wait(1)
    expect(await statusOf(expired.id)).toBe('incomplete_expired')
    expect(await stripe.invoices.retrieve(idOf(expired.latest_invoice))).toMatchObject({ status: 'void' })
  })

  test.each([
    ['pause', 'paused'],
    ['cancel', 'canceled'],
    ['create_invoice', 'past_due'],
  ] as const)('whose trial ends without a card does as it says: %s', async (missing, status) => {
    const { id: customer } = await stripe.customers.create()
    const trial_settings = { end_behavior: { missing_payment_method: missing } }
    const { id } = await stripe.subscriptions.create({ customer, items, trial_period_days: 3, trial_settings })
    expect(await statusOf(id)).toBe('trialing')
    await wait(3.1)
    expect(await statusOf(id)).toBe(status)
  })

  test('whose trial somebody ends is charged at once, and overdue where the card fails', async () => {
    const { id: customer } = await stripe.customers.create()
    const { id: card } = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer })
    const { id } = await stripe.subscriptions.create({
      customer,
      items,
      trial_period_days: 14,
      default_payment_method: card,
    })
    await happen('trial.end', { subscription: id })
    const ended = await stripe.subscriptions.retrieve(id, { expand: ['latest_invoice'] })
    expect(ended).toMatchObject({
      status: 'past_due',
      latest_invoice: { status: 'open', amount_due: 9_900, attempt_count: 1 },
    })
    await expect(happen('trial.end', { subscription: id })).rejects.toThrow('the subscription is in no trial')
  })

  test.each([
    ['cancel', 'canceled'],
    ['unpaid', 'unpaid'],
    ['past_due', 'past_due'],
  ] as const)('whose renewal fails to the last becomes what the account says: %s', async (afterRetries, status) => {
    await happen('settings', { retryDays: [1, 2], afterRetries })
    const { id, latest_invoice } = await failing('insufficient_funds')
    expect(await statusOf(id)).toBe('past_due')
    await wait(1)
    expect(await statusOf(id)).toBe('past_due')
    await wait(1)
    expect(await statusOf(id)).toBe(status)
    expect(await stripe.invoices.retrieve(latest_invoice)).toMatchObject({
      attempt_count: 3,
      next_payment_attempt: null,
    })
  })

  test('is not charged again after a final no, until another card is there', async () => {
    const { id, customer, latest_invoice: invoice } = await failing('lost_card')
    const charges = async () => (await stripe.charges.list({ customer })).data.length
    expect(await charges()).toBe(2)
    await wait(3)
    expect(await charges()).toBe(2)
    expect(await stripe.invoices.retrieve(invoice)).toMatchObject({ status: 'open', attempt_count: 3 })
    await happen('portal.newCard', { customer, paymentMethod: 'pm_card_mastercard' })
    expect(await statusOf(id)).toBe('past_due')
    await wait(2)
    expect(await statusOf(id)).toBe('active')
  })

  test('takes a new card from whoever has the page of the portal', async () => {
    const { id: customer } = await aCustomer(stripe)
    const { url } = await stripe.billingPortal.sessions.create({ customer, return_url: 'https://example.com' })
    await happen('portal.newCard', { url, paymentMethod: 'pm_card_mastercard' })
    const cards = await stripe.paymentMethods.list({ customer, limit: 1 })
    expect(cards.data).toMatchObject([{ card: { brand: 'mastercard' } }])
    await expect(
      happen('portal.newCard', { url: 'https://example.com', paymentMethod: 'pm_card_visa' }),
    ).rejects.toThrow()
    await expect(happen('portal.newCard', { paymentMethod: 'pm_card_visa' })).rejects.toThrow('give a customer')
  })

  test("keeps Stripe's schedule whatever is tried by hand", async () => {
    const { id, latest_invoice: invoice } = await failing('insufficient_funds')
    const { next_payment_attempt: next } = await stripe.invoices.retrieve(invoice)
    await expect(stripe.invoices.pay(invoice)).rejects.toMatchObject({ decline_code: 'insufficient_funds' })
    expect(await stripe.invoices.retrieve(invoice)).toMatchObject({ attempt_count: 1, next_payment_attempt: next })
    await stripe.invoices.voidInvoice(invoice)
    expect(await statusOf(id)).toBe('active')
  })

  test('stands as its latest invoice does, whatever becomes of an older one', async () => {
    const { id: customer } = await aCustomer(stripe, 'pm_card_chargeCustomerFail')
    const { id, items: bought } = await stripe.subscriptions.create({
      customer,
      items: [{ price: 'price_hunter' }],
      trial_period_days: 1,
    })
    await wait(2)
    expect(await statusOf(id)).toBe('past_due')
    // A credit is an invoice of nothing, which is paid.
    const smaller = [{ id: bought.data[0]?.id ?? '', price: 'price_scout' }]
    await stripe.subscriptions.update(id, { items: smaller, proration_behavior: 'always_invoice' })
    expect(await statusOf(id)).toBe('active')
    await wait(2)
    const [open] = (await stripe.invoices.list({ customer, status: 'open' })).data
    expect(open?.attempt_count).toBeGreaterThan(1)
    expect(await statusOf(id)).toBe('active')
  })

  test('waits for the person where their bank asks for them', async () => {
    const { id: customer } = await aCustomer(stripe, 'pm_card_authenticationRequired')
    const { id } = await stripe.subscriptions.create({ customer, items })
    expect(await statusOf(id)).toBe('incomplete')
    const [intent] = (await stripe.paymentIntents.list({ customer })).data
    expect(intent).toMatchObject({ status: 'requires_action', next_action: { type: 'redirect_to_url' } })
    await happen('payment.authenticate', { paymentIntent: intent?.id })
    expect(await statusOf(id)).toBe('active')
  })

  test('runs for two years on a test clock, from the 31st to the last of each month', async () => {
    const begin = Date.UTC(2027, 0, 31, 12) / 1000
    const { id: test_clock } = await stripe.testHelpers.testClocks.create({ frozen_time: begin })
    const { id: customer } = await aCustomer(stripe, 'pm_card_visa', { test_clock })
    const { id } = await stripe.subscriptions.create({ customer, items })
    const twoYears = Date.UTC(2029, 0, 31, 11) / 1000
    await stripe.testHelpers.testClocks.advance(test_clock, { frozen_time: twoYears })
    const { data } = await stripe.invoices.list({ customer, limit: 100 })
    expect(data).toHaveLength(24)
    expect(new Set(data.map(({ status, total }) => `${status} ${total}`))).toEqual(new Set(['paid 9900']))
    const days = data.slice(-4).map(({ created }) => new Date(created * 1000).toISOString().slice(0, 10))
    expect(days).toEqual(['2027-04-30', '2027-03-31', '2027-02-28', '2027-01-31'])
    await stripe.subscriptions.cancel(id)
    expect((await stripe.subscriptions.retrieve(id)).ended_at).toBe(twoYears)
  })

  /** One whose first renewal the bank has just refused. */
  async function failing(declineCode: string) {
    const { id: customer } = await aCustomer(stripe)
    const { id } = await stripe.subscriptions.create({ customer, items })
    const [card] = (await stripe.paymentMethods.list({ customer })).data
    await happen('card.decline', { paymentMethod: card?.id, declineCode })
    const { items: of } = await stripe.subscriptions.retrieve(id)
    const left = (of.data[0]?.current_period_end ?? 0) - Math.floor(Date.now() / 1000)
    await sandbox.advanceClock(left + seconds.hour + 1)
    const { latest_invoice } = await stripe.subscriptions.retrieve(id)
    return { id, customer, latest_invoice: idOf(latest_invoice) }
  }
})

describe('a change of plan', () => {
  test('asks for the rest of the period to the cent, and tells so before', async () => {
    const { change, middle } = await halfway()
    const asked = {
      items: change('price_hunter'),
      proration_behavior: 'always_invoice' as const,
      proration_date: middle.at,
    }
    const preview = await stripe.invoices.createPreview({ subscription: middle.id, subscription_details: asked })
    expect(preview.lines.data.map(({ amount }) => amount)).toEqual([-4_950, 12_450])
    expect((await stripe.subscriptions.retrieve(middle.id)).items.data[0]?.price.id).toBe('price_scout')
    const { latest_invoice } = await stripe.subscriptions.update(middle.id, { ...asked, expand: ['latest_invoice'] })
    expect(latest_invoice).toMatchObject({ total: 7_500, amount_paid: 7_500, status: 'paid' })
  })

  test('to a smaller one is a credit that later invoices are paid by', async () => {
    const { change, middle, forward } = await halfway('price_hunter')
    const params = {
      items: change('price_scout'),
      proration_behavior: 'always_invoice' as const,
      proration_date: middle.at,
    }
    await stripe.subscriptions.update(middle.id, params)
    expect(await stripe.customers.retrieve(middle.customer)).toMatchObject({ balance: -7_500 })
    await forward(16)
    const [renewal] = (await stripe.invoices.list({ subscription: middle.id })).data
    expect(renewal).toMatchObject({ total: 9_900, starting_balance: -7_500, ending_balance: 0, amount_paid: 2_400 })
  })

  test('waits for the next invoice where nothing else is said, and costs nothing where that is', async () => {
    const { change, middle, forward } = await halfway()
    await stripe.subscriptions.update(middle.id, { items: change('price_hunter'), proration_date: middle.at })
    await forward(16)
    const [renewal] = (await stripe.invoices.list({ subscription: middle.id })).data
    expect(renewal?.lines.data.map(({ amount }) => amount)).toEqual([-4_950, 12_450, 24_900])
    await stripe.subscriptions.update(middle.id, { items: change('price_scout'), proration_behavior: 'none' })
    const next = await stripe.invoices.createPreview({ subscription: middle.id })
    expect(next.total).toBe(9_900)
  })

  test('that is not paid for does not happen, or waits for the payment', async () => {
    const { change, middle } = await halfway()
    const [card] = (await stripe.paymentMethods.list({ customer: middle.customer })).data
    await happen('card.decline', { paymentMethod: card?.id })
    const params = { items: change('price_hunter'), proration_behavior: 'always_invoice' as const }
    const refused = stripe.subscriptions.update(middle.id, { ...params, payment_behavior: 'error_if_incomplete' })
    await expect(refused).rejects.toMatchObject({ code: 'card_declined' })
    expect((await stripe.invoices.list({ subscription: middle.id })).data).toHaveLength(1)
    const waiting = await stripe.subscriptions.update(middle.id, {
      ...params,
      payment_behavior: 'pending_if_incomplete',
    })
    expect(waiting).toMatchObject({ status: 'active', items: { data: [{ price: { id: 'price_scout' } }] } })
    expect(waiting.pending_update?.subscription_items?.[0]?.price.id).toBe('price_hunter')
    await happen('card.decline', { paymentMethod: card?.id, declineCode: null })
    await stripe.invoices.pay(idOf(waiting.latest_invoice))
    const changed = await stripe.subscriptions.retrieve(middle.id)
    expect(changed).toMatchObject({ pending_update: null, items: { data: [{ price: { id: 'price_hunter' } }] } })
  })

  test('to another rhythm begins a new period at once', async () => {
    const { change, middle } = await halfway()
    const changed = await stripe.subscriptions.update(middle.id, {
      items: change('price_command_yearly'),
      expand: ['latest_invoice'],
    })
    expect(changed).toMatchObject({
      billing_cycle_anchor: middle.at,
      latest_invoice: { total: 499_000 - 4_950, status: 'paid' },
    })
  })

  /** A subscription in the very middle of a month of thirty days. */
  async function halfway(price = 'price_scout') {
    const begin = Date.UTC(2027, 3, 1) / 1000
    const clock = await stripe.testHelpers.testClocks.create({ frozen_time: begin })
    const { id: customer } = await aCustomer(stripe, 'pm_card_visa', { test_clock: clock.id })
    const { id, items } = await stripe.subscriptions.create({ customer, items: [{ price }] })
    const at = begin + 15 * seconds.day
    await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: at })
    return {
      middle: { id, customer, at },
      change: (to: string) => [{ id: items.data[0]?.id ?? '', price: to }],
      forward: (days: number) =>
        stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: at + days * seconds.day }),
    }
  }
})
