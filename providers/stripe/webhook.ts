import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { Stripe } from 'stripe'
import { z } from 'zod'
import { BadSignature, type InboundEvent, type InboundFact, type WebhookReader } from '../../activities/ports.ts'

/** Both ways: the SDK lets pass whatever is yet to come. */
const toleranceSeconds = 300

/**
 * Reads Stripe's webhooks with the endpoint's secret, `whsec_...`: events with a snapshot of what they are about, and thin ones. What is signed is
 * an event, whatever it holds: refused, it would only come again.
 */
export function createStripeWebhooks({ secret }: { secret: string }): WebhookReader {
  return (rawBody, headers, now) => {
    const header = headers['stripe-signature'] ?? ''
    const [[, timestamp] = [], another] = header.matchAll(/(?:^|,)t=(\d{1,12})(?=,|$)/g)
    if (timestamp === undefined || another) throw new BadSignature('the header has not one timestamp')
    if (Number(timestamp) > now.getTime() / 1000 + toleranceSeconds)
      throw new BadSignature('the timestamp is yet to come')
    // What is signed is text: bytes that are none would be replaced before they are compared.
    if (!isUtf8(rawBody)) throw new BadSignature('the body is no text')
    const text = rawBody.toString()
    verify(text, header, secret, now)
    return [eventOf(text, now)]
  }
}

function verify(text: string, header: string, secret: string, now: Date): void {
  const { signature } = Stripe.webhooks
  if (!signature) throw new Error('the SDK has nothing to verify with')
  try {
    signature.verifyHeader(text, header, secret, toleranceSeconds, undefined, now.getTime())
  } catch {
    // Odd headers have it throw other errors than its own.
    throw new BadSignature('no signature fits')
  }
}

/** As Stripe names things. PostgreSQL would refuse NUL. */
const Id = z.string().regex(/^[\w-]{1,255}$/)

const Envelope = z.object({
  object: z.string().catch(''),
  id: Id.nullable().catch(null),
  type: z
    .string()
    .regex(/^[\w.-]{1,200}$/)
    .catch('unknown'),
  /** Of a snapshot in seconds since the epoch, of a thin event ISO 8601. */
  created: z
    .union([z.number().transform((seconds) => seconds * 1000), z.string().transform((text) => Date.parse(text))])
    .catch(Number.NaN),
  data: z.unknown().optional(),
  related_object: z.unknown().optional(),
})

function eventOf(text: string, now: Date): InboundEvent {
  const payload = jsonOf(text)
  const envelope = Envelope.safeParse(payload).data ?? Envelope.parse({})
  const { object, id, type, created, data, related_object: related } = envelope
  const at = new Date(created)
  return {
    // What says not which event it is, is the same event when it says the same.
    id: id ?? createHash('sha256').update(text).digest('hex'),
    type,
    occurredAt: Number.isNaN(at.getTime()) ? now : at,
    payload,
    fact: object === 'v2.core.event' ? factOfThin(related) : factOfSnapshot(data),
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** An id, or the whole of what it names; null for anything else. */
const Ref = z
  .union([Id, z.object({ id: Id }).transform(({ id }) => id)])
  .nullable()
  .catch(null)
const PaidBy = z.object({ payment_intent: Ref, charge: Ref }).nullable().catch(null)

/** Where the objects of Stripe's API name a customer, and payments. */
const Subject = z.object({
  object: z.string().catch(''),
  id: Ref,
  customer: Ref,
  payment_intent: Ref,
  charge: Ref,
  latest_charge: Ref,
  /** Of a payment of an invoice. */
  payment: PaidBy,
  /** Of an invoice. */
  payments: z
    .object({ data: z.array(z.object({ payment: PaidBy }).nullable().catch(null)) })
    .nullable()
    .catch(null),
})
const Snapshot = z.object({ object: Subject, previous_attributes: z.object({ customer: Ref }).nullable().catch(null) })

function factOfSnapshot(data: unknown): InboundFact | null {
  const parsed = Snapshot.safeParse(data)
  if (!parsed.success) return null
  const { object: subject, previous_attributes: before } = parsed.data
  const named = ofKind(subject.object, subject.id)
  const payments = [subject, subject.payment, ...(subject.payments?.data ?? []).map((one) => one?.payment)]
  return factOf(
    // A card that was taken off says only in what has changed whose it was.
    named.customerId ?? subject.customer ?? before?.customer ?? null,
    [
      ...named.paymentIds,
      ...payments.flatMap((one) => [one?.payment_intent ?? null, one?.charge ?? null]),
      subject.latest_charge,
    ],
  )
}

const Related = z.object({ type: z.string(), id: Id })

/** A thin event names what it is about, and nothing besides. */
function factOfThin(related: unknown): InboundFact | null {
  const { data } = Related.safeParse(related)
  if (!data) return null
  const { customerId, paymentIds } = ofKind(data.type, data.id)
  return factOf(customerId, paymentIds)
}

function ofKind(kind: string, id: string | null): { customerId: string | null; paymentIds: (string | null)[] } {
  const isPayment = kind === 'payment_intent' || kind === 'charge'
  return { customerId: kind === 'customer' ? id : null, paymentIds: isPayment ? [id] : [] }
}

function factOf(customerId: string | null, named: readonly (string | null)[]): InboundFact | null {
  const paymentIds = [...new Set(named.filter((id) => id !== null))]
  return customerId === null && paymentIds.length === 0 ? null : { kind: 'billing', customerId, paymentIds }
}
