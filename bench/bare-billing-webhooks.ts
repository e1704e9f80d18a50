import { once } from 'node:events'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import express, { type Express } from 'express'
import { Stripe } from 'stripe'
import { z } from 'zod'
import { connectDatabase, type Database } from '../db/client.ts'

/** What Throughline's intake is measured against: verifies, and inserts the same two rows in the same transaction. It decides and tells nothing. */
interface BareIntake {
  database: Database
  secret: string
  /** It knows by heart whose each customer is. */
  organisationOf: ReadonlyMap<string, string>
}

/** The product's. */
const poolSize = 10
const bodyLimit = 1_000_000
/** Nobody is to deliver what it puts into the outbox. */
const never = new Date('2100-01-01T00:00:00Z')

export function bareIntake({ database, secret, organisationOf }: BareIntake): Express {
  const app = express()
  app.post('/webhooks/stripe', express.raw({ limit: bodyLimit, type: () => true }), async (request, response) => {
    const body = z.instanceof(Buffer).parse(request.body)
    const text = body.toString()
    const event = Stripe.webhooks.constructEvent(text, request.get('stripe-signature') ?? '', secret)
    const organisationId = organisationOf.get(customerOf(event)) ?? ''
    const now = new Date()
    await database.as(organisationId, async (tx) => {
      const [inserted] = await tx`
        insert into inbound_events (provider, provider_event_id, type, payload, status, about, occurred_at, received_at)
        values ('stripe', ${event.id}, ${event.type}, ${text}::text::jsonb, 'delivered', ${[]},
          ${new Date(event.created * 1000)}, ${now})
        on conflict do nothing returning id`
      if (!inserted) return
      await tx`
        insert into outbox (kind, workflow_id, name, args, subject_id, summary, request_id, signal, signal_args, next_attempt_at)
        values ('signal', ${`bare/${organisationId}`}, 'bare', ${tx.json({ organisationId })}, ${organisationId}, 'Nothing',
          ${event.id}, 'lookAgain', ${tx.json({})}, ${never})
        returning id`
    })
    response.json({ received: true })
  })
  return app
}

function customerOf({ data }: Stripe.Event): string {
  return 'customer' in data.object && typeof data.object.customer === 'string' ? data.object.customer : ''
}

const Settings = z.object({
  appUrl: z.string(),
  secret: z.string(),
  customers: z.array(z.tuple([z.string(), z.string()])),
})

/** `node bench/bare-billing-webhooks.ts < settings`: tells its parent the port, and ends with it. */
async function main(): Promise<void> {
  const { appUrl, secret, customers } = Settings.parse(await json(process.stdin))
  const database = connectDatabase(appUrl, { name: 'bare', poolSize })
  const server = createServer(bareIntake({ database, secret, organisationOf: new Map(customers) }))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.once('disconnect', () => process.exit(0))
  const address = server.address()
  process.send?.(typeof address === 'object' ? address?.port : null)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
