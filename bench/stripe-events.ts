import { Stripe } from 'stripe'

/** As Stripe sends it. */
export interface SignedWebhook {
  body: string
  signature: string
}

/** What the bench signs with in Stripe's place. */
export const webhookSecret = `whsec_${Buffer.from('the bench signs in its place').toString('base64')}`

/** An event as the sandbox tells it of an invoice that was paid, of which the bench makes its own. */
export interface EventTemplate {
  event: Stripe.Event
  customerId: string
  /** Of a body. */
  bytes: number
}

/** Has somebody subscribe at the sandbox, and takes what it would tell of the first invoice. */
export async function eventTemplate(sandboxUrl: string, priceId: string): Promise<EventTemplate> {
  const { hostname, port } = new URL(sandboxUrl)
  const stripe = new Stripe('sk_test_sandbox', { host: hostname, port, protocol: 'http', telemetry: false })
  const card = 'pm_card_visa'
  const customer = await stripe.customers.create({
    payment_method: card,
    invoice_settings: { default_payment_method: card },
  })
  await stripe.subscriptions.create({ customer: customer.id, items: [{ price: priceId }] })
  const { data } = await stripe.events.list({ type: 'invoice.paid' })
  const [event] = data
  if (!event) throw new Error('the sandbox tells of no invoice')
  return { event, customerId: customer.id, bytes: JSON.stringify(event, undefined, 2).length }
}

/** Events of their own ids, `{run}_{number}`, about each customer in turn, signed for those who believe signatures of the last five minutes. */
export function signedEvents(
  { event, customerId }: EventTemplate,
  { run, count, customerIds }: { run: string; count: number; customerIds: readonly string[] },
): SignedWebhook[] {
  const timestamp = Math.floor(Date.now() / 1000)
  const text = JSON.stringify({ ...event, created: timestamp, id: idMark }, undefined, 2)
  return Array.from({ length: count }, (_, number) => {
    const body = text
      .replace(idMark, eventId(run, number))
      .replaceAll(customerId, customerIds[number % customerIds.length] ?? '')
    return {
      body,
      signature: Stripe.webhooks.generateTestHeaderString({ payload: body, secret: webhookSecret, timestamp }),
    }
  })
}

const idMark = 'evt_mark'

const eventId = (run: string, number: number): string => `evt_${run}_${number}`
