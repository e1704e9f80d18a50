import type { Stripe } from 'stripe'
import type { BillingProvider } from '../../activities/ports.ts'
import { neverAborted } from './resend.ts'
import { idOf, planOfPrice } from './stripe.ts'

interface Named {
  customerId: string
  /** With one price, and with a payment behind it. */
  subscriptionId: string
  openInvoiceId: string
  paidInvoiceId: string
  /** Of an invoice, or of a checkout. */
  paymentId: string
  cardId: string
}

/** Has our client make every call that it knows, once at least, with all that may go with it. */
export async function callEverything(billing: BillingProvider, named: Named): Promise<void> {
  const { customerId, subscriptionId, openInvoiceId, paidInvoiceId, paymentId, cardId } = named
  const pages = { successUrl: 'https://example.com/a', cancelUrl: 'https://example.com/b' }
  const checkout = { customerId, quantity: 1, ...pages }
  const change = { subscriptionId, priceId: 'price_hunter' }
  const who = { organisationId: 'org-1', name: 'Maple Dental' }

  await billing.createCustomer({ ...who, email: 'ann@example.com' }, 'customer/1', neverAborted)
  await billing.createCustomer({ ...who, email: null }, 'customer/2', neverAborted)
  await billing.unknownPrices(['price_scout', 'price_hunter'], neverAborted)
  const trial = { ...checkout, priceId: 'price_scout', subscription: { trialDays: 14 } }
  await billing.startCheckout(trial, 'checkout/1', neverAborted)
  const later = await billing.startCheckout(trial, 'checkout/later', neverAborted)
  await billing.expireCheckouts(customerId, later.id, neverAborted)
  const once = { ...checkout, priceId: 'price_pack', subscription: null }
  await billing.startCheckout(once, 'checkout/2', neverAborted)
  await billing.openPortal({ customerId, returnUrl: 'https://example.com' }, neverAborted)
  await billing.fetchAccount(customerId, planOfPrice, neverAborted)
  await billing.finalizeInvoice(openInvoiceId, 'finalize/1', neverAborted)
  await billing.payInvoice(openInvoiceId, null, 'pay/1', neverAborted)
  await billing.payInvoice(openInvoiceId, cardId, 'pay/2', neverAborted)
  await billing.previewChange({ ...change, money: 'with_proration' }, neverAborted)
  await billing.previewChange({ ...change, money: 'without' }, neverAborted)
  await billing.changePrice({ ...change, money: 'with_proration' }, 'change/1', neverAborted)
  await billing.buyNow({ customerId, priceId: 'price_pack', quantity: 2 }, 'top-up/1', neverAborted)
  await billing.refund({ paymentId, amount: 100 }, 'refund/1', neverAborted)
  await billing.listInvoices(customerId, { limit: 5, after: `${paidInvoiceId}.` }, neverAborted)
  await billing.listSubscribers({ limit: 5, after: subscriptionId }, neverAborted)
  const use = { customerId, meter: 'searches', value: 3, identifier: 'use/1', at: Date.now() }
  await billing.reportUsage(use, neverAborted)
  await billing.cancel(subscriptionId, 'period_end', 'cancel/1', neverAborted)
  await billing.cancel(subscriptionId, 'undo', 'cancel/2', neverAborted)
  await billing.fetchAccount(customerId, planOfPrice, neverAborted)
  await billing.cancel(subscriptionId, 'now', 'cancel/3', neverAborted)
}

type Happen = (type: string, details: Record<string, unknown>) => Promise<void>

/**
 * An account at the sandbox with something of everything: a subscription whose renewal was declined, a card that is newer and declines too, one that
 * pays, a pack that was partly paid back and is disputed, a payment for nothing that one knows of.
 */
export async function accountOfEverything(
  stripe: Stripe,
  happen: Happen,
  waitAMonth: () => Promise<void>,
): Promise<Named> {
  const { id: customer } = await stripe.customers.create({ email: 'ann@example.com' })
  const { subscription, invoice: paid } = await checkout('subscription', 'price_scout')
  const { payment_intent: pack } = await checkout('payment', 'price_pack')
  await stripe.refunds.create({ payment_intent: idOf(pack), amount: 100 })
  await happen('dispute.open', { paymentIntent: idOf(pack) })
  const about = { amount: 700, currency: 'usd', customer, confirm: true, payment_method: 'pm_card_visa' }
  const { id: ofNothing } = await stripe.paymentIntents.create(about)
  await stripe.refunds.create({ payment_intent: ofNothing, amount: 100 })
  const { default_payment_method: first } = await stripe.subscriptions.retrieve(idOf(subscription))
  await happen('card.decline', { paymentMethod: idOf(first) })
  await waitAMonth()
  const [open] = (await stripe.invoices.list({ customer, status: 'open' })).data
  const { id: second } = await stripe.paymentMethods.attach('pm_card_mastercard', { customer })
  await stripe.customers.update(customer, { invoice_settings: { default_payment_method: second } })
  await happen('card.decline', { paymentMethod: second })
  const { id: cardId } = await stripe.paymentMethods.attach('pm_card_visa', { customer })
  return {
    customerId: customer,
    subscriptionId: idOf(subscription),
    openInvoiceId: idOf(open),
    paidInvoiceId: idOf(paid),
    paymentId: idOf(paid),
    cardId,
  }

  async function checkout(mode: 'payment' | 'subscription', price: string) {
    const line_items = [{ price, quantity: 1 }]
    const { id } = await stripe.checkout.sessions.create({
      mode,
      customer,
      line_items,
      success_url: 'https://example.com',
    })
    await happen('checkout.complete', { sessionId: id })
    return stripe.checkout.sessions.retrieve(id)
  }
}
