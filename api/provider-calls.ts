import { ProviderError } from '../activities/ports.ts'
import { Problem, type ProblemCode } from './problem.ts'

/** Shorter than a caller waits, longer than a provider takes. */
const callMs = 20_000

/** What a refusal of the provider's means for the one who asks, by our code for it. */
export type Refusals = Readonly<Record<string, readonly [ProblemCode, detail: string, pointer?: string]>>

/** Asks a provider while somebody waits for the answer. What goes wrong there becomes a problem: 503 when asking again may help. */
export async function askProvider<T>(call: (signal: AbortSignal) => Promise<T>, refusals: Refusals): Promise<T> {
  const signal = AbortSignal.timeout(callMs)
  try {
    return await call(signal)
  } catch (error) {
    if (error instanceof ProviderError) throw problemOf(error, refusals)
    throw signal.aborted ? away(5, signal.reason) : error
  }
}

/**
 * The same for what changes something, under the key of the act. A provider may keep its own failure under a key; then it is asked once more, under one
 * that is another in the next minute, so that nobody runs against the same failure for ever. Only for what does no harm done twice.
 */
export function askUnderKey<T>(
  { key, now, refusals }: { key: string; now: Date; refusals: Refusals },
  call: (key: string, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return askProvider(async (signal) => {
    try {
      return await call(key, signal)
    } catch (error) {
      if (!(error instanceof ProviderError) || !isTakenUp(error)) throw error
      return call(`${key}/${now.toISOString().slice(0, 16)}`, signal)
    }
  }, refusals)
}

/** Whether the key is of no use any more: it holds a failure, or what was asked then was something else. */
function isTakenUp({ outcome, code }: ProviderError): boolean {
  return outcome === 'unconfirmed' || code === 'idempotency_mismatch'
}

const ownFault = [
  'not_allowed_now',
  'The payment provider does not take our key: STRIPE_SECRET_KEY has to be mended.',
] as const

function problemOf(error: ProviderError, refusals: Refusals): Problem {
  if (error.outcome !== 'rejected') return away(Math.ceil((error.retryAfterMs ?? 5_000) / 1_000), error)
  const known = error.code === 'invalid_credentials' ? ownFault : refusals[error.code]
  const [code, detail, pointer] = known ?? ['wrong_state', `The payment provider refuses this: ${error.code}.`]
  return new Problem(code, detail, { errors: pointer === undefined ? [] : [{ pointer, detail }], cause: error })
}

function away(seconds: number, cause: unknown): Problem {
  const detail = 'The payment provider does not answer, or asks for patience. It is safe to ask again.'
  return new Problem('temporarily_unavailable', detail, { headers: { 'retry-after': String(seconds) }, cause })
}
