import { assertPricesAreKnown } from '../activities/billing/price-check.ts'
import { type BillingProvider, ProviderError } from '../activities/ports.ts'
import { type Config, providerMode } from '../config.ts'
import type { Logger } from '../log.ts'
import { createStripe } from '../providers/stripe/client.ts'

/** Who takes money; null without a key, outside of the sandbox. */
export function createBilling(config: Config): BillingProvider | null {
  const { secretKey, baseUrl } = config.stripe
  return providerMode(config, 'stripe') === 'off'
    ? null
    : createStripe({ secretKey: secretKey ?? 'sk_test_sandbox', baseUrl })
}

/** The same for the worker: without a key everything is refused, and whoever has bought something waits until there is one. */
export function billingOrRefusal(config: Config): BillingProvider {
  return createBilling(config) ?? refusing('no_key')
}

/** Refuses everything, by this code. */
export function refusing(code: string): BillingProvider {
  const refuse = () => Promise.reject(new ProviderError('stripe', 'rejected', code))
  return {
    createCustomer: refuse,
    fetchAccount: refuse,
    unknownPrices: refuse,
    startCheckout: refuse,
    expireCheckouts: refuse,
    openPortal: refuse,
    previewChange: refuse,
    changePrice: refuse,
    cancel: refuse,
    useCard: refuse,
    finalizeInvoice: refuse,
    payInvoice: refuse,
    refund: refuse,
    buyNow: refuse,
    listInvoices: refuse,
    reportUsage: refuse,
    listSubscribers: refuse,
  }
}

/** Throws for prices that are not for sale; where that cannot be asked now, the worker begins all the same. */
export async function checkPrices(config: Config, billing: BillingProvider, log: Logger): Promise<void> {
  if (providerMode(config, 'stripe') === 'off') return
  const answer = await assertPricesAreKnown(billing, config.stripe.prices)
  if (answer === 'unknown') log.warn('Stripe gave no answer: whether it sells the prices of the catalogue is not known')
}
