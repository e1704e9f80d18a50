import { Worker } from '@temporalio/worker'
import { describe, expect, test, vi } from 'vitest'
import type { BillingRequest } from '../../workflows/contracts/billing-requests.ts'
import {
  carryOut,
  lookAgain,
  subscriptionId,
  subscriptionView,
} from '../../workflows/contracts/subscription-lifecycle.ts'
import { billingStories, dayMs } from '../support/billing-story.ts'
import { workflowBundle } from '../support/campaign-world.ts'
import { timeSkipping } from '../support/temporal.ts'

const skipping = await timeSkipping()

describe.skipIf(!skipping)('on the time-skipping server (skipped where none can be had)', () => {
  test('two years of one subscription, in seconds', { timeout: 120_000 }, async () => {
    if (!skipping) return
    const { client, nativeConnection: connection } = skipping
    const began = await skipping.currentTimeMs()
    const stories = await billingStories(new Date(began))
    const one = await stories.newCustomer()
    const worker = await Worker.create({
      connection,
      taskQueue: 'two-years',
      ...(await workflowBundle()),
      activities: stories.activities,
    })
    const running = worker.run()
    const handle = await client.workflow.start('subscriptionLifecycle', {
      workflowId: subscriptionId(one.organisationId),
      taskQueue: 'two-years',
      // Without its daily look: what comes by itself is told by timers alone.
      args: [{ organisationId: one.organisationId, carried: { lookAt: began + 800 * dayMs } }],
    })
    const story = client.workflow.getHandle(handle.workflowId)
    const isSeen = (state: string) =>
      vi.waitFor(async () => expect(await story.query(subscriptionView)).toMatchObject({ state }), {
        timeout: 20_000,
        interval: 20,
      })
    const sleep = async (days: number) => {
      await skipping.sleep(days * dayMs)
      stories.follow(await skipping.currentTimeMs())
    }
    const ask = async (request: BillingRequest) => {
      const requestId = await one.request(request)
      return story.executeUpdate(carryOut, { args: [requestId] })
    }

    await one.startCheckout('STRIPE_PRICE_SCOUT', { trialDays: 14 })
    await story.signal(lookAgain)
    await isSeen('trialing')
    await sleep(200)
    await isSeen('active')
    const subscription = (await one.facts()).subscriptions[0]?.id ?? ''
    const hunter = { planKey: 'hunter', priceKey: 'monthly-249' } as const
    await ask({ kind: 'change_plan', subscriptionId: subscription, ...hunter, when: 'now' })
    await sleep(100)
    await one.declineCard()
    await sleep(45)
    await isSeen('suspended')
    await one.startNewCard('pm_card_mastercard')
    await story.signal(lookAgain)
    await isSeen('active')
    await ask({
      kind: 'change_plan',
      subscriptionId: subscription,
      planKey: 'scout',
      priceKey: 'monthly',
      when: 'period_end',
    })
    await sleep(340)
    await isSeen('active')
    await ask({ kind: 'cancel', subscriptionId: subscription, when: 'period_end' })
    await sleep(45)
    await isSeen('ended')
    worker.shutdown()
    await running

    const timeline = await one.timeline()
    const days = (at: Date) => String(Math.floor((at.getTime() - began) / dayMs)).padStart(4)
    for (const { at, type, details } of timeline)
      console.log(`day ${days(at)}  ${type.padEnd(24)} ${JSON.stringify(details)}`)
    expect(timeline.at(-1)?.at.getTime()).toBeGreaterThan(began + 700 * dayMs)
    const types = timeline.map(({ type }) => type)
    expect(types.filter((type) => type === 'invoice.paid').length).toBeGreaterThanOrEqual(23)
    expect(types).toEqual(
      expect.arrayContaining([
        'subscription.started',
        'subscription.past_due',
        'subscription.recovered',
        'subscription.ended',
        'billing.win_back',
      ]),
    )
  })
})
