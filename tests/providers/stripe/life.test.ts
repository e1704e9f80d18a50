import { Stripe } from 'stripe'
import { expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { idOf, openStripe, type StripeWorld, seconds, stripeSecret } from '../../support/stripe.ts'

test('a life: trial, renewal, failure, retries, unpaid, a new card, another plan, a refund, a dispute, the end', async () => {
  await using world = await openStripe()
  const { sandbox, stripe, wait, happen } = world
  await sandbox.control('POST', '/_sandbox/clock', { now: '2026-11-21T10:00:00Z' })
  const session = await stripe.checkout.sessions.create({
    mode: 'subscription',
    line_items: [{ price: 'price_scout', quantity: 1 }],
    subscription_data: { trial_period_days: 14, metadata: { organisationId: 'org-1' } },
    client_reference_id: 'org-1',
    success_url: 'https://example.com/welcome',
  })
  expect(session).toMatchObject({ status: 'open', payment_status: 'no_payment_required', amount_total: 0 })
  await happen('checkout.complete', { sessionId: session.id, paymentMethod: 'pm_card_visa' })

  const done = await stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription'] })
  expect(done).toMatchObject({
    status: 'complete',
    payment_status: 'no_payment_required',
    client_reference_id: 'org-1',
  })
  const customer = idOf(done.customer)
  if (typeof done.subscription === 'string' || done.subscription === null) throw new Error('was not expanded')
  const { id } = done.subscription
  const card = idOf(done.subscription.default_payment_method)
  expect(done.subscription).toMatchObject({ status: 'trialing', metadata: { organisationId: 'org-1' } })

  await wait(14)
  expect((await stripe.subscriptions.retrieve(id)).status).toBe('active')
  expect(await invoices()).toMatchObject([{ status: 'draft', billing_reason: 'subscription_cycle', total: 9_900 }, {}])
  await sandbox.advanceClock(seconds.hour)
  const [firstPaid] = await invoices()
  expect(firstPaid).toMatchObject({ status: 'paid', amount_paid: 9_900, attempt_count: 1 })

  await happen('card.decline', { paymentMethod: card, declineCode: 'insufficient_funds' })
  await wait(31)
  expect((await stripe.subscriptions.retrieve(id)).status).toBe('past_due')
  const [failed] = await invoices()
  expect(failed).toMatchObject({ status: 'open', amount_remaining: 9_900, attempt_count: 1 })
  expect(failed?.next_payment_attempt).toBeGreaterThan(failed?.created ?? 0)
  await wait(15)
  expect(await invoices()).toMatchObject([{ status: 'open', attempt_count: 8, next_payment_attempt: null }, {}, {}])
  expect((await stripe.subscriptions.retrieve(id)).status).toBe('unpaid')
  await wait(31)
  expect((await invoices())[0]).toMatchObject({ status: 'draft', auto_advance: false })

  const newCard = await stripe.paymentMethods.attach('pm_card_mastercard', { customer })
  await stripe.subscriptions.update(id, { default_payment_method: newCard.id })
  expect((await stripe.subscriptions.retrieve(id)).status).toBe('unpaid')
  for (const invoice of await invoices()) {
    if (invoice.status === 'draft') await stripe.invoices.finalizeInvoice(invoice.id)
    if (invoice.status !== 'paid') await stripe.invoices.pay(invoice.id)
  }
  expect(await stripe.subscriptions.retrieve(id)).toMatchObject({ status: 'active' })

  const items = [{ id: idOf((await stripe.subscriptions.retrieve(id)).items.data[0]), price: 'price_hunter' }]
  const proration_date = (await stripe.products.create({ name: 'Clock' })).created
  const details = { items, proration_behavior: 'always_invoice' as const, proration_date }
  const preview = await stripe.invoices.createPreview({ subscription: id, subscription_details: details })
  const upgraded = await stripe.subscriptions.update(id, {
    items,
    proration_behavior: 'always_invoice',
    proration_date,
    payment_behavior: 'error_if_incomplete',
    expand: ['latest_invoice.payments'],
  })
  expect(upgraded.items.data[0]?.price.id).toBe('price_hunter')
  if (typeof upgraded.latest_invoice === 'string' || !upgraded.latest_invoice) throw new Error('was not expanded')
  expect(upgraded.latest_invoice).toMatchObject({ status: 'paid', total: preview.total })
  expect(preview.total).toBeGreaterThan(0)
  expect(preview.total).toBeLessThan(15_000)

  const payment = upgraded.latest_invoice.payments?.data[0]?.payment.payment_intent
  await stripe.refunds.create({ payment_intent: idOf(payment), amount: 100 })
  const intent = await stripe.paymentIntents.retrieve(idOf(payment), { expand: ['latest_charge'] })
  expect(intent.latest_charge).toMatchObject({ amount_refunded: 100, refunded: false })

  await happen('dispute.open', { paymentIntent: idOf(payment), reason: 'fraudulent' })
  const [dispute] = (await stripe.disputes.list({ payment_intent: idOf(payment) })).data
  expect(dispute).toMatchObject({ status: 'needs_response', evidence_details: { has_evidence: false } })
  const answer = { evidence: { uncategorized_text: 'They used it.' }, submit: true }
  expect(await stripe.disputes.update(dispute?.id ?? '', answer)).toMatchObject({ status: 'under_review' })
  await happen('dispute.lose', { disputeId: dispute?.id })
  expect(await stripe.disputes.retrieve(dispute?.id ?? '')).toMatchObject({ status: 'lost' })

  await stripe.subscriptions.update(id, { cancel_at_period_end: true })
  await wait(31)
  const ended = await stripe.subscriptions.retrieve(id)
  expect(ended).toMatchObject({ status: 'canceled', cancel_at_period_end: true })
  expect(ended.ended_at).toBe(ended.items.data[0]?.current_period_end)
  await wasHeard(world)

  async function invoices() {
    return (await stripe.invoices.list({ subscription: id, limit: 100 })).data
  }
})

/** All that came says the same as what is listed, and is signed. */
async function wasHeard({ stripe, catcher }: StripeWorld) {
  const listed: Stripe.Event[] = []
  for await (const event of stripe.events.list({ limit: 100 })) listed.push(event)
  await eventually(() => expect(catcher.caught).toHaveLength(listed.length), { timeout: 10_000, interval: 20 })
  const heard = catcher.caught.map(({ rawBody, headers }) =>
    stripe.webhooks.constructEvent(rawBody, headers['stripe-signature'] ?? '', stripeSecret),
  )
  expect(new Set(heard.map((event) => event.id))).toEqual(new Set(listed.map((event) => event.id)))
  expect(new Set(heard.map((event) => event.api_version))).toEqual(new Set([Stripe.API_VERSION]))
  const count = (type: string) => listed.filter((event) => event.type === type).length
  expect(Object.fromEntries(counted.map((type) => [type, count(type)]))).toEqual({
    'checkout.session.completed': 1,
    'customer.subscription.created': 1,
    'customer.subscription.trial_will_end': 1,
    'customer.subscription.deleted': 1,
    'invoice.payment_failed': 8,
    'charge.refunded': 1,
    'charge.dispute.created': 1,
    'charge.dispute.closed': 1,
    'payment_method.attached': 2,
  })
}

const counted = [
  'checkout.session.completed',
  'customer.subscription.created',
  'customer.subscription.trial_will_end',
  'customer.subscription.deleted',
  'invoice.payment_failed',
  'charge.refunded',
  'charge.dispute.created',
  'charge.dispute.closed',
  'payment_method.attached',
]
