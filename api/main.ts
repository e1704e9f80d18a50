import { once } from 'node:events'
import { createServer } from 'node:http'
import { type Config, loadConfig, providerMode } from '../config.ts'
import { connectDatabase, connectSystem } from '../db/client.ts'
import { assertSchemaIsCurrent } from '../db/schema.ts'
import { createLogger } from '../log.ts'
import { createResendWebhooks } from '../providers/resend/webhook.ts'
import { createStripeWebhooks } from '../providers/stripe/webhook.ts'
import { connectTemporal } from '../temporal-config/connection.ts'
import { createStories } from '../temporal-config/stories.ts'
import { createStorySchedules } from '../temporal-config/story-schedules.ts'
import { createBilling } from '../workers/billing-provider.ts'
import { createApi } from './app.ts'
import type { WebhookSource } from './webhooks.ts'

/** How long requests in flight may take when the process is to stop. */
const drainMs = 8_000

/** The API's process. It starts while Temporal is away; the database must be there. */
async function main(): Promise<void> {
  const config = loadConfig()
  const log = createLogger({ name: 'api', level: config.logLevel })
  if (!config.database) throw new Error('Set DATABASE_URL and DATABASE_SYSTEM_URL')

  const system = connectSystem(config.database.systemUrl, { name: 'api' })
  await assertSchemaIsCurrent(system)
  const database = connectDatabase(config.database.appUrl, { name: 'api' })
  const client = connectTemporal(config.temporal)
  const canSearch = providerMode(config, 'serpapi') !== 'off'
  const { app, drain } = createApi(
    {
      database,
      system,
      stories: createStories(client),
      schedules: createStorySchedules(client),
      webhooks: [resendWebhooks(config), stripeWebhooks(config)],
      billing: createBilling(config),
      clock: () => new Date(),
      log,
    },
    {
      requestsPerMinute: config.api.rateLimitPerMinute,
      trustProxy: config.api.trustProxy,
      missingForSearch: canSearch ? null : 'SERPAPI_API_KEY',
      stripePrices: config.stripe.prices,
      checksAnswers: config.environment !== 'production',
    },
  )

  const server = createServer(app).listen(config.api.port, config.api.host)
  await once(server, 'listening')
  process.send?.({ kind: 'ready' })
  log.info({ host: config.api.host, port: config.api.port }, 'listening')

  await stopAsked()
  log.info('stopping')
  const closed = new Promise((resolve) => server.close(resolve))
  const drained = drain()
  const cut = setTimeout(() => server.closeAllConnections(), drainMs)
  await Promise.all([closed, drained])
  clearTimeout(cut)
  await Promise.all([database.close(), system.end({ timeout: 5 }), client.connection.close()])
  log.info('stopped')
}

function resendWebhooks({ resend: { webhookSecret } }: Config): WebhookSource {
  const read = webhookSecret === undefined ? null : createResendWebhooks(webhookSecret)
  return { provider: 'resend', read, secretSetting: 'RESEND_WEBHOOK_SECRET' }
}

/** Each looks at its account there, by six calls and more; Stripe takes a hundred a second. */
const looksPerSecond = 15

function stripeWebhooks({ stripe: { webhookSecret: secret } }: Config): WebhookSource {
  const read = secret === undefined ? null : createStripeWebhooks({ secret })
  return { provider: 'stripe', read, secretSetting: 'STRIPE_WEBHOOK_SECRET', storiesPerSecond: looksPerSecond }
}

/** Resolves at the first signal, or when the process that started us is gone. The second one ends the process at once. */
function stopAsked(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const) {
      process.on(signal, () => {
        if (asked && signal !== 'disconnect') process.exit(1)
        asked = true
        resolve()
      })
    }
  })
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`The API cannot run: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  },
)
