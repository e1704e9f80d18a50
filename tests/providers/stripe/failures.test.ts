import { createServer } from 'node:http'
import { inspect } from 'node:util'
import type { Stripe } from 'stripe'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BillingProvider } from '../../../activities/ports.ts'
import { createStripe } from '../../../providers/stripe/client.ts'
import { portOf } from '../../support/free-ports.ts'
import { failureOf } from '../../support/provider-failures.ts'
import { neverAborted } from '../../support/resend.ts'
import { billingOn, openStripe, planOfPrice, type StripeWorld } from '../../support/stripe.ts'

let world: StripeWorld
let stripe: Stripe
let billing: BillingProvider

beforeEach(async () => {
  world = await openStripe()
  ;({ stripe } = world)
  billing = billingOn(world.sandbox)
})
afterEach(() => world[Symbol.asyncDispose]())

describe('a failure is classed by what it leaves behind:', () => {
  const stripes = (type: string, code?: string) => ({ error: { type, code, message: 'No such customer: Ann' } })

  test.each([
    [429, stripes('invalid_request_error', 'rate_limit'), 'retryAfter', 'rate_limited', 1_000],
    [429, stripes('invalid_request_error', 'lock_timeout'), 'retryAfter', 'locked', 1_000],
    [429, 'Too Many Requests', 'retryAfter', 'rate_limited', 1_000],
    [401, stripes('invalid_request_error'), 'rejected', 'invalid_credentials'],
    [403, stripes('invalid_request_error'), 'rejected', 'invalid_credentials'],
    [404, stripes('invalid_request_error', 'resource_missing'), 'rejected', 'no_such_customer'],
    [400, stripes('invalid_request_error', 'parameter_unknown'), 'rejected', 'invalid_request'],
    [400, stripes('idempotency_error'), 'rejected', 'idempotency_mismatch'],
    [
      402,
      { error: { type: 'card_error', code: 'card_declined', decline_code: 'fraudulent' } },
      'rejected',
      'fraudulent',
    ],
    // Without a `decline_code`, as Stripe says it.
    [402, stripes('card_error', 'subscription_payment_intent_requires_action'), 'rejected', 'authentication_required'],
    [402, stripes('card_error', 'invoice_payment_intent_requires_action'), 'rejected', 'authentication_required'],
    [402, stripes('card_error', 'incorrect_cvc'), 'rejected', 'incorrect_cvc'],
    [402, stripes('card_error'), 'rejected', 'card_declined'],
    [409, stripes('idempotency_error', 'idempotency_key_in_use'), 'retry', 'call_under_way'],
    [500, stripes('api_error'), 'unconfirmed', 'http_500'],
    [502, '<html>Bad Gateway</html>', 'retry', 'http_502'],
    [503, { message: 'no healthy upstream' }, 'retry', 'http_503'],
    [302, 'elsewhere', 'retry', 'unexpected_answer'],
    [200, 'done!', 'retry', 'unexpected_answer'],
  ])('%i %j is %s, %s', async (status, body, outcome, code, retryAfterMs?: number) => {
    await using stub = answering(status, body)
    const error = await failureOf(stub.client.createCustomer(ann, 'customer/1', neverAborted))
    expect(error).toMatchObject({ outcome, code, retryAfterMs })
    expect(inspect(error)).not.toContain('Ann')
  })

  test('what only reads is asked again after any failure', async () => {
    await using stub = answering(500, stripes('api_error'))
    const error = await failureOf(stub.client.fetchAccount('cus_1', planOfPrice, neverAborted))
    expect(error).toMatchObject({ outcome: 'retry', code: 'http_500' })
  })

  test('an account that is read from an answer that is none fails', async () => {
    await using stub = answering(200, {})
    const error = await failureOf(stub.client.fetchAccount('cus_1', planOfPrice, neverAborted))
    expect(error).toMatchObject({ outcome: 'retry', code: 'unexpected_answer' })
  })

  test.each([
    ['timeout', 'timeout'],
    ['reset', 'network'],
    ['accept-then-drop', 'network'],
  ] as const)('after a %s the same call may be repeated', async (kind, code) => {
    await world.sandbox.addFault({ provider: 'stripe', kind, count: 1 })
    const client = billingOn(world.sandbox, { timeoutMs: 300 })
    const error = await failureOf(client.createCustomer(ann, 'customer/1', neverAborted))
    expect(error).toMatchObject({ outcome: 'retry', code })
    const { customerId } = await client.createCustomer(ann, 'customer/1', neverAborted)
    expect((await stripe.customers.list()).data.map(({ id }) => id)).toEqual([customerId])
  })

  test('Stripe says when to come back', async () => {
    await world.sandbox.addFault({ provider: 'stripe', kind: 'status', status: 429, retryAfterSeconds: 7, count: 1 })
    const error = await failureOf(billing.createCustomer(ann, 'customer/1', neverAborted))
    expect(error).toMatchObject({ outcome: 'retryAfter', retryAfterMs: 7_000 })
  })

  test('where nobody answers, nothing has happened', async () => {
    const client = createStripe({ secretKey: 'sk_test_x', baseUrl: 'http://127.0.0.1:1' })
    const error = await failureOf(client.createCustomer(ann, 'customer/1', neverAborted))
    expect(error).toMatchObject({ outcome: 'retry', code: 'network' })
  })

  test('a call ends when it is given up', async () => {
    await world.sandbox.addFault({ provider: 'stripe', kind: 'timeout' })
    const giving = new AbortController()
    const client = billingOn(world.sandbox, { timeoutMs: 600_000 })
    const called = failureOf(client.createCustomer(ann, 'customer/1', giving.signal))
    giving.abort()
    expect(await called).toMatchObject({ outcome: 'retry', code: 'aborted' })
  })

  test('a key that is none is nobody to talk to', async () => {
    const error = await failureOf(
      billingOn(world.sandbox, { secretKey: 'sk_test_wrong' }).createCustomer(ann, 'customer/1', neverAborted),
    )
    expect(error).toMatchObject({ outcome: 'rejected', code: 'invalid_credentials' })
  })
})

const ann = { organisationId: 'org-1', name: 'Ann', email: 'ann@example.com' }

function answering(status: number, body: unknown) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const server = createServer((_, response) => response.writeHead(status).end(text)).listen(0)
  const client = createStripe({ secretKey: 'sk_test_x', baseUrl: `http://127.0.0.1:${portOf(server)}` })
  return { client, [Symbol.asyncDispose]: async () => void server.close() }
}
