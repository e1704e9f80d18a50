import type { z } from 'zod'
import type { CardError, PaymentIntent } from './sandbox-money-objects.ts'

interface ErrorBody {
  type: 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error'
  message: string
  code?: string | undefined
  param?: string | undefined
  decline_code?: string | undefined
  advice_code?: string | undefined
  charge?: string | undefined
  payment_intent?: PaymentIntent | undefined
}

/** Why Stripe doesn't do what it is asked for. What was done so far is undone, unless it `keeps` it. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly error: ErrorBody
  readonly keeps: boolean

  constructor(status: number, error: ErrorBody, keeps = false) {
    super(error.message)
    this.status = status
    this.error = error
    this.keeps = keeps
  }
}

export function invalid(message: string, more: { code?: string; param?: string } = {}): Refusal {
  return new Refusal(400, { type: 'invalid_request_error', message, ...more })
}

/** `what` as Stripe's messages name it: 'customer'. */
export function missing(what: string, id: string, param = 'id'): Refusal {
  const status = param === 'id' ? 404 : 400
  const message = `No such ${what}: '${id}'`
  return new Refusal(status, { type: 'invalid_request_error', code: 'resource_missing', message, param })
}

/** A payment that was tried stays tried, though the answer is a refusal. */
export function declined(error: CardError, intent: PaymentIntent | null, keeps: boolean): Refusal {
  const about = intent && { charge: intent.latest_charge ?? undefined, payment_intent: intent }
  return new Refusal(402, { ...error, ...about }, keeps)
}

/** The first thing that is wrong with the parameters. */
export function wrongParameters(error: z.ZodError): Refusal {
  const issue = firstOf(error.issues)
  if (issue === undefined) return invalid('Invalid request.')
  const name = ([first = '', ...rest]: PropertyKey[]) =>
    `${String(first)}${rest.map((part) => `[${String(part)}]`).join('')}`
  if (issue.code === 'unrecognized_keys') {
    const param = name([...issue.path, issue.keys[0] ?? ''])
    return invalid(`Received unknown parameter: ${param}`, { code: 'parameter_unknown', param })
  }
  const param = name(issue.path)
  if (issue.code === 'invalid_type' && issue.input === undefined) {
    return invalid(`Missing required param: ${param}.`, { code: 'parameter_missing', param })
  }
  return invalid(`Invalid ${param}: ${issue.message}`, { code: 'parameter_invalid', param })
}

/** Of alternatives, what is wrong with the last: the first is often the empty text that takes a value away. */
function firstOf(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue | undefined {
  const [issue] = issues
  if (issue?.code !== 'invalid_union') return issue
  const inner = firstOf(issue.errors.at(-1) ?? [])
  return inner && { ...inner, path: [...issue.path, ...inner.path] }
}
