import { expect, test } from 'vitest'
import { z } from 'zod'
import { ProviderError } from '../../activities/ports.ts'
import { permissions } from '../../api/permissions.ts'
import { grantCredits } from '../../db/credits.ts'
import { platformOrganisationId } from '../../db/organisations.ts'
import { testApi } from '../support/api.ts'
import { standInBilling } from '../support/billing-provider.ts'
import { billingRows, june, rowPrices, scoutRow } from '../support/billing-rows.ts'

const now = new Date('2026-06-11T12:00:00Z')
const billing = standInBilling()
const { ask, database, system, organisationId, neighbour, keyWith } = await testApi({
  clock: () => now,
  billing,
  stripePrices: rowPrices,
})
const platform = await keyWith(await platformOrganisationId(system), permissions)

const read = async (path: string, key?: string) => {
  const response = await ask('GET', path, key === undefined ? {} : { key })
  return { status: response.status, body: z.looseObject({}).parse(await response.json()) }
}
const PageOf = z.object({ data: z.array(z.looseObject({ id: z.string() })), nextCursor: z.string().nullable() })

test('an organisation that never bought anything has the state none, and nothing limits it', async () => {
  const { key } = await neighbour()
  expect(await read('/billing', key)).toEqual({
    status: 200,
    body: {
      state: 'none',
      access: 'full',
      isFrozen: false,
      seenAt: null,
      subscriptions: [],
      next: [],
      entitlements: null,
      credits: [],
      openInvoices: [],
      balanceAtStripe: null,
      disputes: [],
      card: null,
      pendingChange: null,
      switches: [],
    },
  })
  for (const list of ['/billing/timeline', '/billing/invoices']) {
    expect((await read(list, key)).body).toEqual({ data: [], nextCursor: null })
  }
  expect((await read('/billing/timers', key)).body).toEqual({ data: [] })
})

test('a change that waits tells when it will be made, also once it was moved', async () => {
  const { organisationId: owner, key } = await neighbour()
  const id = '01990000-0000-7000-8000-000000000001'
  const timer = {
    key: `billing/${owner}/change/${id}`,
    at: june.startsAt,
    what: 'change_plan',
    isMovable: true,
  } as const
  const scout = scoutRow()
  await billingRows(database, owner, [scout], { timers: [timer] })
  const request = {
    kind: 'change_plan',
    subscriptionId: scout.id,
    planKey: 'hunter',
    priceKey: 'x',
    when: 'period_end',
  }
  await database.as(
    owner,
    (tx) => tx`
      insert into billing_requests (id, kind, request, status, due_at, actor, created_at)
      values (${id}, 'change_plan', ${JSON.stringify(request)}::text::jsonb, 'waiting', ${new Date(june.endsAt)}, 'key:test',
        ${new Date(june.startsAt)})`,
  )
  const moved = { id, dueAt: new Date(june.startsAt).toISOString() }
  expect((await read('/billing', key)).body).toMatchObject({ pendingChange: moved })
})

test('one object tells what is subscribed to, used, owed and to come', async () => {
  const { organisationId: owner, key } = await neighbour()
  const timer = { key: `billing/${owner}/renewal/x/1`, at: june.endsAt, what: 'renewal', isMovable: true } as const
  const due = { amount: 9_900, currency: 'USD' }
  const scout = scoutRow()
  await billingRows(database, owner, [scout], {
    timers: [timer],
    facts: {
      openInvoices: [
        {
          id: 'in_1',
          subscriptionId: scout.id,
          amountDue: 9_900,
          currency: 'USD',
          overdueSince: june.startsAt,
          lastAttemptAt: june.startsAt,
          lastAttemptCardId: 'pm_1',
          nextAttemptAt: null,
          declineCode: 'expired_card',
        },
      ],
    },
    shown: {
      card: { brand: 'visa', last4: '4242', expiresAt: june.endsAt },
      openInvoices: [{ id: 'in_1', number: 'A-1', due, dueAt: null, payUrl: 'https://pay.example.com/1' }],
      balance: { amount: 5_000, currency: 'USD' },
    },
  })
  await database.as(owner, async (tx) => {
    await tx`
      insert into entitlements (access, features, limits, updated_at) values ('full', ${['campaigns']}, ${tx.json([
        { act: 'searches', most: 500, per: 'period', from: june.startsAt, until: june.endsAt },
        { act: 'contacts', most: 5_000, per: 'total', from: null, until: null },
      ])}, ${now})`
    await tx`insert into contacts (external_id) values ('a'), ('b')`
    await tx`
      insert into billing_switches (name, reason, author, on_at) values ('noDunning', 'Pays late', 'key:1', ${now})`
    const grant = { type: 'call_seconds', amount: 60, sourceKey: 'g', source: 'plan', beginsPeriod: true } as const
    await grantCredits(tx, grant, now)
  })
  const { body } = await read('/billing', key)
  expect(body).toMatchObject({
    state: 'active',
    access: 'full',
    seenAt: '2026-06-01T00:00:00.000Z',
    subscriptions: [
      {
        id: scout.id,
        state: 'active',
        plans: [
          {
            key: 'scout',
            version: 1,
            name: 'Scout',
            priceKey: 'monthly',
            price: due,
            period: { startsAt: '2026-06-01T00:00:00.000Z', endsAt: '2026-07-01T00:00:00.000Z' },
          },
        ],
      },
    ],
    next: [{ ...timer, at: '2026-07-01T00:00:00.000Z' }],
    entitlements: {
      features: ['campaigns'],
      limits: [
        { act: 'searches', per: 'period', most: 500, used: 0, until: '2026-07-01T00:00:00.000Z' },
        { act: 'contacts', per: 'total', most: 5_000, used: 2, until: null },
      ],
    },
    credits: [{ type: 'call_seconds', balance: 60 }],
    openInvoices: [{ id: 'in_1', due, dueAt: null, overdueSince: '2026-06-01T00:00:00.000Z' }],
    balanceAtStripe: { amount: 5_000, currency: 'USD' },
    card: { brand: 'visa', last4: '4242' },
    switches: [{ name: 'noDunning', reason: 'Pays late', author: 'key:1', since: now.toISOString() }],
  })
  expect((await read(`/billing?organisationId=${owner}`, platform)).body).toEqual(body)
  expect((await read(`/billing/timers?organisationId=${owner}`, platform)).body).toEqual({ data: body['next'] })
})

test("another organisation's billing is for the platform alone", async () => {
  const { organisationId: owner, key } = await neighbour()
  for (const path of ['/billing', '/billing/timers', '/billing/timeline', '/billing/invoices']) {
    expect((await read(`${path}?organisationId=${organisationId}`, key)).status, path).toBe(403)
    expect((await read(`${path}?organisationId=${owner}`, key)).status, path).toBe(200)
    expect((await read(`${path}?organisationId=${crypto.randomUUID()}`, platform)).status, path).toBe(404)
  }
  const reader = await keyWith(organisationId, ['billing:write'])
  expect((await read('/billing', reader)).status).toBe(403)
})

test('the timeline is told in pages, the newest first, through events of one moment', async () => {
  const { organisationId: owner, key } = await neighbour()
  await database.as(
    owner,
    (tx) => tx`
      insert into billing_events (source_key, type, details, at)
      select n::text, 'event.' || n, '{"amount": 5}', ${now}::timestamptz + (n / 4) * interval '1 microsecond'
      from generate_series(1, 7) as n`,
  )
  const types: unknown[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const { body } = await read(`/billing/timeline?limit=2${cursor && `&cursor=${cursor}`}`, key)
    const page = PageOf.parse(body)
    types.push(...page.data.map(({ type }) => type))
    cursor = page.nextCursor
  }
  expect(types).toHaveLength(7)
  expect(new Set(types.slice(0, 4))).toEqual(new Set(['event.4', 'event.5', 'event.6', 'event.7']))
  expect(new Set(types).size).toBe(7)
  expect((await read('/billing/timeline?cursor=nothing', key)).status).toBe(400)
})

test('the timeline names the invoices and plans that ids stand for', async () => {
  const { organisationId: owner, key } = await neighbour()
  const scout = scoutRow()
  const paid = { paidAt: 1, amount: 1, currency: 'USD' }
  const line = { quantity: 1, subscription: null, share: 1, source: 'purchase' } as const
  const open = { amountDue: 9_900, currency: 'USD', overdueSince: june.startsAt, lastAttemptAt: june.startsAt }
  const untold = { lastAttemptCardId: null, nextAttemptAt: null, declineCode: null }
  await billingRows(database, owner, [scout], {
    facts: {
      payments: [
        { ...paid, id: 'in_1', lines: ['hunter', 'calls-60', 'hunter'].map((planKey) => ({ ...line, planKey })) },
        { ...paid, id: 'pi_1', lines: [{ ...line, planKey: 'calls-60' }] },
      ],
      openInvoices: [{ ...open, ...untold, id: 'in_2', subscriptionId: scout.id }],
    },
    shown: { invoiceNumbers: { in_1: 'TL-0001', in_2: 'TL-0002' } },
  })
  const [hunter, calls] = [
    { key: 'hunter', name: 'Hunter' },
    { key: 'calls-60', name: '60 call minutes' },
  ]
  const told = [
    { details: { paymentId: 'in_1' }, invoiceNumber: 'TL-0001', plans: [hunter, calls] },
    { details: { paymentId: 'pi_1' }, invoiceNumber: null, plans: [calls] },
    { details: { invoiceId: 'in_2' }, invoiceNumber: 'TL-0002', plans: [{ key: 'scout', name: 'Scout' }] },
    { details: { notice: 'renewal', about: 'in_2' }, invoiceNumber: 'TL-0002', plans: [{ key: 'scout' }] },
    { details: { invoiceId: 'in_3' }, invoiceNumber: null, plans: [] },
    { details: { plans: ['price_gone'] }, invoiceNumber: null, plans: [{ key: 'price_gone', name: null }] },
    { details: { planKey: 'hunter' }, invoiceNumber: null, plans: [hunter] },
  ]
  await database.as(owner, async (tx) => {
    for (const [index, { details }] of told.entries()) {
      await tx`
        insert into billing_events (source_key, type, details, at)
        values (${index}, 'event', ${tx.json(details)}, ${new Date(now.getTime() - index)})`
    }
  })
  expect((await read('/billing/timeline', key)).body).toMatchObject({ data: told })
})

test("invoices are Stripe's own, in its order and by its ids", async () => {
  await billingRows(database, organisationId, [scoutRow()])
  const invoice = (id: string) => ({
    id,
    kind: 'invoice' as const,
    number: null,
    status: 'paid',
    total: { amount: 9_900, currency: 'USD' },
    lines: ['1 × Scout'],
    createdAt: june.startsAt,
    url: null,
  })
  billing.listInvoices = async (customerId, { limit, after }) => {
    expect([customerId, limit]).toEqual([`cus_${organisationId}`, 1])
    if (after === null) return { invoices: [invoice('in_2')], after: 'in_2.cs_1' }
    expect(after).toBe('in_2.cs_1')
    return { invoices: [invoice('in_1')], after: null }
  }
  const first = PageOf.parse((await read('/billing/invoices?limit=1')).body)
  const total = { amount: 9_900, currency: 'USD' }
  expect(first).toMatchObject({ data: [{ id: 'in_2', total, lines: ['1 × Scout'] }], nextCursor: 'in_2.cs_1' })
  const second = PageOf.parse((await read('/billing/invoices?limit=1&cursor=in_2.cs_1')).body)
  expect(second).toMatchObject({ data: [{ id: 'in_1' }], nextCursor: null })
  expect((await read('/billing/invoices?cursor=cus_1')).status).toBe(400)
})

test.each([
  ['retryAfter', 'rate_limited', 7_000, 503, 'temporarily_unavailable', '7'],
  ['retry', 'network', undefined, 503, 'temporarily_unavailable', '5'],
  ['rejected', 'no_such_customer', undefined, 409, 'wrong_state', null],
  ['rejected', 'no_such_invoice', undefined, 400, 'invalid_input', null],
  ['rejected', 'invalid_credentials', undefined, 422, 'not_allowed_now', null],
  ['rejected', 'something_else', undefined, 409, 'wrong_state', null],
] as const)('%s with %s becomes a problem with what to do', async (outcome, code, afterMs, status, problem, wait) => {
  billing.listInvoices = () => Promise.reject(new ProviderError('stripe', outcome, code, afterMs))
  const response = await ask('GET', '/billing/invoices')
  expect(await response.json()).toMatchObject({ status, code: problem })
  expect(response.headers.get('retry-after')).toBe(wait)
})

test('moments in the timeline are told as everywhere, and not as stories count them', async () => {
  const { organisationId: owner, key } = await neighbour()
  const details = { amount: 5, expiresAt: Date.UTC(2026, 11, 6), rollsOver: { most: 2, until: Date.UTC(2027, 0, 6) } }
  await database.as(
    owner,
    (tx) =>
      tx`insert into billing_events (source_key, type, details, at) values ('one', 'billing.grant_credits', ${tx.json(details)}, ${now})`,
  )
  const { data } = PageOf.parse((await read('/billing/timeline', key)).body)
  expect(data[0]).toMatchObject({
    details: {
      amount: 5,
      expiresAt: '2026-12-06T00:00:00.000Z',
      rollsOver: { most: 2, until: '2027-01-06T00:00:00.000Z' },
    },
  })
})
