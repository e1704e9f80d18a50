import { beforeEach, describe, expect, test } from 'vitest'
import { ProviderError } from '../../activities/ports.ts'
import { insertReconciliation } from '../../db/billing-reconciliations.ts'
import { recordInboundEvent } from '../../db/inbound-events.ts'
import { platformOrganisationId } from '../../db/organisations.ts'
import { subscriptionId } from '../../workflows/contracts/subscription-lifecycle.ts'
import { noFacts } from '../../workflows/rules/billing-differences.ts'
import { oldCard, subscription } from '../support/billing-situations.ts'
import { testOrganisation } from '../support/organisation.ts'
import { reconciliationWorld } from '../support/reconciliations.ts'
import { timeSkipping } from '../support/temporal.ts'

const environment = await timeSkipping()

describe.skipIf(!environment)('on the time-skipping server (skipped where none can be had)', async () => {
  if (!environment) return
  const organisation = await testOrganisation()
  const { database, system } = organisation
  const platform = await platformOrganisationId(system)
  const temporal = { client: environment.client, connection: environment.nativeConnection }
  const world = await reconciliationWorld(organisation, temporal)
  const { billing, customer, see, work, reconcile, told, differences } = world
  /** The server's time runs ahead by years. */
  const later = new Date('2999-01-01T00:00:00Z')
  const paying = { ...noFacts, subscriptions: [subscription()], card: oldCard }

  beforeEach(async () => {
    await database.as(platform, (tx) => tx`update billing_differences set repaired_at = last_seen_at`)
    // Those of the tests before agree with the provider by now.
    const customers = await system<{ organisationId: string; stripeId: string }[]>`
      select organisation_id, stripe_id from stripe_customers`
    for (const { organisationId, stripeId } of customers) {
      billing.facts.set(stripeId, noFacts)
      await see(organisationId, noFacts, new Date('2026-01-01T00:00:00Z'))
    }
    billing.subscribers = []
    billing.asked = []
    billing.before = () => {}
    told()
  })
  const open = async () => (await differences()).filter(({ repairedAt }) => repairedAt === null)
  const newest = async () => (await world.runs())[0]

  test('a story that has missed something is woken, and the difference is over once it has looked', async () => {
    await using _ = await work()
    const missed = await customer(noFacts)
    const same = await customer(paying)
    const unseen = await customer(null)
    for (const { customerId } of [missed, same, unseen]) billing.facts.set(customerId, paying)

    const { result } = await reconcile()
    expect(result).toMatchObject({ status: 'completed', differences: 2, unknownCustomers: 0 })
    expect(told().sort()).toEqual([missed, unseen].map((one) => subscriptionId(one.organisationId)).sort())
    expect(await open()).toEqual(
      [unseen, missed].map((one) => ({
        ...one,
        id: expect.any(String),
        what: ['subscriptions', 'card'],
        seenAt: expect.any(Date),
        lastSeenAt: expect.any(Date),
        repairedAt: null,
      })),
    )

    await see(missed.organisationId, paying, later)
    expect((await reconcile()).result).toMatchObject({ differences: 1 })
    expect((await open()).map(({ customerId }) => customerId)).toEqual([unseen.customerId])
    expect(told()).toEqual([subscriptionId(unseen.organisationId)])
    await see(unseen.organisationId, paying, later)
    expect((await reconcile()).result).toMatchObject({ differences: 0 })
    expect([await open(), told()]).toEqual([[], []])
  })

  test('what a story has looked at while it was compared is left to the story', async () => {
    await using _ = await work()
    const { organisationId, customerId } = await customer(noFacts)
    billing.facts.set(customerId, paying)
    await see(organisationId, noFacts, later)
    expect((await reconcile()).result).toMatchObject({ differences: 0 })
  })

  test('a customer who is gone at the provider differs by what we still hold to be there', async () => {
    await using _ = await work()
    const { customerId } = await customer(paying)
    billing.facts.delete(customerId)
    expect((await reconcile()).result).toMatchObject({ differences: 1 })
    expect(await open()).toMatchObject([{ customerId, what: ['subscriptions', 'card'] }])
  })

  test('customers whom nobody knows are found, each once, until they are known or gone', async () => {
    await using _ = await work()
    const known = await customer()
    billing.facts.set(known.customerId, noFacts)
    billing.subscribers = ['cus_lost', known.customerId, 'cus_lost', 'cus_strange', 'cus_lost', 'cus_other', 'cus_last']
    expect((await reconcile()).result).toMatchObject({ status: 'completed', differences: 0, unknownCustomers: 4 })
    const found = await open()
    expect(found.map(({ customerId }) => customerId).sort()).toEqual([
      'cus_last',
      'cus_lost',
      'cus_other',
      'cus_strange',
    ])
    expect(found[0]).toMatchObject({ organisationId: null, what: ['unknown_customer'] })
    billing.subscribers = ['cus_lost']
    expect((await reconcile()).result).toMatchObject({ unknownCustomers: 1 })
    const lost = found.find(({ customerId }) => customerId === 'cus_lost')
    expect(await open()).toMatchObject([{ id: lost?.id, seenAt: lost?.seenAt }])
    expect((await world.runs()).slice(0, 2)).toMatchObject([{ unknownCustomers: 1 }, { unknownCustomers: 4 }])
  })

  test('broken off anywhere it goes on from where it was, and counts everybody once', async () => {
    await using _ = await work({ accountsPerBatch: 4 })
    const all = await Promise.all(Array.from({ length: 9 }, () => customer(noFacts)))
    for (const { customerId } of all) billing.facts.set(customerId, paying)
    const [{ n: known } = { n: 0 }] = await system<{ n: number }[]>`select count(*)::int as n from stripe_customers`
    let calls = 0
    billing.before = () => {
      calls += 1
      if (calls % 4 === 0) throw new ProviderError('stripe', 'retry', 'network')
    }
    expect((await reconcile()).result).toEqual({
      status: 'completed',
      customers: known,
      differences: 9,
      unknownCustomers: 0,
    })
    // Of two at once that fail together, the other is asked for again; those before them are not.
    expect(billing.asked.length).toBeLessThan(2 * known)
    expect(new Set(told()).size).toBe(9)
  })

  test('among very many customers it goes on as a new run, under the same row', async () => {
    await using _ = await work({ accountsPerBatch: 1 })
    await Promise.all(Array.from({ length: 180 }, () => customer()))
    const [{ n: known } = { n: 0 }] = await system<{ n: number }[]>`select count(*)::int as n from stripe_customers`
    for (let number = 1; number <= known; number += 1) billing.facts.set(`cus_${number}`, noFacts)
    const runsBefore = (await world.runs()).length
    const { workflowId, result } = await reconcile()
    expect(result).toEqual({ status: 'completed', customers: known, differences: 0, unknownCustomers: 0 })
    expect((await world.runs()).length).toBe(runsBefore + 1)
    const { events } = await environment.client.workflow.getHandle(workflowId).fetchHistory()
    expect(events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId).toBeTruthy()
    expect(events?.length).toBeLessThan(1_050)
  }, 60_000)

  test('one account that cannot be read keeps nobody else from being compared', async () => {
    await using _ = await work()
    const [odd, missed] = [await customer(paying), await customer(noFacts)]
    billing.facts.set(missed.customerId, paying)
    billing.before = (customerId) => {
      if (customerId === odd.customerId) throw new ProviderError('stripe', 'rejected', 'invalid_request')
    }
    expect((await reconcile()).result).toMatchObject({ status: 'completed', differences: 2 })
    expect(await open()).toMatchObject([
      { customerId: missed.customerId },
      { customerId: odd.customerId, what: ['unreadable'] },
    ])
    expect(told()).toEqual([subscriptionId(missed.organisationId)])
  })

  test('without a key that holds it fails and says so, and what was found before stays open', async () => {
    await using _ = await work()
    billing.subscribers = ['cus_lost_for_long']
    await reconcile()
    const { customerId } = await customer()
    billing.before = (asked) => {
      if (asked === customerId) throw new ProviderError('stripe', 'rejected', 'invalid_credentials')
    }
    expect((await reconcile()).result).toMatchObject({ status: 'failed' })
    expect(await newest()).toMatchObject({
      status: 'failed',
      problem: 'stripe:invalid_credentials',
      endedAt: expect.any(Date),
    })
    expect(await open()).toMatchObject([{ customerId: 'cus_lost_for_long' }])
  })

  test('a reconciliation whose story is gone does not run for ever', async () => {
    await using _ = await work()
    const now = new Date()
    const left = await database.as(platform, (tx) => insertReconciliation(tx, { begunBy: 'terminated', now }))
    await reconcile()
    const rows = await world.runs()
    expect(rows.find(({ id }) => id === left)).toMatchObject({ status: 'failed', problem: 'abandoned' })
    expect(rows.filter(({ status }) => status === 'running')).toEqual([])
  })

  test('one that was given up for a later one ends, and asks the provider for nothing more', async () => {
    await using _ = await work()
    const { customerId } = await customer()
    billing.facts.set(customerId, noFacts)
    let askedAfter = 0
    let another: Promise<string> | undefined
    billing.before = async () => {
      if (another) askedAfter += 1
      another ??= database.as(platform, (tx) => insertReconciliation(tx, { begunBy: 'another', now: new Date() }))
      await another
    }
    expect((await reconcile()).result).toMatchObject({ status: 'failed' })
    expect(askedAfter).toBeLessThan(2)
    expect((await world.runs())[1]).toMatchObject({ status: 'failed', problem: 'abandoned' })
  })

  test('events that came before their customer was known are given to the organisation', async () => {
    await using _ = await work()
    const { organisationId, customerId } = await customer()
    billing.facts.set(customerId, noFacts)
    const fact = { kind: 'billing' as const, customerId, paymentIds: [] }
    const event = { id: 'evt_early', type: 'customer.created', occurredAt: new Date(), payload: {}, fact }
    const arrival = { provider: 'stripe', event, status: 'unmatched' as const, about: [customerId], now: new Date() }
    await recordInboundEvent(system, arrival)
    await reconcile()
    expect(await system`select organisation_id, status from inbound_events`).toEqual([
      { organisationId, status: 'delivered' },
    ])
    expect(told()).toEqual([subscriptionId(organisationId)])
  })
})
