import { expect, test } from 'vitest'
import { z } from 'zod'
import { createMeteredUsageActivities } from '../../../activities/billing/metered-usage.ts'
import { type BillingProvider, ProviderError } from '../../../activities/ports.ts'
import { burnUse } from '../../../db/credit-ledger.ts'
import { platformOrganisationId } from '../../../db/organisations.ts'
import { savePlan } from '../../../db/plans.ts'
import { Plan } from '../../../workflows/contracts/plans.schema.ts'
import { billingStories } from '../../support/billing-story.ts'
import { idOf, stripeOn } from '../../support/stripe.ts'

const minuteMs = 60_000
const meterOf = (setting: string, event: string) => ({ type: 'dial_seconds', event, setting })
const dialling = (name: string, rank: number, amount: number, event = 'dial_seconds') =>
  Plan.parse({
    key: name,
    name,
    kind: 'subscription',
    family: 'dialling',
    rank,
    prices: [
      {
        key: 'monthly',
        amount,
        currency: 'USD',
        every: 'P1M',
        setting: `STRIPE_PRICE_${name.toUpperCase()}`,
        meters: [meterOf(`STRIPE_PRICE_${name.toUpperCase()}_USE`, event)],
      },
    ],
    credits: [{ type: 'dial_seconds', amount: 60 }],
  })
const monthly = { currency: 'usd', interval: 'month' } as const
const priced = (name: string, unitAmount: number, each: number) => [
  { setting: `STRIPE_PRICE_${name.toUpperCase()}`, id: `price_${name}`, product: name, unitAmount, ...monthly },
  {
    setting: `STRIPE_PRICE_${name.toUpperCase()}_USE`,
    id: `price_${name}_use`,
    product: `${name} by use`,
    unitAmount: each,
    meter: 'dial_seconds',
    ...monthly,
  },
]

const stories = await billingStories(new Date('2026-06-01T10:00:00Z'), [
  ...priced('dialler', 5_000, 2),
  ...priced('caller', 9_000, 1),
])
const { database, system, sandbox, billing, clock } = stories
await database.as(await platformOrganisationId(system), async (tx) => {
  for (const definition of [dialling('dialler', 1, 5_000), dialling('caller', 2, 9_000)])
    await savePlan(tx, { definition, actor: 'test', now: clock() })
})

type Customer = Awaited<ReturnType<typeof stories.newCustomer>>

/** Somebody with 60 seconds included, who pays for what goes beyond. */
async function dialler(): Promise<Customer> {
  const one = await stories.newCustomer()
  await one.checkOut('STRIPE_PRICE_DIALLER', { meteredPriceIds: ['price_dialler_use'] })
  return one
}

const use = (one: Customer, key: string, amount: number, at = clock()) =>
  one.as((tx) => burnUse(tx, { key, type: 'dial_seconds', amount }, at))
const stripe = stripeOn(sandbox)
/** How many Stripe has counted in the period that runs. */
async function counted(one: Customer): Promise<number> {
  const subscription = (await one.facts()).subscriptions[0]?.id ?? ''
  const { lines } = await stripe.invoices.createPreview({ subscription })
  const [line] = lines.data.filter(({ pricing }) => {
    const price = pricing?.price_details?.price
    return price !== undefined && idOf(price).endsWith('_use')
  })
  return line?.quantity ?? 0
}
const reporting = (changes: Partial<Pick<BillingProvider, 'reportUsage'>> = {}) =>
  createMeteredUsageActivities({ database, billing: { ...billing, ...changes }, clock })
const report = ({ organisationId }: Customer, changes?: Partial<Pick<BillingProvider, 'reportUsage'>>) =>
  reporting(changes).reportUsage({ organisationId, now: clock().getTime() })
const problems = async (one: Customer) => {
  const rows = await one.as((tx) => tx`select key, problem from usage where problem is not null order by key`)
  return rows.map((row) => z.object({ key: z.string(), problem: z.string() }).parse(row))
}

test('included credits burn first, what is beyond is reported minutes later, and the next invoice has it', async () => {
  const one = await dialler()
  expect(await use(one, 'call/1', 40)).toMatchObject({ is: 'taken', balance: 20, metered: 0 })
  expect(await use(one, 'call/2', 50)).toMatchObject({ is: 'taken', balance: 0, metered: 30, crossed: true })
  const usedAt = clock().getTime()
  expect(await one.settle()).toMatchObject({ reportAt: usedAt + 5 * minuteMs })
  expect(await use(one, 'call/3', 12)).toMatchObject({ metered: 12, crossed: false })
  expect(await report(one)).toEqual({ reportAt: null })
  expect(await report(one)).toEqual({ reportAt: null })
  expect(await counted(one)).toBe(42)
  expect(await use(one, 'call/4', 1)).toMatchObject({ crossed: true })
  await report(one)
  await one.wait(32)
  const { invoices } = await billing.listInvoices(one.customerId, { limit: 1, after: null }, AbortSignal.timeout(9_000))
  expect(invoices[0]?.total).toEqual({ amount: 5_000 + 2 * 43, currency: 'USD' })
  // The line of the use brings no credits, and those of the new period burn first again.
  expect(await use(one, 'call/5', 60)).toMatchObject({ metered: 0, balance: 0 })
})

test('a report whose answer was lost, or whose worker was killed, is made again as the same', async () => {
  const one = await dialler()
  await use(one, 'call/1', 70)
  const lost = reporting({
    async reportUsage(...asked) {
      await billing.reportUsage(...asked)
      throw new ProviderError('stripe', 'retry', 'network')
    },
  })
  const asked = { organisationId: one.organisationId, now: clock().getTime() }
  await expect(lost.reportUsage(asked)).rejects.toMatchObject({ code: 'network' })
  expect(await report(one)).toEqual({ reportAt: null })
  expect(await counted(one)).toBe(10)
})

test('one that may have been heard is not repeated once Stripe may have forgotten it, but shown', async () => {
  const one = await dialler()
  await use(one, 'call/1', 70)
  const away = { reportUsage: () => Promise.reject(new ProviderError('stripe', 'retry', 'timeout')) }
  await expect(report(one, away)).rejects.toMatchObject({ code: 'timeout' })
  one.sleep(1)
  await use(one, 'call/2', 5)
  expect(await report(one)).toEqual({ reportAt: null })
  expect(await counted(one)).toBe(5)
  expect(await problems(one)).toEqual([{ key: 'call/1', problem: 'unconfirmed' }])
  expect(await one.timeline()).toContainEqual(
    expect.objectContaining({ type: 'usage.not_reported', details: { problem: 'unconfirmed', count: 1 } }),
  )
})

test('a use that Stripe refuses keeps no other from being reported; a refusal of all of them keeps all', async () => {
  const one = await dialler()
  for (const key of ['call/1', 'call/2', 'call/3']) await use(one, key, 70)
  const refusing = (code: string): Pick<BillingProvider, 'reportUsage'> => ({
    reportUsage: (asked, signal) =>
      asked.identifier.endsWith('call/2')
        ? Promise.reject(new ProviderError('stripe', 'rejected', code))
        : billing.reportUsage(asked, signal),
  })
  await expect(report(one, refusing('invalid_credentials'))).rejects.toMatchObject({ code: 'invalid_credentials' })
  expect(await problems(one)).toEqual([])
  expect(await report(one, refusing('invalid_request'))).toEqual({ reportAt: null })
  expect(await problems(one)).toEqual([{ key: 'call/2', problem: 'invalid_request' }])
  expect(await counted(one)).toBe(10 + 70)
})

test('a hundred go at once, and the rest are told to be left', async () => {
  const one = await dialler()
  await Promise.all(Array.from({ length: 130 }, (_, index) => use(one, `call/${index}`, 10)))
  const began = clock().getTime()
  expect(await report(one)).toEqual({ reportAt: began + 5 * minuteMs })
  expect(await report(one)).toEqual({ reportAt: null })
  expect(await counted(one)).toBe(1_300 - 60)
})

test('uses and reports at the same moment: nothing waits of which the story is not told, and each is reported once', async () => {
  const one = await dialler()
  await use(one, 'first', 60)
  let told = 0
  const uses = Array.from({ length: 60 }, async (_, index) => {
    const { crossed } = await use(one, `call/${index}`, 3)
    if (!crossed) return
    told += 1
    await report(one)
  })
  await Promise.all([...uses, report(one), report(one)])
  expect(told).toBeGreaterThan(0)
  const [state] = await one.as(
    (tx) => tx<{ isReporting: boolean; waiting: number }[]>`
      select is_reporting, (select count(*)::int from usage where metered > 0 and reported_at is null) as waiting
      from credit_accounts`,
  )
  if (state?.waiting !== 0) expect(state?.isReporting).toBe(true)
  await report(one)
  expect(await counted(one)).toBe(180)
  expect(await one.as((tx) => tx`select from credit_accounts where is_reporting`)).toEqual([])
})

test('a change of plan changes what is paid by use with it, and an end meters nothing more', async () => {
  const one = await dialler()
  const subscriptionId = (await one.facts()).subscriptions[0]?.id ?? ''
  await one.wait(3)
  const up = { kind: 'change_plan', subscriptionId, planKey: 'caller', priceKey: 'monthly', when: 'now' } as const
  expect(await one.ask(up)).toMatchObject({ is: 'done' })
  const { subscriptions } = await one.facts()
  expect(subscriptions).toMatchObject([{ items: [{ planKey: 'caller' }], meteredPriceIds: ['price_caller_use'] }])
  expect(await use(one, 'call/1', 10_000)).toMatchObject({ is: 'taken' })
  await report(one)
  expect(await counted(one)).toBeGreaterThan(9_000)
  await use(one, 'call/2', 10)
  await one.ask({ kind: 'cancel', subscriptionId, when: 'now' })
  expect(await use(one, 'call/3', 1)).toMatchObject({ is: 'short' })
  // What was used before is told all the same.
  expect(await report(one)).toEqual({ reportAt: null })
  expect(await one.as((tx) => tx`select key from usage where reported_at is not null order by key`)).toEqual([
    { key: 'call/1' },
    { key: 'call/2' },
  ])
})

test('a change of plan that was made, and is asked for again since its worker was killed, stays as it is', async () => {
  const one = await dialler()
  const subscriptionId = (await one.facts()).subscriptions[0]?.id ?? ''
  const metered = { priceIds: ['price_caller_use'], of: ['price_caller_use', 'price_dialler_use'] }
  const change = { subscriptionId, priceId: 'price_caller', money: 'with_proration', metered } as const
  const ask = () => billing.changePrice(change, `change/${one.organisationId}`, AbortSignal.timeout(9_000))
  expect([await ask(), await ask()]).toEqual([{ is: 'paid' }, { is: 'paid' }])
  const away = { ...change, priceId: 'price_scout', metered: { ...metered, priceIds: [] } }
  await billing.changePrice(away, `away/${one.organisationId}`, AbortSignal.timeout(9_000))
  await one.settle()
  const { subscriptions } = await one.facts()
  expect(subscriptions.map(({ meteredPriceIds = [] }) => meteredPriceIds)).toEqual([[]])
  expect(await use(one, 'call/1', 10_000)).toMatchObject({ is: 'short' })
})

test('a trial meters nothing: Stripe would give it away', async () => {
  const one = await stories.newCustomer()
  await one.checkOut('STRIPE_PRICE_DIALLER', { trialDays: 7, meteredPriceIds: ['price_dialler_use'] })
  expect(await use(one, 'call/1', 1_000)).toMatchObject({ is: 'short', metered: 0 })
  await one.wait(8)
  expect(await use(one, 'call/1', 1_000)).toMatchObject({ is: 'taken' })
})
