import { describe, expect, test } from 'vitest'
import { dayMs } from '../support/billing-story.ts'
import { livedSubscriptions } from '../support/lived-subscriptions.ts'
import { timeSkipping } from '../support/temporal.ts'

const skipping = await timeSkipping()
const lives = skipping && (await livedSubscriptions(skipping))

describe.skipIf(!lives)('on the time-skipping server (skipped where none can be had)', () => {
  // On a busy machine the time-skipping server may lose an Update, and with it the time.
  test('two years of one subscription, in seconds', { timeout: 60_000, retry: 1 }, async () => {
    if (!lives) return
    await using _ = await lives.work()
    const one = await lives.begin()
    await one.startCheckout('STRIPE_PRICE_SCOUT', { trialDays: 14 })
    await one.hear()
    await one.isSeen('trialing')
    await one.sleep(200)
    await one.isSeen('active')
    const subscriptionId = await one.subscriptionId()
    const hunter = { planKey: 'hunter', priceKey: 'monthly-249' } as const
    await one.askStory({ kind: 'change_plan', subscriptionId, ...hunter, when: 'now' })
    await one.sleep(100)
    await one.declineCard()
    await one.sleep(45)
    await one.isSeen('suspended')
    await one.startNewCard('pm_card_mastercard')
    await one.hear()
    await one.isSeen('active')
    const scout = { planKey: 'scout', priceKey: 'monthly' } as const
    await one.askStory({ kind: 'change_plan', subscriptionId, ...scout, when: 'period_end' })
    await one.sleep(340)
    await one.isSeen('active')
    await one.askStory({ kind: 'cancel', subscriptionId, when: 'period_end' })
    await one.sleep(45)
    await one.isSeen('ended')

    const timeline = await one.timeline()
    const dayOf = (at: Date) => String(Math.floor((at.getTime() - lives.began) / dayMs)).padStart(4)
    for (const { at, type, details } of timeline) {
      console.log(`day ${dayOf(at)}  ${type.padEnd(24)} ${JSON.stringify(details)}`)
    }
    expect(timeline.at(-1)?.at.getTime()).toBeGreaterThan(lives.began + 700 * dayMs)
    const types = timeline.map(({ type }) => type)
    expect(types.filter((type) => type === 'invoice.paid').length).toBeGreaterThanOrEqual(23)
    expect(new Set(types)).toEqual(
      new Set([
        'subscription.started',
        'subscription.changed',
        'subscription.past_due',
        'subscription.suspended',
        'subscription.recovered',
        'subscription.ended',
        'invoice.paid',
        'invoice.failed',
        'billing.grant_credits',
        'billing.notice',
        'billing.charge',
        'billing.use_card',
        'billing.change_plan',
        'billing.win_back',
        'request.change_plan',
        'request.cancel',
      ]),
    )
  })
})
