import { expect, test } from 'vitest'
import { assertPricesAreKnown } from '../../../activities/billing/price-check.ts'
import { ProviderError } from '../../../activities/ports.ts'

const prices = { STRIPE_PRICE_SCOUT: 'price_scout', STRIPE_PRICE_HUNTER: 'price_gone' }
const asking = (unknownPrices: () => Promise<string[]>) => assertPricesAreKnown({ unknownPrices }, prices)

test('a price that the provider does not know is named with its setting', async () => {
  await expect(asking(() => Promise.resolve(['price_gone']))).rejects.toThrow('STRIPE_PRICE_HUNTER=price_gone')
})

test('a key that is refused is named', async () => {
  const refused = () => Promise.reject(new ProviderError('stripe', 'rejected', 'invalid_credentials'))
  await expect(asking(refused)).rejects.toThrow('STRIPE_SECRET_KEY')
})

test('a provider that is away keeps nobody from starting', async () => {
  expect(await asking(() => Promise.reject(new ProviderError('stripe', 'retry', 'unreachable')))).toBe('unknown')
  expect(await asking(() => Promise.resolve([]))).toBe('known')
})
