import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { loadConfig } from '../../../config.ts'
import { createStripe } from '../../../providers/stripe/client.ts'
import { callEverything } from '../../support/stripe-calls.ts'
import { resolveStripeMock, startStripeMock } from '../../support/stripe-mock.ts'

const mock = await resolveStripeMock(loadConfig())

describe.skipIf(mock.is === 'none')(
  `Stripe's own mock${mock.is === 'none' ? ` (skipped: ${mock.reason})` : ''}`,
  () => {
    test('takes all that our client sends', { timeout: 60_000 }, async () => {
      if (mock.is === 'none') throw new Error(mock.reason)
      await using server = await startStripeMock(mock.path)
      const refused: string[] = []
      const asked = new Set<string>()
      const watching: typeof fetch = async (url, init) => {
        const response = await fetch(url, init)
        const { pathname } = new URL(url instanceof Request ? url.url : url)
        const line = `${init?.method} ${pathname.replaceAll(/\/(?:in|cus|sub|price|pi)_\w+/g, '/{id}')}`
        asked.add(line)
        const text = await response.text()
        if (response.ok) return new Response(JSON.stringify(eventful(line, text)), { status: statusOf(line) })
        refused.push(`${line}: ${text}`)
        return new Response(text, response)
      }
      const billing = createStripe({ secretKey: 'sk_test_mock', baseUrl: server.url, fetch: watching })
      await callEverything(billing, {
        customerId: 'cus_1',
        subscriptionId: 'sub_1',
        openInvoiceId: 'in_1',
        paidInvoiceId: 'in_2',
        paymentId: 'pi_1',
        cardId: 'pm_1',
      })
      expect(refused).toEqual([])
      expect([...asked].toSorted()).toEqual(everything)
    })
  },
)

const Invoice = z.looseObject({ lines: z.looseObject({ data: z.array(z.unknown()) }) })
const Subscription = z.looseObject({ items: z.looseObject({}) })
const list = <T extends z.ZodType>(of: T) => z.looseObject({ data: z.array(of) })

/** The mock answers with examples, in which nothing has happened: in these something has, that is asked about further. */
function eventful(line: string, text: string): unknown {
  const answer: unknown = JSON.parse(text)
  if (line === 'GET /v1/charges') {
    const charges = list(z.looseObject({})).parse(answer)
    return { ...charges, data: charges.data.map((charge) => ({ ...charge, disputed: true, amount_refunded: 1 })) }
  }
  if (line === 'GET /v1/subscriptions') {
    const found = list(Subscription).parse(answer)
    return { ...found, data: found.data.map((one) => ({ ...one, items: { ...one.items, has_more: true } })) }
  }
  if (line === 'GET /v1/subscriptions/{id}') {
    const { latest_invoice: latest, ...subscription } = z.looseObject({ latest_invoice: z.unknown() }).parse(answer)
    const isWhole = typeof latest === 'object' && latest !== null
    return { ...subscription, latest_invoice: isWhole ? { ...latest, status: 'paid' } : latest }
  }
  if (line === 'GET /v1/invoices') {
    const found = list(Invoice).parse(answer)
    return { ...found, data: found.data.map((one) => ({ ...one, lines: { ...one.lines, has_more: true } })) }
  }
  if (line === 'POST /v1/invoices' || line === 'GET /v1/invoices/{id}') {
    const invoice = Invoice.parse(answer)
    const status = line.startsWith('GET') ? 'open' : 'draft'
    return { ...invoice, status, lines: { ...invoice.lines, data: [] } }
  }
  if (line === 'GET /v1/customers/{id}') {
    const customer = z.looseObject({ invoice_settings: z.looseObject({}) }).parse(answer)
    return { ...customer, invoice_settings: { ...customer.invoice_settings, default_payment_method: card } }
  }
  return line === declined ? { error: { type: 'card_error', code: 'card_declined' } } : answer
}

const card = {
  id: 'pm_1',
  object: 'payment_method',
  created: 1,
  customer: 'cus_1',
  card: { brand: 'visa', last4: '4242', exp_month: 12, exp_year: 2030 },
}
const declined = 'POST /v1/invoices/{id}/pay'
const statusOf = (line: string): number => (line === declined ? 402 : 200)

const everything = [
  'DELETE /v1/subscriptions/{id}',
  'GET /v1/charges',
  'GET /v1/checkout/sessions',
  'GET /v1/customers/{id}',
  'GET /v1/disputes',
  'GET /v1/invoice_payments',
  'GET /v1/invoices',
  'GET /v1/invoices/{id}',
  'GET /v1/invoices/{id}/lines',
  'GET /v1/prices/{id}',
  'GET /v1/subscription_items',
  'GET /v1/subscriptions',
  'GET /v1/subscriptions/{id}',
  'POST /v1/billing/meter_events',
  'POST /v1/billing_portal/sessions',
  'POST /v1/checkout/sessions',
  'POST /v1/customers',
  'POST /v1/invoiceitems',
  'POST /v1/invoices',
  'POST /v1/invoices/create_preview',
  'POST /v1/invoices/{id}',
  'POST /v1/invoices/{id}/finalize',
  'POST /v1/invoices/{id}/pay',
  'POST /v1/invoices/{id}/void',
  'POST /v1/refunds',
  'POST /v1/subscriptions/{id}',
]
