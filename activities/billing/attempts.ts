import { isUnconfirmed, ProviderError } from '../ports.ts'

/** Below the time that an activity has. */
const providerMs = 30_000

/** Ends what a provider takes too long for. */
export const inTime = (): AbortSignal => AbortSignal.timeout(providerMs)

/** A provider that has stored a failure of its own under a key would answer with it for a day: it is asked under another. */
export const keyOf = (key: string, attempt: number): string => (attempt === 1 ? key : `${key}/again/${attempt}`)

/** Throws what an attempt has failed with: one that nobody knows the outcome of is repeated, once `next` has moved on to the next key. */
export async function tryAgain(error: unknown, next: () => Promise<void>): Promise<never> {
  if (!isUnconfirmed(error)) throw error
  await next()
  throw new ProviderError(error.provider, 'retry', error.code)
}
