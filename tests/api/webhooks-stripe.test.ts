import { Stripe } from 'stripe'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { permissions } from '../../api/permissions.ts'
import { adoptUnmatched } from '../../db/billing-routing.ts'
import { platformOrganisationId } from '../../db/organisations.ts'
import { createStripeWebhooks } from '../../providers/stripe/webhook.ts'
import { subscriptionId } from '../../workflows/contracts/subscription-lifecycle.ts'
import { testApi } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'
import { soon } from '../support/inbound-world.ts'
import { startTestSandbox } from '../support/sandbox.ts'
import { stripeSecret as secret, stripeOn } from '../support/stripe.ts'

const world = await testApi({
  webhooks: [
    { provider: 'stripe', read: createStripeWebhooks({ secret }), secretSetting: 'STRIPE_WEBHOOK_SECRET' },
    { provider: 'unset', read: null, secretSetting: 'STRIPE_WEBHOOK_SECRET' },
  ],
})
const { url, ask, keyWith, database, system, organisationId, stories, neighbour } = world
const workflowId = subscriptionId(organisationId)
const platform = await keyWith(await platformOrganisationId(system), permissions)

let ids = 0
const next = (kind: string) => `${kind}_${(ids += 1)}`
const nowSeconds = () => Math.floor(Date.now() / 1000)

const eventOf = (object: Record<string, unknown>, id = next('evt')) => ({
  id,
  object: 'event',
  type: 'customer.updated',
  created: nowSeconds(),
  data: { object },
})
const customerOf = (id: string) => ({ object: 'customer', id, email: 'ann@example.com' })

const post = (body: string, timestamp = nowSeconds(), signedWith = secret) =>
  fetch(`${url}/webhooks/stripe`, {
    method: 'POST',
    body,
    headers: {
      'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload: body, secret: signedWith, timestamp }),
    },
  })
const say = async (event: unknown) => expect((await post(JSON.stringify(event))).status).toBe(200)

const customerRow = async (owner = organisationId) => {
  const id = next('cus')
  await database.as(
    owner,
    (tx) => tx`insert into stripe_customers (stripe_id, created_at) values (${id}, now())
      on conflict (organisation_id) do update set stripe_id = excluded.stripe_id`,
  )
  return id
}
const inboundOf = (id: string) =>
  system`select organisation_id, status, about from inbound_events where provider_event_id = ${id} order by id`
const countWakes = async (workflow = workflowId) =>
  (await system`select from outbox where workflow_id = ${workflow}`).length

const Unmatched = z.object({
  data: z.array(z.looseObject({ providerEventId: z.string(), about: z.array(z.string()) })),
  nextCursor: z.string().nullable(),
})
const unmatched = async (query = '') =>
  Unmatched.parse(await (await ask('GET', `/inbound-events/unmatched${query}`, { key: platform })).json())

test('what is not signed, signed by another secret, too early or too late is refused and leaves no trace', async () => {
  const id = next('evt')
  const body = JSON.stringify(eventOf(customerOf('cus_forged'), id))
  const attempts = [
    await fetch(`${url}/webhooks/stripe`, { method: 'POST', body }),
    await post(body, nowSeconds(), 'whsec_another_secret_of_it'),
    await post(body, nowSeconds() - 310),
    await post(body, nowSeconds() + 310),
  ]
  for (const response of attempts) {
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ code: 'unauthenticated' })
  }
  expect(await inboundOf(id)).toEqual([])
})

test('without its secret Stripe is told to come back, and operators what to set', async () => {
  const response = await fetch(`${url}/webhooks/unset`, { method: 'POST', body: '{}' })
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '300'])
  expect(await response.json()).toMatchObject({ detail: expect.stringContaining('STRIPE_WEBHOOK_SECRET') })
})

test('an event of a customer whom we know has the story look again', async () => {
  const customerId = await customerRow()
  const event = eventOf({ object: 'subscription', id: 'sub_1', customer: customerId })
  await say(event)
  expect(await inboundOf(event.id)).toEqual([{ organisationId, status: 'delivered', about: [] }])
  await eventually(() => {
    const [told] = stories.delivered.filter((row) => row.workflowId === workflowId)
    expect(told).toMatchObject({ name: 'subscriptionLifecycle', signal: 'lookAgain', args: { organisationId } })
  }, soon)
})

test('what names no customer is found by its payment', async () => {
  const chargeId = next('ch')
  await database.as(organisationId, (tx) => tx`insert into stripe_payments (stripe_id) values (${chargeId})`)
  const dispute = eventOf({ object: 'dispute', id: 'du_1', charge: chargeId, payment_intent: null })
  await say(dispute)
  expect(await inboundOf(dispute.id)).toMatchObject([{ organisationId, status: 'delivered' }])
})

test('the same event ten times at once is kept once, and wakes the story once', async () => {
  const event = eventOf(customerOf(await customerRow()))
  const before = await countWakes()
  await Promise.all(Array.from({ length: 10 }, () => say(event)))
  expect(await inboundOf(event.id)).toHaveLength(1)
  expect(await countWakes()).toBe(before + 1)
})

test('while Temporal is away what comes is taken all the same, and delivered later', async () => {
  const { organisationId: other } = await neighbour()
  const deliver = stories.deliver
  stories.deliver = () => Promise.reject(new Error('away'))
  await say(eventOf(customerOf(await customerRow(other))))
  const rows = () => system`select status, attempts from outbox where workflow_id = ${subscriptionId(other)}`
  await eventually(async () => expect(await rows()).toMatchObject([{ status: 'pending', attempts: 1 }]), soon)
  stories.deliver = deliver
})

test('what says nothing of payments is kept and ignored', async () => {
  const event = {
    ...eventOf({ object: 'test_helpers.test_clock', id: 'clock_1' }),
    type: 'test_helpers.test_clock.ready',
  }
  await say(event)
  await say({ ...event, id: next('evt'), object: 'v2.core.event', created: new Date().toISOString(), data: {} })
  expect(await inboundOf(event.id)).toEqual([{ organisationId: null, status: 'ignored', about: [] }])
})

test('an event of a customer whom nobody knows is kept once, and shown to the platform without what it says', async () => {
  const customerId = next('cus')
  const event = eventOf(customerOf(customerId))
  await Promise.all([say(event), say(event), say(event)])
  expect(await inboundOf(event.id)).toEqual([{ organisationId: null, status: 'unmatched', about: [customerId] }])
  const { data } = await unmatched()
  expect(data.filter(({ about }) => about.includes(customerId))).toEqual([
    {
      id: expect.any(String),
      provider: 'stripe',
      providerEventId: event.id,
      type: 'customer.updated',
      about: [customerId],
      occurredAt: expect.any(String),
      receivedAt: expect.any(String),
    },
  ])
  expect(JSON.stringify(data)).not.toContain('ann@example.com')
})

test('what belongs to nobody is shown in pages, and to nobody but the platform', async () => {
  for (let count = 0; count < 3; count += 1) await say(eventOf(customerOf(next('cus'))))
  const all = (await unmatched('?limit=100&provider=stripe')).data
  const first = await unmatched('?limit=2')
  const second = await unmatched(`?limit=2&cursor=${first.nextCursor}`)
  expect([...first.data, ...second.data]).toEqual(all.slice(0, 4))
  expect((await unmatched('?provider=resend')).data).toEqual([])
  const ordinary = await ask('GET', '/inbound-events/unmatched')
  expect(ordinary.status).toBe(403)
  expect(await ordinary.json()).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('platform') })
  expect(
    await database.as(organisationId, (tx) => tx`select from inbound_events where organisation_id is null`),
  ).toEqual([])
})

test('once its customer is known, an event finds its organisation, and the story looks again', async () => {
  const { organisationId: other } = await neighbour()
  const customerId = next('cus')
  const early = [eventOf(customerOf(customerId)), eventOf({ object: 'invoice', id: 'in_1', customer: customerId })]
  for (const event of early) await say(event)
  const foreign = eventOf(customerOf(next('cus')))
  await say(foreign)
  await database.as(
    other,
    (tx) => tx`insert into stripe_customers (stripe_id, created_at) values (${customerId}, now())`,
  )
  // Stripe repeats one of them before anybody comes to adopt the other.
  await say(early[0])
  const adopt = () => adoptUnmatched({ database, system }, [customerId], { requestId: 'test', now: new Date() })
  expect(await adopt()).toEqual([subscriptionId(other)])
  expect(await inboundOf(early[0]?.id ?? '')).toEqual([
    { organisationId: null, status: 'ignored', about: [customerId] },
    { organisationId: other, status: 'delivered', about: [] },
  ])
  expect(await inboundOf(early[1]?.id ?? '')).toMatchObject([{ organisationId: other, status: 'delivered' }])
  expect(await inboundOf(foreign.id)).toMatchObject([{ organisationId: null, status: 'unmatched' }])
  expect(await countWakes(subscriptionId(other))).toBe(2)
  expect(await adopt()).toEqual([])
  await say(early[1])
  expect(await inboundOf(early[1]?.id ?? '')).toHaveLength(1)
})

test("the sandbox's own webhooks arrive, in any order and number of copies, each once", async () => {
  await using sandbox = await startTestSandbox({ stripe: { webhook: { url: `${url}/webhooks/stripe`, secret } } })
  const { id } = await stripeOn(sandbox).customers.create({ email: 'bob@example.com' })
  const rows = () => system`select type, status from inbound_events where ${id} = any(about) order by id`
  await eventually(async () => expect(await rows()).toEqual([{ type: 'customer.created', status: 'unmatched' }]), soon)
  await sandbox.happen('stripe', { type: 'webhooks.manner', duplicates: 5, reorder: true })
  await stripeOn(sandbox).customers.update(id, { name: 'Bob' })
  await stripeOn(sandbox).customers.del(id)
  const types = async () => (await rows()).map(({ type }) => String(type)).sort()
  const wanted = ['customer.created', 'customer.deleted', 'customer.updated']
  await eventually(async () => expect(await types()).toEqual(wanted), soon)
})
