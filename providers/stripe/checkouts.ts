import type { Stripe } from 'stripe'
import { type BillingProvider, type CheckoutWanted, ProviderError } from '../../activities/ports.ts'
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

  async function expireCheckouts(customer: string, keptId: string, signal: AbortSignal): Promise<void> {
    const call: Call = { about: 'customer', signal }
    // They end by themselves after a day: there are never many.
    const open = await session.ask(call, (stripe) =>
      listed(Infinity, (place) => stripe.checkout.sessions.list({ customer, status: 'open', ...place })),
    )
    const kept = open.find(({ id }) => id === keptId)
    // It was paid, or closed for one that was opened later: that one is the last.
    if (kept === undefined) return
    const earlier = open.filter(({ id, mode, created }) => {
      // Of two within a second neither knows which was first: rather both are closed than both paid.
      return id !== keptId && mode === 'subscription' && created <= kept.created
    })
    for (const one of earlier) await expire(one, call)
  }

  async function expire({ id }: Stripe.Checkout.Session, call: Call): Promise<void> {
    try {
      await session.ask(call, (stripe) => stripe.checkout.sessions.expire(id))
    } catch (error) {
      if (!(error instanceof ProviderError) || error.outcome !== 'rejected') throw error
      const { status } = await session.ask(call, (stripe) => stripe.checkout.sessions.retrieve(id))
      // Else somebody was faster, with the payment or with this.
      if (status === 'open') throw error
    }
  }
}
