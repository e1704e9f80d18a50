import type { Stripe } from 'stripe'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BillingProvider, CheckoutWanted } from '../../../activities/ports.ts'
import { failureOf } from '../../support/provider-failures.ts'
import { neverAborted } from '../../support/resend.ts'
import { billingOn, idOf, openStripe, planOfPrice, type StripeWorld } from '../../support/stripe.ts'

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

describe('a checkout', () => {
  const pages = { successUrl: 'https://example.com/a', cancelUrl: 'https://example.com/b' }

  test('is the same one under its key', async () => {
    const { id: customerId } = await stripe.customers.create()
    const wanted = { customerId, priceId: 'price_scout', quantity: 1, subscription: { trialDays: 14 }, ...pages }
    const made = await billing.startCheckout(wanted, 'checkout/1', neverAborted)
    expect(await billing.startCheckout(wanted, 'checkout/1', neverAborted)).toEqual(made)
    expect(made).toMatchObject({ id: expect.stringMatching(/^cs_/), url: expect.stringMatching(/^https:/) })
    expect(made.expiresAt).toBeGreaterThan(Date.now())
    await happen('checkout.complete', { sessionId: made.id })
    const { subscription } = await stripe.checkout.sessions.retrieve(made.id)
    expect((await stripe.subscriptions.retrieve(idOf(subscription))).metadata).toEqual({ act_key: 'checkout/1' })
  })

  test('closes those of subscriptions that were opened before, on every page, and neither others nor another customer’s', async () => {
    const [{ id: customerId }, { id: neighbour }] = [await stripe.customers.create(), await stripe.customers.create()]
    const open = (key: string, of: Partial<CheckoutWanted> = {}) => {
      const wanted = { customerId, priceId: 'price_scout', quantity: 1, subscription: { trialDays: null }, ...pages }
      return billing.startCheckout({ ...wanted, ...of }, key, neverAborted)
    }
    const paid = await open('checkout/paid')
    await happen('checkout.complete', { sessionId: paid.id })
    const others = [
      await open('checkout/once', { priceId: 'price_pack', subscription: null }),
      await open('checkout/neighbour', { customerId: neighbour }),
    ]
    const earlier = []
    for (let one = 1; one <= 101; one += 1) earlier.push(await open(`checkout/${one}`))
    const kept = await open('checkout/kept')
    expect(await billing.expireCheckouts(customerId, kept.id, neverAborted)).toBe(true)
    expect(await billing.expireCheckouts(customerId, kept.id, neverAborted)).toBe(true)
    const statusOf = async ({ id }: { id: string }) => (await stripe.checkout.sessions.retrieve(id)).status
    expect(await Promise.all([paid, kept, ...others].map(statusOf))).toEqual(['complete', 'open', 'open', 'open'])
    expect(new Set(await Promise.all(earlier.map(statusOf)))).toEqual(new Set(['expired']))
    // Asked for again, one that was closed closes nothing.
    const again = await open('checkout/101')
    expect(await billing.expireCheckouts(customerId, again.id, neverAborted)).toBe(false)
    expect([again.id, await statusOf(kept)]).toEqual([earlier.at(-1)?.id, 'open'])
    const refused = happen('checkout.complete', { sessionId: again.id })
    await expect(refused).rejects.toThrow()
  })

  test('of several within a second, asked for at once or in any order, leaves one open: the last', async () => {
    const frozen = await stripe.testHelpers.testClocks.create({ frozen_time: Math.floor(Date.now() / 1_000) })
    const statusOf = async (id: string) => (await stripe.checkout.sessions.retrieve(id)).status
    for (let turn = 1; turn <= 10; turn += 1) {
      const { id: customerId } = await stripe.customers.create({ test_clock: frozen.id })
      const wanted = { customerId, priceId: 'price_scout', quantity: 1, subscription: { trialDays: null }, ...pages }
      const ids: string[] = []
      const buy = async (name: string) => {
        const { id } = await billing.startCheckout(wanted, `checkout/${turn}/${name}`, neverAborted)
        ids.push(id)
        return { id, isLast: await billing.expireCheckouts(customerId, id, neverAborted) }
      }
      await Promise.all([buy('a'), buy('b'), buy('c')])
      const open = async () => {
        const { data } = await stripe.checkout.sessions.list({ customer: customerId })
        expect(new Set(data.map(({ created }) => created)).size).toBe(1)
        return data.filter(({ status }) => status === 'open').map(({ id }) => id)
      }
      expect(await open()).toHaveLength(1)
      const later = await buy('d')
      expect([later.isLast, await open()]).toEqual([true, [later.id]])
      for (const id of ids.toReversed()) await billing.expireCheckouts(customerId, id, neverAborted)
      expect(await statusOf(later.id)).toBe('open')
    }
  })

  test('that is not the last closes itself', async () => {
    const { id: customerId } = await stripe.customers.create()
    const wanted = { customerId, priceId: 'price_scout', quantity: 1, subscription: { trialDays: null }, ...pages }
    const first = await billing.startCheckout(wanted, 'checkout/1', neverAborted)
    const second = await billing.startCheckout(wanted, 'checkout/2', neverAborted)
    expect(await billing.expireCheckouts(customerId, first.id, neverAborted)).toBe(false)
    const { data } = await stripe.checkout.sessions.list({ customer: customerId, status: 'open' })
    expect(data.map(({ id }) => id)).toEqual([second.id])
  })

  test('that is paid while it is being closed is no error, and one that stays open is', async () => {
    const { id: customerId } = await stripe.customers.create()
    const wanted = { customerId, priceId: 'price_scout', quantity: 1, subscription: { trialDays: null }, ...pages }
    const first = await billing.startCheckout(wanted, 'checkout/1', neverAborted)
    const second = await billing.startCheckout(wanted, 'checkout/2', neverAborted)
    const before = async (what: () => Promise<void>) => {
      const slow: typeof fetch = async (url, init) => {
        if (new Request(url).url.endsWith('/expire')) await what()
        return fetch(url, init)
      }
      await billingOn(world.sandbox, { fetch: slow }).expireCheckouts(customerId, second.id, neverAborted)
    }
    const failing = before(() => happen('requests.fail', { operation: 'checkout.expire', count: 1 }))
    expect(await failureOf(failing)).toMatchObject({ outcome: 'retry' })
    await before(() => happen('checkout.complete', { sessionId: first.id }))
    const account = await billing.fetchAccount(customerId, planOfPrice, neverAborted)
    expect(account?.facts.subscriptions).toHaveLength(1)
  })

  test('of a price that is none is refused', async () => {
    const { id: customerId } = await stripe.customers.create()
    const wanted = { customerId, priceId: 'price_none', quantity: 1, subscription: null, ...pages }
    const failure = await failureOf(billing.startCheckout(wanted, 'checkout/1', neverAborted))
    expect(failure).toMatchObject({ outcome: 'rejected', code: 'no_such_price' })
  })
})
