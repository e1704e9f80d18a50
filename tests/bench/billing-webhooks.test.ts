import { once } from 'node:events'
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { bareIntake } from '../../bench/bare-billing-webhooks.ts'
import { measureBillingWebhooks } from '../../bench/billing-webhooks.ts'
import { eventTemplate, signedEvents, webhookSecret } from '../../bench/stripe-events.ts'
import { postInLanes } from '../../bench/webhook-load.ts'
import { keepStripeCustomer } from '../../db/stripe-customers.ts'
import { createStripeWebhooks } from '../../providers/stripe/webhook.ts'
import { testApi } from '../support/api.ts'
import { portOf } from '../support/free-ports.ts'
import { startTestSandbox } from '../support/sandbox.ts'
import { prices } from '../support/stripe.ts'

const read = createStripeWebhooks({ secret: webhookSecret })
const { url, database, system, organisationId } = await testApi({
  webhooks: [{ provider: 'stripe', read, secretSetting: 'STRIPE_WEBHOOK_SECRET' }],
})

test('both halves keep the same of an event', async () => {
  const sandbox = await startTestSandbox({ stripe: { prices } })
  const template = await eventTemplate(sandbox.urls.providers, 'price_scout')
  await sandbox.close()
  await database.as(organisationId, (tx) => keepStripeCustomer(tx, 'cus_1', new Date()))
  const organisationOf = new Map([['cus_1', organisationId]])
  const bare = createServer(bareIntake({ database, secret: webhookSecret, organisationOf })).listen(0, '127.0.0.1')
  await once(bare, 'listening')
  const events = (run: string) => signedEvents(template, { run, count: 3, customerIds: ['cus_1'] })
  await postInLanes(`${url}/webhooks/stripe`, events('ours'), 2)
  await postInLanes(`http://127.0.0.1:${portOf(bare)}/webhooks/stripe`, events('bare'), 2)
  bare.close()

  const kept = (run: string) => system`
    select organisation_id, type, status, about, payload - 'id' - 'created' as payload from inbound_events
    where starts_with(provider_event_id, ${`evt_${run}_`})`
  expect(await kept('ours')).toHaveLength(3)
  expect(await kept('bare')).toEqual(await kept('ours'))
  const told = await system`select name, count(*) from outbox group by name order by name`
  expect(told).toEqual([
    { name: 'bare', count: 3 },
    { name: 'subscriptionLifecycle', count: 3 },
  ])
})

test('a small run loses nothing, applies everything and tells all its figures', { timeout: 180_000 }, async () => {
  const sizes = {
    organisations: 10,
    rounds: 1,
    webhooksPerRound: 40,
    warmUp: 20,
    outage: { perSecond: 40, seconds: 1 },
  }
  const { figures } = await measureBillingWebhooks({ seed: 1, say: () => {} }, sizes)
  expect(Object.keys(figures)).toEqual([
    'webhooksPerSecond',
    'bareWebhooksPerSecond',
    'ratio',
    'p99Ms',
    'bareP99Ms',
    'p99MsWithoutTemporal',
    'appliedAfterReturn',
    'secondsUntilApplied',
    'lost',
  ])
  expect(Object.values(figures).every((figure) => figure >= 0)).toBe(true)
  expect(figures).toMatchObject({ appliedAfterReturn: 40, lost: 0 })
})
