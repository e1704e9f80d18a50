import { afterAll, expect, test } from 'vitest'
import { livedSubscriptions } from '../support/lived-subscriptions.ts'
import { timeSkipping } from '../support/temporal.ts'
import { writeHistory } from './recording.ts'

// Run by `npm run record-histories`, not by `npm test`: one recording for each path through the life of a subscription.

const skipping = await timeSkipping()
if (!skipping) throw new Error('only the time-skipping server has a month in a second')
const lives = await livedSubscriptions(skipping)
// One worker for all: the server's clock stands still for whoever was left with a task.
const worker = await lives.work()
afterAll(() => worker[Symbol.asyncDispose]())

async function record(one: Awaited<ReturnType<typeof lives.begin>>, name: string): Promise<void> {
  writeHistory(await one.story.fetchHistory(), name)
  await one.story.cancel()
}

test('a trial becomes a subscription, which is renewed and runs low on credits', async () => {
  const one = await lives.begin()
  await one.startCheckout('STRIPE_PRICE_SCOUT', { trialDays: 7 })
  await one.hear()
  await one.isSeen('trialing')
  await one.sleep(45)
  await one.isSeen('active')
  await record(one, 'subscription-trial-renewed')
})

test('payments fail, access goes, and a new card brings it back', async () => {
  const one = await lives.begin()
  await one.startCheckout('STRIPE_PRICE_SCOUT', { trialDays: 1, card: 'pm_card_chargeCustomerFail' })
  await one.hear()
  await one.sleep(3)
  await one.isSeen('past_due')
  await one.sleep(24)
  await one.isSeen('suspended')
  await one.startNewCard('pm_card_visa')
  await one.hear()
  await one.isSeen('active')
  await record(one, 'subscription-failed-recovered')
})

test('a plan is changed at once, one change waits and is taken back, one is refused, and it is cancelled', async () => {
  const one = await lives.begin()
  await one.startCheckout('STRIPE_PRICE_SCOUT')
  await one.hear()
  await one.isSeen('active')
  const subscriptionId = await one.subscriptionId()
  const hunter = { kind: 'change_plan', subscriptionId, planKey: 'hunter', priceKey: 'monthly-249' } as const
  await one.sleep(3)
  expect(await one.askStory({ ...hunter, when: 'now' })).toBe('done')
  const scout = {
    kind: 'change_plan',
    subscriptionId,
    planKey: 'scout',
    priceKey: 'monthly',
    when: 'period_end',
  } as const
  expect(await one.askStory(scout)).toBe('waiting')
  expect(await one.askStory({ kind: 'undo_change', subscriptionId })).toBe('done')
  await expect(one.askStory({ kind: 'undo_cancel', subscriptionId })).rejects.toThrow()
  expect(await one.askStory({ kind: 'cancel', subscriptionId, when: 'period_end' })).toBe('done')
  await one.sleep(45)
  await one.isSeen('ended')
  await record(one, 'subscription-changed-cancelled')
})

test('a pack is refunded in part, disputed and lost', async () => {
  const one = await lives.begin()
  await one.startCheckout('STRIPE_PRICE_CALLS_300')
  await one.hear()
  await expect.poll(async () => (await one.balances())[0]?.balance, { timeout: 20_000 }).toBeGreaterThan(0)
  const [payment] = (await one.facts()).payments
  if (!payment) throw new Error('nothing was paid')
  expect(await one.askStory({ kind: 'refund', paymentId: payment.id, amount: 500 })).toBe('done')
  await lives.sandbox.happen('stripe', { type: 'dispute.open', paymentIntent: payment.id, days: 10 })
  await one.hear()
  await one.sleep(8)
  const dispute = (await one.facts()).disputes[0]
  await lives.sandbox.happen('stripe', { type: 'dispute.lose', disputeId: dispute?.id })
  await one.hear()
  await expect.poll(async () => (await one.balances())[0]?.balance, { timeout: 20_000 }).toBe(0)
  await record(one, 'subscription-refunded-disputed')
})

test('an operator switches charges off, moves a timer, and switches them on again', async () => {
  const one = await lives.begin()
  await one.startCheckout('STRIPE_PRICE_SCOUT', { trialDays: 1, card: 'pm_card_chargeCustomerFail' })
  await one.hear()
  await one.isSeen('trialing')
  await one.askStory({ kind: 'switch_on', name: 'noAutomaticCharge', reason: 'pays by transfer' })
  await one.sleep(2)
  await one.isSeen('past_due')
  const reduced = (await one.timers()).find(({ what }) => what === 'access_reduced')
  await one.askStory({ kind: 'move_timer', timerKey: reduced?.key ?? '', to: lives.clock().getTime() + 3_600_000 })
  await one.sleep(1)
  await one.isSeen('grace')
  await one.startNewCard('pm_card_visa')
  await one.askStory({ kind: 'switch_off', name: 'noAutomaticCharge' })
  await one.isSeen('active')
  await record(one, 'subscription-operated')
})

test('it looks by itself each day, in a new run', async () => {
  const one = await lives.begin({ looksDaily: true })
  await one.startCheckout('STRIPE_PRICE_SCOUT')
  await one.hear()
  await one.isSeen('active')
  await one.sleep(4)
  const first = skipping.client.workflow.getHandle(one.story.workflowId, one.firstRunId)
  writeHistory(await first.fetchHistory(), 'subscription-continued')
})
