import { type BillingProvider, ProviderError } from '../../activities/ports.ts'
import { readAccount } from './account.ts'
import { createCharges, mark } from './charges.ts'
import { createCheckouts } from './checkouts.ts'
import { billingOf } from './facts.ts'
import { createInvoiceList } from './invoices.ts'
import { createPlanChanges } from './plan-changes.ts'
import { createPurchases } from './purchases.ts'
import { digest, openSession } from './session.ts'
import { idOf } from './values.ts'

interface StripeSettings {
  secretKey: string
  /** `https://api.stripe.com`, or where a sandbox answers in its place. */
  baseUrl?: string | undefined
  /** Of one call; a bank may take its time. */
  timeoutMs?: number | undefined
  /** By which an invoice that somebody pays by themselves is overdue, in ms since the epoch. */
  now?: (() => number) | undefined
  fetch?: typeof globalThis.fetch | undefined
}

/** So many prices are asked for at once. */
const atOnce = 5

/** A meter event's identifier is no longer than this. */
const mostIdentifier = 100

/** Billing through Stripe. */
export function createStripe(settings: StripeSettings): BillingProvider {
  const { secretKey, baseUrl = 'https://api.stripe.com', timeoutMs = 30_000, now = Date.now } = settings
  const session = openSession({ secretKey, baseUrl, timeoutMs, fetch: settings.fetch ?? globalThis.fetch })

  return {
    ...createCharges(session),
    ...createCheckouts(session),
    ...createInvoiceList(session),
    ...createPlanChanges(session),
    ...createPurchases(session),

    async createCustomer({ organisationId, name, email }, key, signal) {
      const metadata = { organisation_id: organisationId, act_key: mark(key) }
      const { id } = await session.act({ about: 'customer', signal }, key, (stripe, options) =>
        stripe.customers.create({ name, ...(email !== null && { email }), metadata }, options),
      )
      return { customerId: id }
    },

    async fetchAccount(customerId, plans, signal) {
      const at = now()
      const account = await readAccount(session, customerId, at, signal)
      return account && billingOf(account, plans, at)
    },

    async unknownPrices(priceIds, signal) {
      const unknown: string[] = []
      for (let from = 0; from < priceIds.length; from += atOnce) {
        const some = priceIds.slice(from, from + atOnce)
        const forSale = await Promise.all(some.map((id) => isForSale(id, signal)))
        unknown.push(...some.filter((_, index) => !forSale[index]))
      }
      return unknown
    },

    async openPortal({ customerId, returnUrl }, signal) {
      // A second page does no harm.
      const { url } = await session.ask({ about: 'customer', signal }, (stripe) =>
        stripe.billingPortal.sessions.create({ customer: customerId, return_url: returnUrl }),
      )
      return { url }
    },

    async reportUsage({ customerId, meter, value, identifier, at }, signal) {
      const payload = { stripe_customer_id: customerId, value: String(value) }
      const known = identifier.length > mostIdentifier ? digest(identifier) : identifier
      const event = { event_name: meter, payload, identifier: known, timestamp: Math.floor(at / 1_000) }
      try {
        await session.ask({ about: 'customer', signal }, (stripe) => stripe.billing.meterEvents.create(event))
      } catch (error) {
        if (!(error instanceof ProviderError) || error.code !== 'reported_already') throw error
      }
    },

    async listSubscribers({ limit, after }, signal) {
      const place = { limit, ...(after !== null && { starting_after: after }) }
      const { data, has_more: hasMore } = await session.ask({ about: 'subscription', signal }, (stripe) =>
        stripe.subscriptions.list(place),
      )
      const subscribers = data.map(({ id, customer }) => ({ customerId: idOf(customer), subscriptionId: id }))
      return { subscribers, after: hasMore ? (subscribers.at(-1)?.subscriptionId ?? null) : null }
    },
  }

  async function isForSale(id: string, signal: AbortSignal): Promise<boolean> {
    try {
      const { active, product } = await session.ask({ about: 'price', signal }, (stripe) =>
        stripe.prices.retrieve(id, { expand: ['product'] }),
      )
      return active && typeof product !== 'string' && !product.deleted && product.active
    } catch (error) {
      if (error instanceof ProviderError && error.code === 'no_such_price') return false
      throw error
    }
  }
}
