import { type BillingProvider, ProviderError } from '../ports.ts'

/** Below the patience of whoever waits for a process to start. */
const providerMs = 10_000

/**
 * Throws for prices that the provider does not know or does not sell: whoever bought one of them would be told so only at the checkout. `unknown` when
 * the provider gives no answer: what it sells can be asked later, and stories under way must go on.
 */
export async function assertPricesAreKnown(
  billing: Pick<BillingProvider, 'unknownPrices'>,
  prices: Readonly<Record<string, string>>,
): Promise<'known' | 'unknown'> {
  const entries = Object.entries(prices)
  if (entries.length === 0) return 'known'
  let unknown: string[]
  try {
    unknown = await billing.unknownPrices(
      entries.map(([, id]) => id),
      AbortSignal.timeout(providerMs),
    )
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error
    if (error.outcome !== 'rejected') return 'unknown'
    throw new Error(`Stripe refuses to tell its prices (${error.code}): check STRIPE_SECRET_KEY.`, { cause: error })
  }
  const wrong = entries.filter(([, id]) => unknown.includes(id)).map(([setting, id]) => `${setting}=${id}`)
  if (wrong.length === 0) return 'known'
  throw new Error(
    `Stripe knows no such price, or does not sell it: ${wrong.join(', ')}. Set the id of an active price of the account.`,
  )
}
