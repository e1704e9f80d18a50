import { expect, test } from 'vitest'
import { standInPriceIds } from '../../../dev/stripe-prices.ts'
import { billingStories } from '../../support/billing-story.ts'
import { stripeOn } from '../../support/stripe.ts'

const stories = await billingStories()
const { newCustomer } = stories

test('a subscription whose first payment is still to be made can be ended, at once only', async () => {
  const one = await newCustomer()
  const price = standInPriceIds({})['STRIPE_PRICE_SCOUT'] ?? ''
  const { id: subscriptionId } = await stripeOn(stories.sandbox).subscriptions.create({
    customer: one.customerId,
    items: [{ price }],
    payment_behavior: 'default_incomplete',
  })
  await one.settle()
  const refused = { is: 'refused', code: 'not_under_way' }
  expect(await one.ask({ kind: 'cancel', subscriptionId, when: 'period_end' })).toMatchObject(refused)
  expect(await one.ask({ kind: 'cancel', subscriptionId, when: 'now' })).toMatchObject({ is: 'done' })
  expect((await one.facts()).subscriptions.map(({ status }) => status)).toEqual(['canceled'])
})
