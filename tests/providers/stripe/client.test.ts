import type { Stripe } from 'stripe'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BillingProvider } from '../../../activities/ports.ts'
import { failureOf } from '../../support/provider-failures.ts'
import { neverAborted } from '../../support/resend.ts'
import { aCustomer, billingOn, idOf, openStripe, planOfPrice, type StripeWorld } from '../../support/stripe.ts'

let world: StripeWorld
let stripe: Stripe
let billing: BillingProvider
let happen: StripeWorld['happen']

beforeEach(async () => {
  world = await openStripe()
  ;({ stripe, happen } = world)
  billing = billingOn(world.sandbox)
})
afterEach(() => world[Symbol.asyncDispose]())

describe('a customer', () => {
  test('is made once under a key, with the id of the organisation', async () => {
    const who = { organisationId: 'org-1', name: 'Maple Dental', email: null }
    const { customerId } = await billing.createCustomer(who, 'customer/org-1', neverAborted)
    expect(await billing.createCustomer(who, 'customer/org-1', neverAborted)).toEqual({ customerId })
    const { metadata } = await retrieved(customerId)
    expect(metadata).toEqual({ organisation_id: 'org-1', act_key: 'customer/org-1' })
    const other = billing.createCustomer({ ...who, name: 'Oak Dental' }, 'customer/org-1', neverAborted)
    expect(await failureOf(other)).toMatchObject({ outcome: 'rejected', code: 'idempotency_mismatch' })
  })

  test('may have a key of any length', async () => {
    const who = { organisationId: 'org-1', name: 'Maple Dental', email: 'ann@example.com' }
    const key = `customer/${'ö'.repeat(400)}`
    const { customerId } = await billing.createCustomer(who, key, neverAborted)
    expect(await billing.createCustomer(who, key, neverAborted)).toEqual({ customerId })
  })

  test('gets to the portal', async () => {
    const { id: customerId } = await stripe.customers.create()
    const { url } = await billing.openPortal({ customerId, returnUrl: 'https://example.com' }, neverAborted)
    expect(url).toMatch(/^https:/)
    const nobody = billing.openPortal({ customerId: 'cus_nobody', returnUrl: 'https://example.com' }, neverAborted)
    expect(await failureOf(nobody)).toMatchObject({ outcome: 'rejected', code: 'no_such_customer' })
  })
})

test('prices that are unknown, or no longer for sale, are told', async () => {
  const { id: product } = await stripe.products.create({ name: 'Gone', active: false })
  const { id: gone } = await stripe.prices.create({ product, currency: 'usd', unit_amount: 100 })
  const asked = ['price_scout', 'price_nothing', 'price_hunter', gone, 'price_pack', 'price_command_yearly', 'price_no']
  expect(await billing.unknownPrices(asked, neverAborted)).toEqual(['price_nothing', gone, 'price_no'])
})

describe('a change of price', () => {
  const upwards = (subscriptionId: string) => ({
    subscriptionId,
    priceId: 'price_hunter',
    money: 'with_proration' as const,
  })

  test('costs what its preview says', async () => {
    const { customer, id } = await subscribed()
    await world.wait(15)
    const preview = await billing.previewChange(upwards(id), neverAborted)
    expect(preview.lines.map(({ amount }) => Math.sign(amount.amount))).toEqual([-1, 1])
    expect(preview.thenEachPeriod).toEqual({ amount: 24_900, currency: 'USD' })
    expect(await billing.changePrice(upwards(id), 'change/1', neverAborted)).toEqual({ is: 'paid' })
    expect(await billing.changePrice(upwards(id), 'change/1', neverAborted)).toEqual({ is: 'paid' })
    const { invoices } = await billing.listInvoices(customer, { limit: 10, after: null }, neverAborted)
    expect(invoices.map(({ total }) => total)).toEqual([preview.dueNow, { amount: 9_900, currency: 'USD' }])
  })

  test('downwards is credited, and its preview says so', async () => {
    const { id } = await subscribed('price_hunter')
    const { dueNow } = await billing.previewChange({ ...upwards(id), priceId: 'price_scout' }, neverAborted)
    expect(dueNow.amount).toBeLessThan(-14_900)
  })

  test('without proration costs nothing before the next period', async () => {
    const { customer, id } = await subscribed()
    const change = { subscriptionId: id, priceId: 'price_hunter', money: 'without' as const }
    const preview = await billing.previewChange(change, neverAborted)
    expect(preview).toMatchObject({ dueNow: { amount: 0 }, lines: [], thenEachPeriod: { amount: 24_900 } })
    expect(await billing.changePrice(change, 'change/1', neverAborted)).toEqual({ is: 'paid' })
    await world.wait(32)
    const { invoices } = await billing.listInvoices(customer, { limit: 1, after: null }, neverAborted)
    expect(invoices).toMatchObject([{ status: 'paid', total: { amount: 24_900 } }])
  })

  test('in a trial costs nothing before its end', async () => {
    const { id } = await subscribed('price_scout', { trial_period_days: 14 })
    expect((await billing.previewChange(upwards(id), neverAborted)).dueNow).toEqual({ amount: 0, currency: 'USD' })
    expect(await billing.changePrice(upwards(id), 'change/1', neverAborted)).toEqual({ is: 'paid' })
  })

  test('is not made where the bank says no', async () => {
    const { id, card } = await subscribed()
    await happen('card.decline', { paymentMethod: card, declineCode: 'insufficient_funds' })
    const declined = { is: 'declined', code: 'insufficient_funds' }
    expect(await billing.changePrice(upwards(id), 'change/1', neverAborted)).toEqual(declined)
    expect(await billing.changePrice(upwards(id), 'change/1', neverAborted)).toEqual(declined)
    const { items, status } = await stripe.subscriptions.retrieve(id)
    expect({ price: items.data[0]?.price.id, status }).toEqual({ price: 'price_scout', status: 'active' })
  })

  test('is not made where the bank wants to hear the person, and that is told by a code', async () => {
    const { customer, id } = await subscribed()
    const { id: asking } = await stripe.paymentMethods.attach('pm_card_authenticationRequired', { customer })
    await stripe.subscriptions.update(id, { default_payment_method: asking })
    const declined = { is: 'declined', code: 'authentication_required' }
    expect(await billing.changePrice(upwards(id), 'change/1', neverAborted)).toEqual(declined)
    const { items, status } = await stripe.subscriptions.retrieve(id)
    expect({ price: items.data[0]?.price.id, status }).toEqual({ price: 'price_scout', status: 'active' })
    const { data } = await stripe.invoices.list({ customer, status: 'open' })
    expect(data).toEqual([])
  })

  test('of what has ended is refused', async () => {
    const { id } = await subscribed()
    await billing.cancel(id, 'now', 'cancel/1', neverAborted)
    await billing.cancel(id, 'now', 'cancel/1', neverAborted)
    const gone = { outcome: 'rejected', code: 'no_such_subscription' }
    expect(await failureOf(billing.changePrice(upwards(id), 'change/1', neverAborted))).toMatchObject(gone)
    expect(await failureOf(billing.cancel(id, 'undo', 'cancel/2', neverAborted))).toMatchObject(gone)
    expect(await failureOf(billing.cancel('sub_nothing', 'now', 'cancel/3', neverAborted))).toMatchObject(gone)
  })
})

test('an end at a date is taken back like one with the period', async () => {
  const { id } = await subscribed()
  await stripe.subscriptions.update(id, { cancel_at: Math.floor(Date.now() / 1000) + 86_400 })
  await billing.cancel(id, 'undo', 'cancel/1', neverAborted)
  expect(await stripe.subscriptions.retrieve(id)).toMatchObject({ cancel_at: null, cancel_at_period_end: false })
})

describe('an invoice', () => {
  test('is paid by the card that is named, or else by what the customer pays with', async () => {
    const { customer, invoice } = await overdue('lost_card')
    const named = billing.payInvoice(invoice, null, 'pay/1', neverAborted)
    expect(await named).toEqual({ is: 'declined', code: 'lost_card' })
    const { id: good } = await stripe.paymentMethods.attach('pm_card_mastercard', { customer })
    expect(await billing.payInvoice(invoice, good, 'pay/2', neverAborted)).toEqual({ is: 'paid' })
    expect(await billing.payInvoice(invoice, good, 'pay/2', neverAborted)).toEqual({ is: 'paid' })
    expect(await billing.payInvoice(invoice, good, 'pay/3', neverAborted)).toEqual({ is: 'not_open' })
    expect(await billing.payInvoice(invoice, null, 'pay/4', neverAborted)).toEqual({ is: 'not_open' })
  })

  test('for which the bank wants to hear the person is not paid, and has a page where they are heard', async () => {
    const { customer, id } = await subscribed()
    const { id: asking } = await stripe.paymentMethods.attach('pm_card_authenticationRequired', { customer })
    await stripe.subscriptions.update(id, { default_payment_method: asking })
    await world.wait(32)
    const [invoice] = (await stripe.invoices.list({ customer, status: 'open' })).data
    const paid = billing.payInvoice(invoice?.id ?? '', null, 'pay/1', neverAborted)
    expect(await paid).toEqual({ is: 'declined', code: 'authentication_required' })
    const account = await billing.fetchAccount(customer, planOfPrice, neverAborted)
    expect(account?.facts.openInvoices).toMatchObject([{ declineCode: 'authentication_required' }])
    expect(account?.shown.openInvoices).toMatchObject([{ payUrl: expect.stringMatching(/^https:/) }])
  })

  test('that nobody has a card for is not paid', async () => {
    const { id: customer } = await stripe.customers.create()
    await stripe.subscriptions.create({ customer, items: [{ price: 'price_scout' }], trial_period_days: 1 })
    await world.wait(2)
    const [invoice] = (await stripe.invoices.list({ customer, status: 'open' })).data
    const paid = billing.payInvoice(invoice?.id ?? '', null, 'pay/1', neverAborted)
    expect(await paid).toEqual({ is: 'declined', code: 'no_payment_method' })
  })

  test('that is unknown, or a card that is, is refused', async () => {
    const { invoice } = await overdue('insufficient_funds')
    const unknown = billing.payInvoice('in_nothing', 'pm_nothing', 'pay/1', neverAborted)
    expect(await failureOf(unknown)).toMatchObject({ outcome: 'rejected', code: 'no_such_invoice' })
    const noCard = billing.payInvoice(invoice, 'pm_nothing', 'pay/2', neverAborted)
    expect(await failureOf(noCard)).toMatchObject({ outcome: 'rejected', code: 'no_such_card' })
  })

  test('is listed, the newest first, page by page', async () => {
    const { customer } = await subscribed()
    await world.wait(70)
    const first = await billing.listInvoices(customer, { limit: 2, after: null }, neverAborted)
    const second = await billing.listInvoices(customer, { limit: 2, after: first.after }, neverAborted)
    expect([first.after, second.after]).toEqual([expect.any(String), null])
    const listed = [...first.invoices, ...second.invoices]
    expect(listed.map(({ status }) => status)).toEqual(['paid', 'paid', 'paid'])
    const times = listed.map(({ createdAt }) => createdAt)
    expect(times).toEqual(times.toSorted((one, other) => other - one))
  })

  test('is listed among what was bought without one, in its place whatever the size of a page', async () => {
    const { customer, invoice } = await subscribed()
    await world.wait(1)
    const bought = [await checkedOut(customer)]
    await checkedOut(customer, 'price_scout')
    await world.wait(32)
    bought.push(await checkedOut(customer))
    const pages = async (limit: number) => {
      const listed: Awaited<ReturnType<BillingProvider['listInvoices']>>['invoices'] = []
      let after: string | null = null
      do {
        const page = await billing.listInvoices(customer, { limit, after }, neverAborted)
        expect(page.invoices.length).toBeGreaterThan(0)
        listed.push(...page.invoices)
        after = page.after
      } while (after !== null)
      return listed
    }
    const all = await pages(100)
    expect(all).toHaveLength(6)
    for (const limit of [1, 2, 3, 5, 6]) expect(await pages(limit)).toEqual(all)
    expect(all.at(-1)?.id).toBe(invoice)
    expect(all.map(({ createdAt }) => createdAt)).toEqual(
      all.map(({ createdAt }) => createdAt).toSorted((a, b) => b - a),
    )
    expect(all.filter(({ kind }) => kind === 'purchase')).toMatchObject(
      bought.toReversed().map((id) => ({
        id,
        number: null,
        status: 'paid',
        total: { amount: 5_000, currency: 'USD' },
        lines: ['1,000 credits'],
        url: expect.stringMatching(/^https:.*receipts/),
      })),
    )
    const refunded = await billing.refund({ paymentId: bought[0] ?? '', amount: null }, 'refund/1', neverAborted)
    expect(refunded).toMatchObject({ amount: 5_000, status: 'succeeded' })
  })
})

/** By a checkout; the id of its payment, if it is one. */
async function checkedOut(customer: string, price = 'price_pack'): Promise<string> {
  const { id } = await stripe.checkout.sessions.create({
    mode: price === 'price_pack' ? 'payment' : 'subscription',
    customer,
    line_items: [{ price, quantity: 1 }],
    success_url: 'https://example.com',
  })
  await happen('checkout.complete', { sessionId: id })
  const { payment_intent: intent } = await stripe.checkout.sessions.retrieve(id)
  return intent === null ? '' : idOf(intent)
}

describe('a refund', () => {
  test('is of the payment of an invoice, once under its key', async () => {
    const { customer, invoice: paymentId } = await subscribed()
    const refunded = await billing.refund({ paymentId, amount: 900 }, 'refund/1', neverAborted)
    expect(refunded).toMatchObject({ amount: 900, status: 'succeeded' })
    expect(await billing.refund({ paymentId, amount: 900 }, 'refund/1', neverAborted)).toEqual(refunded)
    expect(await billing.refund({ paymentId, amount: null }, 'refund/2', neverAborted)).toMatchObject({ amount: 9_000 })
    const again = billing.refund({ paymentId, amount: null }, 'refund/3', neverAborted)
    expect(await failureOf(again)).toMatchObject({ outcome: 'rejected', code: 'already_refunded' })
    expect((await billing.fetchAccount(customer, planOfPrice, neverAborted))?.facts.refunds).toHaveLength(2)
  })

  test('is refused where nothing was paid, or the payment is disputed', async () => {
    const { invoice: trial } = await subscribed('price_scout', { trial_period_days: 14 })
    const ofNothing = billing.refund({ paymentId: trial, amount: null }, 'refund/1', neverAborted)
    expect(await failureOf(ofNothing)).toMatchObject({ outcome: 'rejected', code: 'nothing_to_refund' })
    const { invoice: disputed } = await subscribed()
    await happen('dispute.open', { invoice: disputed })
    const ofDisputed = billing.refund({ paymentId: disputed, amount: null }, 'refund/2', neverAborted)
    expect(await failureOf(ofDisputed)).toMatchObject({ outcome: 'rejected', code: 'payment_disputed' })
    const unknown = billing.refund({ paymentId: 'pi_nothing', amount: null }, 'refund/3', neverAborted)
    expect(await failureOf(unknown)).toMatchObject({ outcome: 'rejected', code: 'no_such_payment' })
  })
})

test('use is reported once under its identifier', async () => {
  const { id: customerId } = await stripe.customers.create()
  const use = { customerId, meter: 'searches', value: 3, identifier: `usage/${'1'.repeat(200)}`, at: Date.now() }
  await billing.reportUsage(use, neverAborted)
  await billing.reportUsage(use, neverAborted)
  const asked = await world.sandbox.requests({ provider: 'stripe' })
  expect(asked.filter(({ operation }) => operation === 'meter_events.create').map(({ status }) => status)).toEqual([
    200, 400,
  ])
})

test('subscribers are listed page by page', async () => {
  const expected = [await subscribed(), await subscribed(), await subscribed()]
  const first = await billing.listSubscribers({ limit: 2, after: null }, neverAborted)
  const second = await billing.listSubscribers({ limit: 2, after: first.after }, neverAborted)
  expect(second.after).toBeNull()
  const listed = [...first.subscribers, ...second.subscribers]
  expect(listed).toEqual(
    expected.map(({ customer, id }) => ({ customerId: customer, subscriptionId: id })).toReversed(),
  )
})

async function retrieved(id: string): Promise<Stripe.Customer> {
  const found = await stripe.customers.retrieve(id)
  if (found.deleted) throw new Error('was deleted')
  return found
}

async function subscribed(price = 'price_scout', changes: Partial<Stripe.SubscriptionCreateParams> = {}) {
  const { id: customer, invoice_settings: settings } = await aCustomer(stripe)
  const { id, latest_invoice: invoice } = await stripe.subscriptions.create({
    customer,
    items: [{ price }],
    ...changes,
  })
  return { customer, id, invoice: idOf(invoice), card: idOf(settings.default_payment_method) }
}

/** One whose first renewal the bank has refused. */
async function overdue(declineCode: string) {
  const made = await subscribed()
  await happen('card.decline', { paymentMethod: made.card, declineCode })
  await world.wait(32)
  const [invoice] = (await stripe.invoices.list({ customer: made.customer, status: 'open' })).data
  return { ...made, invoice: invoice?.id ?? '' }
}
