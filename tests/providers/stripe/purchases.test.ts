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

describe('a top-up', () => {
  const pack = (customerId: string) => ({ customerId, priceId: 'price_pack', quantity: 2 })

  test('is paid at once by what the customer pays with, once under its key, and marked', async () => {
    const { customer } = await subscribed()
    expect(await billing.buyNow(pack(customer), 'top-up/1', neverAborted)).toEqual({ is: 'paid' })
    await happen('keys.forget', {})
    expect(await billing.buyNow(pack(customer), 'top-up/1', neverAborted)).toEqual({ is: 'paid' })
    expect(await topUps(customer)).toMatchObject([
      {
        amount: 10_000,
        lines: [{ planKey: 'calls-100', quantity: 2, subscription: null, share: 1, source: 'top_up' }],
      },
    ])
  })

  test('that is declined leaves nothing owed, and stays declined under its key', async () => {
    const { customer, card } = await subscribed()
    await happen('card.decline', { paymentMethod: card, declineCode: 'insufficient_funds' })
    const declined = { is: 'declined', code: 'insufficient_funds' }
    expect(await billing.buyNow(pack(customer), 'top-up/1', neverAborted)).toEqual(declined)
    await happen('card.decline', { paymentMethod: card, declineCode: null })
    await happen('keys.forget', {})
    expect(await billing.buyNow(pack(customer), 'top-up/1', neverAborted)).toEqual(declined)
    expect((await stripe.invoices.list({ customer })).data.map(({ status }) => status)).toEqual(['void', 'paid'])
    expect(await billing.buyNow(pack(customer), 'top-up/2', neverAborted)).toEqual({ is: 'paid' })
  })

  test('without a card is declined', async () => {
    const { id } = await stripe.customers.create()
    const declined = { is: 'declined', code: 'no_payment_method' }
    expect(await billing.buyNow(pack(id), 'top-up/1', neverAborted)).toEqual(declined)
    expect((await stripe.invoices.list({ customer: id })).data).toEqual([])
  })

  const steps = ['invoices.create', 'invoice_items.create', 'invoices.pay']

  test.each(steps)('comes to one end, where %s is answered by a failure that is kept', async (operation) => {
    const { customer } = await subscribed()
    await happen('requests.fail', { operation, count: 1 })
    expect(await billing.buyNow(pack(customer), 'top-up/1', neverAborted)).toEqual({ is: 'paid' })
    await happen('requests.fail', { operation, count: 5 })
    expect(await billing.buyNow(pack(customer), 'top-up/1', neverAborted)).toEqual({ is: 'paid' })
    expect(await topUps(customer)).toHaveLength(1)
  })

  test.each(steps)('comes to one end, where the answer of %s is lost', async (operation) => {
    const { customer } = await subscribed()
    await world.sandbox.addFault({ provider: 'stripe', operation, kind: 'accept-then-drop', count: 1 })
    const lost = await failureOf(billing.buyNow(pack(customer), 'top-up/1', neverAborted))
    expect(lost).toMatchObject({ outcome: 'retry', code: 'network' })
    expect(await billing.buyNow(pack(customer), 'top-up/1', neverAborted)).toEqual({ is: 'paid' })
    expect(await topUps(customer)).toHaveLength(1)
  })

  test.each(['invoices.update', 'invoices.void'])('is declined once, though %s was cut off', async (operation) => {
    const { customer, card } = await subscribed()
    await happen('card.decline', { paymentMethod: card, declineCode: 'lost_card' })
    await world.sandbox.addFault({ provider: 'stripe', operation, kind: 'reset', count: 1 })
    await failureOf(billing.buyNow(pack(customer), 'top-up/1', neverAborted))
    const declined = { is: 'declined', code: 'lost_card' }
    expect(await billing.buyNow(pack(customer), 'top-up/1', neverAborted)).toEqual(declined)
    expect((await stripe.invoices.list({ customer, status: 'open' })).data).toEqual([])
  })

  async function topUps(customer: string) {
    const account = await billing.fetchAccount(customer, planOfPrice, neverAborted)
    return (account?.facts.payments ?? []).filter(({ lines }) => lines.some(({ source }) => source === 'top_up'))
  }
})

async function subscribed() {
  const { id: customer, invoice_settings: settings } = await aCustomer(stripe)
  await stripe.subscriptions.create({ customer, items: [{ price: 'price_scout' }] })
  return { customer, card: idOf(settings.default_payment_method) }
}
