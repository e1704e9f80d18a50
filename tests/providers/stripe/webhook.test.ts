import * as fc from 'fast-check'
import { Stripe } from 'stripe'
import { describe, expect, test } from 'vitest'
import { BadSignature } from '../../../activities/ports.ts'
import { createStripeWebhooks } from '../../../providers/stripe/webhook.ts'
import { stripeSecret as secret } from '../../support/stripe.ts'

const now = new Date('2026-11-21T10:00:00Z')
const nowSeconds = now.getTime() / 1000
const read = createStripeWebhooks({ secret })

function signatureOf(payload: string, changes: { timestamp?: number; secret?: string; scheme?: string } = {}): string {
  return Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp: nowSeconds, ...changes })
}

function deliver(body: string | Buffer, signature = signatureOf(body.toString())) {
  const [event] = read(Buffer.from(body), { 'stripe-signature': signature }, now)
  if (!event) throw new Error('one delivery is one event')
  return event
}

const snapshot = (type: string, object: unknown, more: Record<string, unknown> = {}) => ({
  id: 'evt_1',
  object: 'event',
  type,
  created: nowSeconds - 2,
  data: { object, ...more },
})
const say = (event: unknown) => deliver(JSON.stringify(event))
const factOf = (type: string, object: unknown, more?: Record<string, unknown>) => say(snapshot(type, object, more)).fact
const billing = (customerId: string | null, ...paymentIds: string[]) => ({ kind: 'billing', customerId, paymentIds })

describe('an event', () => {
  test("is known by Stripe's id of it, and keeps what came", () => {
    const event = snapshot('invoice.paid', { object: 'invoice', customer: 'cus_1' })
    expect(say(event)).toEqual({
      id: 'evt_1',
      type: 'invoice.paid',
      occurredAt: new Date('2026-11-21T09:59:58Z'),
      payload: event,
      fact: billing('cus_1'),
    })
  })

  test.each([
    ['customer.updated', { object: 'customer', id: 'cus_1' }, billing('cus_1')],
    ['customer.subscription.deleted', { object: 'subscription', id: 'sub_1', customer: 'cus_1' }, billing('cus_1')],
    ['customer.subscription.updated', { object: 'subscription', customer: { id: 'cus_1' } }, billing('cus_1')],
    [
      'checkout.session.completed',
      { object: 'checkout.session', customer: 'cus_1', payment_intent: 'pi_1' },
      billing('cus_1', 'pi_1'),
    ],
    ['checkout.session.expired', { object: 'checkout.session', customer: null, payment_intent: null }, null],
    [
      'invoice.paid',
      { object: 'invoice', customer: 'cus_1', payments: { data: [{ payment: { payment_intent: 'pi_1' } }, 7] } },
      billing('cus_1', 'pi_1'),
    ],
    [
      'invoice_payment.paid',
      { object: 'invoice_payment', invoice: 'in_1', payment: { payment_intent: 'pi_1', type: 'payment_intent' } },
      billing(null, 'pi_1'),
    ],
    [
      'payment_intent.succeeded',
      { object: 'payment_intent', id: 'pi_1', customer: 'cus_1', latest_charge: 'ch_1' },
      billing('cus_1', 'pi_1', 'ch_1'),
    ],
    [
      'charge.refunded',
      { object: 'charge', id: 'ch_1', customer: null, payment_intent: 'pi_1' },
      billing(null, 'ch_1', 'pi_1'),
    ],
    [
      'refund.updated',
      { object: 'refund', id: 're_1', charge: 'ch_1', payment_intent: 'pi_1' },
      billing(null, 'pi_1', 'ch_1'),
    ],
    [
      'charge.dispute.created',
      { object: 'dispute', id: 'du_1', charge: { id: 'ch_1' }, payment_intent: 'pi_1' },
      billing(null, 'pi_1', 'ch_1'),
    ],
    ['payment_method.attached', { object: 'payment_method', customer: 'cus_1' }, billing('cus_1')],
    ['something.new', { object: 'something', customer: 'cus_1' }, billing('cus_1')],
    ['test_helpers.test_clock.ready', { object: 'test_helpers.test_clock', id: 'clock_1' }, null],
    ['something.odd', { customer: 7, charge: ['ch_1'], payments: { data: 'x' }, payment_intent: 'pi_\0' }, null],
    ['something.bare', null, null],
  ])('%s about %o says %o', (type, object, fact) => expect(factOf(type, object)).toEqual(fact))

  test('of a card that was taken off says whose it was', () => {
    const card = { object: 'payment_method', id: 'pm_1', customer: null }
    const before = { previous_attributes: { customer: 'cus_1' } }
    expect(factOf('payment_method.detached', card, before)).toEqual(billing('cus_1'))
    expect(factOf('payment_method.detached', card)).toBeNull()
  })

  test('that is thin says no more than what it is about', () => {
    const thin = (type: string, related: unknown) =>
      say({
        id: 'evt_thin',
        object: 'v2.core.event',
        type,
        created: '2026-11-21T09:59:58.123Z',
        related_object: related,
      })
    const meter = thin('v1.billing.meter.error_report_triggered', { id: 'mtr_1', type: 'billing.meter', url: '/' })
    expect(meter).toMatchObject({ id: 'evt_thin', occurredAt: new Date('2026-11-21T09:59:58.123Z'), fact: null })
    expect(thin('v1.customer.updated', { id: 'cus_1', type: 'customer' }).fact).toEqual(billing('cus_1'))
    expect(thin('v1.charge.refunded', { id: 'ch_1', type: 'charge' }).fact).toEqual(billing(null, 'ch_1'))
    expect(thin('v1.billing.meter.no_meter_found', null).fact).toBeNull()
  })

  test.each(['nonsense', 'null', '[]', '7', '{}', '{"id":7,"type":"\\u0000","created":1e300}', '\ufeff{}'])(
    'of %o, if it is signed, is kept under a name of its own, and says nothing',
    (odd) => {
      const event = deliver(odd)
      expect(event).toMatchObject({ type: 'unknown', occurredAt: now, fact: null })
      expect(event.id).toMatch(/^[\da-f]{64}$/)
      expect(deliver(odd).id).toBe(event.id)
    },
  )

  test('whatever is in it is read without an error, and names only what can be stored', () => {
    const object = fc.record(
      {
        object: fc.oneof(fc.constantFrom('customer', 'charge', 'payment_intent', 'invoice'), fc.jsonValue()),
        id: fc.jsonValue(),
        customer: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
        payment_intent: fc.jsonValue(),
        charge: fc.jsonValue(),
        payments: fc.oneof(fc.jsonValue(), fc.record({ data: fc.array(fc.jsonValue()) })),
      },
      { requiredKeys: [] },
    )
    const body = fc.oneof(
      fc.json(),
      fc.string({ unit: 'binary' }),
      fc
        .record(
          {
            id: fc.jsonValue(),
            object: fc.constantFrom('event', 'v2.core.event', null),
            type: fc.jsonValue(),
            created: fc.oneof(fc.double(), fc.jsonValue()),
            data: fc.oneof(fc.jsonValue(), fc.record({ object, previous_attributes: fc.jsonValue() })),
            related_object: fc.oneof(fc.jsonValue(), object),
          },
          { requiredKeys: [] },
        )
        .map((event) => JSON.stringify(event)),
    )
    fc.assert(
      fc.property(body, (text) => {
        // What is not Unicode does not survive being bytes, and nothing at all is no event.
        const { id, type, occurredAt, fact } = deliver(Buffer.from(text || ' ').toString())
        expect(id).toMatch(/^[\w-]{1,255}$/)
        expect(type).toMatch(/^[\w.-]{1,200}$/)
        expect(occurredAt.getTime()).not.toBeNaN()
        const named = fact?.kind === 'billing' ? [fact.customerId ?? [], fact.paymentIds].flat() : []
        expect(named.length > 0).toBe(fact !== null)
        for (const one of named) expect(one).toMatch(/^[\w-]{1,255}$/)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('a delivery', () => {
  const body = JSON.stringify(snapshot('invoice.paid', { object: 'invoice', customer: 'cus_1' }))
  const signature = signatureOf(body)
  const v1 = signature.slice(signature.indexOf('v1='))

  test('is believed by any of several signatures, while a secret is being replaced', () => {
    const other = signatureOf(body, { secret: 'whsec_another_secret_of_it' }).split(',')[1]
    expect(deliver(body, `t=${nowSeconds},${other},${v1}`).id).toBe('evt_1')
    expect(deliver(body, `t=${nowSeconds},${v1},${other}`).id).toBe('evt_1')
    expect(deliver(body, `t=${nowSeconds},v0=${'0'.repeat(64)},${v1}`).id).toBe('evt_1')
  })

  test('is believed five minutes before and after it was signed, by our clock', () => {
    for (const seconds of [-300, 300]) {
      expect(deliver(body, signatureOf(body, { timestamp: nowSeconds + seconds })).id).toBe('evt_1')
    }
    for (const seconds of [-301, 301, -86_400, 86_400]) {
      expect(() => deliver(body, signatureOf(body, { timestamp: nowSeconds + seconds }))).toThrow(BadSignature)
    }
  })

  test.each([
    ['without a signature', ''],
    ['with a time alone', `t=${nowSeconds}`],
    ['without a time', v1],
    ['at no time', `t=now,${v1}`],
    ['at two times', `t=${nowSeconds + 1},${signature}`],
    ['at another time', `t=${nowSeconds - 1},${v1}`],
    ['with an empty one', `t=${nowSeconds},v1=`],
    ['with none at all', `t=${nowSeconds},v1`],
    ['with one of an unknown kind', signature.replace('v1=', 'v2=')],
    ['with one that is too long', `${signature}0`],
    ['with one that is no hex', `t=${nowSeconds},v1=${'ü'.repeat(64)}`],
    ['under another secret', signatureOf(body, { secret: 'whsec_another_secret_of_it' })],
    ['of another body', signatureOf(`${body} `)],
  ])('%s is refused', (_what, header) => {
    expect(() => deliver(body, header)).toThrow(BadSignature)
    expect(() => read(Buffer.from(body), {}, now)).toThrow(BadSignature)
  })

  test('of nothing is refused', () => expect(() => deliver('')).toThrow(BadSignature))

  test('of bytes that are no text is refused, signed as text or not', () => {
    const bytes = Buffer.from([0xff, 0xfe])
    expect(() => deliver(bytes, signatureOf('\ufffd\ufffd'))).toThrow(BadSignature)
  })
})
