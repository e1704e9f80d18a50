import { Stripe } from 'stripe'
import type { PlanOfPrice } from '../../activities/ports.ts'
import { createStripe } from '../../providers/stripe/client.ts'
import { startTestSandbox, type TestSandbox } from './sandbox.ts'
import { catchWebhooks, type WebhookCatcher } from './webhook-catcher.ts'

export const stripeSecret = `whsec_${Buffer.from('the secret of this Stripe endpoint').toString('base64')}`

/** The prices that the sandbox of a test knows from its start, in cents. */
export const prices = [
  { id: 'price_scout', product: 'Scout', unitAmount: 9_900, currency: 'usd', interval: 'month' },
  { id: 'price_hunter', product: 'Hunter', unitAmount: 24_900, currency: 'usd', interval: 'month' },
  { id: 'price_command_yearly', product: 'Command', unitAmount: 499_000, currency: 'usd', interval: 'year' },
  { id: 'price_pack', product: '1,000 credits', unitAmount: 5_000, currency: 'usd', interval: null },
] as const

/** The real SDK, at the sandbox. */
export function stripeOn(sandbox: TestSandbox, apiKey = 'sk_test_sandbox'): Stripe {
  const { hostname, port } = new URL(sandbox.urls.providers)
  return new Stripe(apiKey, { host: hostname, port, protocol: 'http', maxNetworkRetries: 0, telemetry: false })
}

/** A customer who pays by one of Stripe's test cards. */
export async function aCustomer(stripe: Stripe, card = 'pm_card_visa', changes: Stripe.CustomerCreateParams = {}) {
  return stripe.customers.create({
    email: 'ann@example.com',
    payment_method: card,
    invoice_settings: { default_payment_method: card },
    ...changes,
  })
}

export const seconds = { hour: 3_600, day: 86_400 }

/** Of what the API shows as an id, or as the object if that was asked for. */
export function idOf(shown: string | { id: string } | null | undefined): string {
  if (!shown) throw new Error('there is no id')
  return typeof shown === 'string' ? shown : shown.id
}

/** Stripe, what it is told, and who hears of it. */
export interface StripeWorld extends AsyncDisposable {
  sandbox: TestSandbox
  stripe: Stripe
  catcher: WebhookCatcher
  /** By the sandbox's clock. */
  wait(days: number): Promise<void>
  happen(type: string, details?: Record<string, unknown>): Promise<void>
}

export async function openStripe(): Promise<StripeWorld> {
  const catcher = await catchWebhooks()
  const sandbox = await startTestSandbox({ stripe: { webhook: { url: catcher.url, secret: stripeSecret }, prices } })
  return {
    sandbox,
    stripe: stripeOn(sandbox),
    catcher,
    wait: (days) => sandbox.advanceClock(days * seconds.day),
    happen: (type, details = {}) => sandbox.happen('stripe', { type, ...details }),
    async [Symbol.asyncDispose]() {
      await sandbox.close()
      await catcher[Symbol.asyncDispose]()
    },
  }
}

/** Our client, at the sandbox. */
export function billingOn(sandbox: TestSandbox, changes: Partial<Parameters<typeof createStripe>[0]> = {}) {
  return createStripe({ secretKey: 'sk_test_sandbox', baseUrl: sandbox.urls.providers, timeoutMs: 10_000, ...changes })
}

/** What the prices stand for, in the catalogue of the tests of billing. */
export const planOfPrice: PlanOfPrice = new Map([
  ['price_scout', { planKey: 'scout' }],
  ['price_hunter', { planKey: 'hunter' }],
  ['price_command_yearly', { planKey: 'command' }],
  ['price_pack', { planKey: 'calls-100' }],
])
