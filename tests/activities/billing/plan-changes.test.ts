import { expect, test } from 'vitest'
import type { Act } from '../../../workflows/contracts/subscriptions.ts'
import { billingStories } from '../../support/billing-story.ts'

const stories = await billingStories()
const { newCustomer } = stories

const minute = 1 / 1_440

test('a change of plan is charged at once or not made at all, and one for the end of the period waits for it', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_SCOUT')
  const { subscriptions } = await one.facts()
  const subscriptionId = subscriptions[0]?.id ?? ''
  await one.wait(10)
  const up = { kind: 'change_plan', subscriptionId, planKey: 'hunter', priceKey: 'monthly-249', when: 'now' } as const
  expect(await one.ask(up)).toMatchObject({ is: 'done' })
  const after = await one.facts()
  expect(after.subscriptions[0]?.items.map(({ planKey }) => planKey)).toEqual(['hunter'])
  expect(after.payments).toHaveLength(2)
  const down = {
    kind: 'change_plan',
    subscriptionId,
    planKey: 'scout',
    priceKey: 'monthly',
    when: 'period_end',
  } as const
  expect(await one.ask(down)).toMatchObject({ is: 'waiting' })
  expect(await one.ask({ kind: 'undo_change', subscriptionId })).toMatchObject({ is: 'done' })
  expect(await one.ask(down)).toMatchObject({ is: 'waiting' })
  await one.wait(25)
  const end = await one.facts()
  expect(end.subscriptions[0]?.items.map(({ planKey }) => planKey)).toEqual(['scout'])
  // Killed before the act had ended: the next attempt finds the change made.
  const { organisationId } = one
  const [made] = await one.as(
    (tx) => tx<{ act: Act }[]>`
      update billing_acts set status = 'doing', ended_at = null where act ->> 'is' = 'change_plan' returning act`,
  )
  if (made) await stories.activities.performAct({ organisationId, act: made.act, now: stories.clock().getTime() })
  const ended = await one.as((tx) => tx`select status, outcome from billing_acts where act ->> 'is' = 'change_plan'`)
  expect([...ended]).toEqual([{ status: 'done', outcome: null }])
  // The period that followed was invoiced by the new plan.
  const invoices = await stories.billing.listInvoices(
    one.customerId,
    { limit: 10, after: null },
    AbortSignal.timeout(9_000),
  )
  expect(invoices.invoices[0]?.total).toEqual({ amount: 9_900, currency: 'USD' })
})

test('a plan is not changed at once while its period is not paid, or what was paid for it is given back: Stripe would credit it', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_COMMAND', { trialDays: 7 })
  const subscriptionId = (await one.facts()).subscriptions[0]?.id ?? ''
  const down = { kind: 'change_plan', subscriptionId, planKey: 'scout', priceKey: 'monthly', when: 'now' } as const
  await one.declineCard()
  // The invoice of the first period that is paid is drafted, and in an hour its charge will fail.
  await one.wait(7 + 0.01)
  expect((await one.facts()).subscriptions[0]?.status).toBe('active')
  expect(await one.ask(down)).toMatchObject({ is: 'refused', code: 'overdue' })
  await one.wait(1)
  expect(await one.ask(down)).toMatchObject({ is: 'refused', code: 'overdue', look: { state: 'past_due' } })
  await one.newCard('pm_card_visa')
  const paymentId = (await one.facts()).payments.find(({ amount }) => amount > 0)?.id ?? ''
  expect(await one.ask({ kind: 'refund', paymentId, amount: 100 })).toMatchObject({ is: 'done' })
  expect(await one.ask(down)).toMatchObject({ is: 'refused', code: 'given_back' })
  expect((await one.facts()).subscriptions[0]?.items.map(({ planKey }) => planKey)).toEqual(['command'])
})

test('a change that waits and is moved into the period is paid for, and credited', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_SCOUT')
  const subscriptionId = (await one.facts()).subscriptions[0]?.id ?? ''
  const wanted = { kind: 'change_plan', subscriptionId, when: 'period_end' } as const
  await one.wait(10)
  const moved = async (planKey: string, priceKey: string) => {
    expect(await one.ask({ ...wanted, planKey, priceKey })).toMatchObject({ is: 'waiting' })
    const timer = (await one.timers()).find(({ what }) => what === 'change_plan')
    const to = stories.clock().getTime()
    const before = await totals()
    expect(await one.ask({ kind: 'move_timer', timerKey: timer?.key ?? '', to })).toMatchObject({ is: 'done' })
    return (await totals()) - before
  }
  const totals = async () => {
    const asked = { limit: 50, after: null }
    const { invoices } = await stories.billing.listInvoices(one.customerId, asked, AbortSignal.timeout(9_000))
    return invoices.reduce((sum, { total }) => sum + total.amount, 0)
  }
  // Two thirds of the period are left.
  expect(await moved('hunter', 'monthly-249')).toBeGreaterThan(9_000)
  expect((await one.facts()).subscriptions[0]?.items.map(({ planKey }) => planKey)).toEqual(['hunter'])
  await one.wait(1)
  expect(await moved('scout', 'monthly')).toBeLessThan(-8_000)
  // Of a period that is not paid nothing is credited: the change is over, and another can be asked for.
  await one.declineCard()
  await one.wait(25)
  expect(await moved('hunter', 'monthly-249')).toBe(0)
  const [ended] = await one.as(
    (tx) => tx`select status, reason from billing_requests order by id desc offset 1 limit 1`,
  )
  expect(ended).toEqual({ status: 'refused', reason: 'overdue' })
})

test('a change of plan whose charge is declined changes nothing', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_SCOUT')
  await one.declineCard()
  const subscriptionId = (await one.facts()).subscriptions[0]?.id ?? ''
  const up = { kind: 'change_plan', subscriptionId, planKey: 'hunter', priceKey: 'monthly-249', when: 'now' } as const
  const refused = { is: 'refused', code: 'payment_required', declineCode: 'generic_decline' }
  const { requestId, ...outcome } = await one.ask(up)
  expect(outcome).toMatchObject(refused)
  const asked = { organisationId: one.organisationId, requestId, now: stories.clock().getTime() }
  expect(await stories.activities.carryOutRequest(asked)).toEqual(refused)
  expect((await one.timeline()).at(-1)).toMatchObject({ type: 'request.change_plan', details: { outcome: refused } })
  expect((await one.facts()).subscriptions[0]?.items.map(({ planKey }) => planKey)).toEqual(['scout'])
  expect(await one.subscriptions()).toMatchObject([{ state: 'active' }])
})

test('whoever goes up and down again has neither the money nor the credits of it', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_SCOUT')
  const subscriptionId = (await one.facts()).subscriptions[0]?.id ?? ''
  const to = (planKey: string) =>
    one.ask({ kind: 'change_plan', subscriptionId, planKey, priceKey: 'monthly', when: 'now' } as const)
  for (let rounds = 0; rounds < 3; rounds += 1) {
    await one.wait(minute)
    expect(await to('command')).toMatchObject({ is: 'done' })
    expect((await one.balances())[0]?.balance).toBeGreaterThan(30_000)
    await one.wait(minute)
    expect(await to('scout')).toMatchObject({ is: 'done' })
    const balance = (await one.balances())[0]?.balance ?? 0
    expect(Math.abs(balance - 3_600)).toBeLessThan(10 * (rounds + 1))
  }
})

test('a card that was replaced is charged no more, neither for a change of plan nor for the next period', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_SCOUT')
  await one.declineCard()
  const subscriptionId = (await one.facts()).subscriptions[0]?.id ?? ''
  const up = { kind: 'change_plan', subscriptionId, planKey: 'hunter', priceKey: 'monthly-249', when: 'now' } as const
  await one.wait(3)
  expect(await one.ask(up)).toMatchObject({ is: 'refused', code: 'payment_required' })
  await one.newCard('pm_card_mastercard')
  expect(await one.ask(up)).toMatchObject({ is: 'done' })
  expect(await one.wait(35)).toMatchObject({ state: 'active' })
  expect((await one.timeline()).filter(({ type }) => type === 'billing.charge')).toEqual([])
})

test('a change that waits in a trial waits for the end of the period that is paid, also where the trial ends early', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_SCOUT', { trialDays: 14 })
  const subscriptionId = (await one.facts()).subscriptions[0]?.id ?? ''
  const later = {
    kind: 'change_plan',
    subscriptionId,
    planKey: 'hunter',
    priceKey: 'monthly-249',
    when: 'period_end',
  } as const
  expect(await one.ask(later)).toMatchObject({ is: 'waiting' })
  await stories.sandbox.happen('stripe', { type: 'trial.end', subscription: subscriptionId })
  await one.wait(20)
  const planKeys = async () => (await one.facts()).subscriptions[0]?.items.map(({ planKey }) => planKey)
  expect(await planKeys()).toEqual(['scout'])
  // Taken back before the end, an end by the customer takes nothing with it.
  expect(await one.ask({ kind: 'cancel', subscriptionId, when: 'period_end' })).toMatchObject({ is: 'done' })
  expect(await one.ask({ kind: 'undo_cancel', subscriptionId })).toMatchObject({ is: 'done' })
  await one.wait(12)
  expect(await planKeys()).toEqual(['hunter'])
})

test('while a payment is disputed no plan is changed at once', async () => {
  const one = await newCustomer()
  await one.checkOut('STRIPE_PRICE_SCOUT')
  const { subscriptions, payments } = await one.facts()
  await stories.sandbox.happen('stripe', { type: 'dispute.open', invoice: payments[0]?.id, days: 10 })
  await one.settle()
  const subscriptionId = subscriptions[0]?.id ?? ''
  const up = { kind: 'change_plan', subscriptionId, planKey: 'hunter', priceKey: 'monthly-249', when: 'now' } as const
  expect(await one.ask(up)).toMatchObject({ is: 'refused', code: 'dispute_open' })
})
