import type { Stripe } from 'stripe'
import { type BillingProvider, type CheckoutWanted, isRejected } from '../../activities/ports.ts'
import { mark } from './charges.ts'
import { unexpectedAnswer } from './errors.ts'
import { listed } from './pages.ts'
import type { Call, Session } from './session.ts'
import { ms } from './values.ts'

/** The pages on which a person buys. */
export function createCheckouts(session: Session): Pick<BillingProvider, 'startCheckout' | 'expireCheckouts'> {
  return { startCheckout, expireCheckouts }

  async function startCheckout(wanted: CheckoutWanted, key: string, signal: AbortSignal) {
    const { customerId, priceId, quantity, subscription, successUrl, cancelUrl } = wanted
    const metadata = { act_key: mark(key) }
    const days = subscription?.trialDays ?? null
    const metered = subscription?.meteredPriceIds ?? []
    const of = subscription
      ? { subscription_data: { metadata, ...(days !== null && { trial_period_days: days }) } }
      : { payment_intent_data: { metadata } }
    const made = await session.act({ about: 'customer', signal }, key, (stripe, options) =>
      stripe.checkout.sessions.create(
        {
          mode: subscription ? 'subscription' : 'payment',
          customer: customerId,
          line_items: [{ price: priceId, quantity }, ...metered.map((price) => ({ price }))],
          success_url: successUrl,
          cancel_url: cancelUrl,
          metadata,
          ...of,
        },
        options,
      ),
    )
    if (made.url === null) throw unexpectedAnswer()
    return { id: made.id, url: made.url, expiresAt: ms(made.expires_at) }
  }

  async function expireCheckouts(customer: string, keptId: string, signal: AbortSignal): Promise<boolean> {
    const call: Call = { about: 'customer', signal }
    // They end by themselves after a day: there are never many.
    const open = await session.ask(call, (stripe) =>
      listed(Infinity, (place) => stripe.checkout.sessions.list({ customer, status: 'open', ...place })),
    )
    // It was paid, or closed for one that was opened later: that one closes the others.
    if (open.every(({ id }) => id !== keptId)) return false
    // Stripe lists the newest first, and tells of when by the second only: of two within one their places in its list say which was later. By any order
    // that is the same for everyone who asks at once, nobody closes the last, and each of the others is seen by its own turn or by the last one's.
    const [last, ...others] = open.filter(({ mode }) => mode === 'subscription')
    for (const one of others) await expire(one, call)
    return last?.id === keptId
  }

  async function expire({ id }: Stripe.Checkout.Session, call: Call): Promise<void> {
    try {
      await session.ask(call, (stripe) => stripe.checkout.sessions.expire(id))
    } catch (error) {
      if (!isRejected(error)) throw error
      const { status } = await session.ask(call, (stripe) => stripe.checkout.sessions.retrieve(id))
      // Else somebody was faster, with the payment or with this.
      if (status === 'open') throw error
    }
  }
}
