import { Stripe } from 'stripe'
import { z } from 'zod'
import { ProviderError } from '../../activities/ports.ts'

/** What a call is about: that is what is missing where Stripe names no parameter. */
export type Subject = 'card' | 'customer' | 'invoice' | 'payment' | 'price' | 'subscription'

/** A bank's no, or that there is nothing to pay by: whoever asks for money takes it as a result. */
export class Decline extends ProviderError {
  constructor(code: string) {
    super('stripe', 'rejected', code)
  }
}

export interface Circumstances {
  about: Subject
  /** Whether the answer is kept under a key of ours, even if it is a failure. */
  isKept: boolean
  signal: AbortSignal
}

/**
 * What a failure of the SDK's means. Without an answer the same call may be repeated: it goes under a key, or does no harm. Nor is what stands before
 * Stripe kept under a key. A failure of Stripe's own is, and would be given again for a day.
 */
export function failureOf(error: unknown, { about, isKept, signal }: Circumstances): ProviderError {
  if (error instanceof ProviderError) return error
  if (signal.aborted) return failed('retry', 'aborted')
  // Something was read in the answer that is not there.
  if (!(error instanceof Stripe.errors.StripeError)) return unexpectedAnswer()
  if (error instanceof Stripe.errors.StripeConnectionError) {
    return failed('retry', TimedOut.safeParse(error).success ? 'timeout' : 'network')
  }
  const { statusCode: status = 0, code, rawType } = error
  if (status === 402) return new Decline(declineCode(error))
  if (status === 429) {
    return failed(
      'retryAfter',
      code === 'lock_timeout' ? 'locked' : 'rate_limited',
      retryAfterMs(error) ?? shortPauseMs,
    )
  }
  if (status === 401 || status === 403) return failed('rejected', 'invalid_credentials')
  if (status === 409) return failed('retry', 'call_under_way')
  if (rawType === 'idempotency_error') return failed('rejected', 'idempotency_mismatch')
  if (status >= 500) return failed(isKept && rawType === 'api_error' ? 'unconfirmed' : 'retry', `http_${status}`)
  return status < 400 ? unexpectedAnswer() : refusalOf(error, about)
}

export function unexpectedAnswer(): ProviderError {
  return failed('retry', 'unexpected_answer')
}

export function rejected(code: string): ProviderError {
  return failed('rejected', code)
}

const shortPauseMs = 1_000

const TimedOut = z.object({ detail: z.object({ code: z.literal('ETIMEDOUT') }) })

const nothingToPayBy = 'no_payment_method'

/** Said to whoever charges while the person is there; else it comes as a decline. */
const asksForPerson: ReadonlySet<string> = new Set([
  'invoice_payment_intent_requires_action',
  'payment_intent_action_required',
  'subscription_payment_intent_requires_action',
])

/** A charge that was not tried to the end has no decline code, for which the SDK has the empty text. */
function declineCode({ code = '', decline_code: decline = '' }: Stripe.errors.StripeError): string {
  if (code === 'missing') return nothingToPayBy
  return asksForPerson.has(code) ? 'authentication_required' : decline || code || 'card_declined'
}

/** What somebody can mend, in words of ours. */
const refusals: Record<string, string> = {
  amount_too_large: 'amount_too_large',
  charge_already_refunded: 'already_refunded',
  charge_disputed: 'payment_disputed',
  duplicate_meter_event: 'reported_already',
  invoice_already_paid: 'not_open',
  invoice_not_payable: 'not_open',
  resource_already_exists: 'reported_already',
}

function refusalOf({ statusCode, code, param }: Stripe.errors.StripeError, about: Subject): ProviderError {
  const known = code === undefined ? undefined : refusals[code]
  if (known !== undefined) return failed('rejected', known)
  // Nothing is missing that was named: the customer has nothing to pay by.
  if (code === 'resource_missing' && statusCode === 400 && param === undefined) return new Decline(nothingToPayBy)
  if (code === 'resource_missing' || statusCode === 404) {
    return failed('rejected', `no_such_${subjects.find(([name]) => name.test(param ?? ''))?.[1] ?? about}`)
  }
  return failed('rejected', 'invalid_request')
}

const subjects: [RegExp, Subject][] = [
  [/price/, 'price'],
  [/payment_method|source/, 'card'],
  [/charge|payment_intent/, 'payment'],
  [/customer/, 'customer'],
  [/subscription/, 'subscription'],
  [/invoice/, 'invoice'],
]

const Headers = z.object({ headers: z.object({ 'retry-after': z.string().regex(/^\d+$/) }) })

function retryAfterMs(error: unknown): number | undefined {
  const { data } = Headers.safeParse(error)
  return data && Number(data.headers['retry-after']) * 1_000
}

function failed(
  outcome: ConstructorParameters<typeof ProviderError>[1],
  code: string,
  afterMs?: number,
): ProviderError {
  return new ProviderError('stripe', outcome, code, afterMs)
}
