import { expect, test } from 'vitest'
import type { SubscriptionDecision } from '../../../workflows/contracts/subscriptions.ts'
import { decideMeteredTypes } from '../../../workflows/rules/metered-types.ts'
import { subscription } from '../../support/billing-situations.ts'

const meters = new Map([
  ['price_calls', { type: 'calls', event: 'calls' }],
  ['price_calls_old', { type: 'calls', event: 'old_calls' }],
  ['price_texts', { type: 'texts', event: 'texts' }],
])
const paid = (id: string, meteredPriceIds: string[], startedAt: number) =>
  subscription({ id, meteredPriceIds, startedAt })
const held = (id: string, more: Partial<SubscriptionDecision> = {}): SubscriptionDecision => ({
  id,
  state: 'active',
  access: 'full',
  overdueSince: null,
  ...more,
})
const ask = (subscriptions: ReturnType<typeof paid>[], decided: SubscriptionDecision[]) =>
  decideMeteredTypes({ subscriptions }, { subscriptions: decided }, meters).map(({ event }) => event)

test('what a subscription has a metered price for is metered, whatever else it has', () => {
  expect(ask([paid('sub_1', ['price_texts', 'price_foreign', 'price_calls'], 1)], [held('sub_1')])).toEqual([
    'texts',
    'calls',
  ])
  expect(ask([subscription({ id: 'sub_1' })], [held('sub_1')])).toEqual([])
})

test('of two meters of a type the oldest subscription has the one that counts', () => {
  const both = [paid('sub_2', ['price_calls'], 2), paid('sub_1', ['price_calls_old'], 1)]
  expect(ask(both, [held('sub_1'), held('sub_2')])).toEqual(['old_calls'])
  expect(ask(both, [held('sub_1', { state: 'ended', access: 'none' }), held('sub_2')])).toEqual(['calls'])
})

test.each<Partial<SubscriptionDecision>>([
  { state: 'trialing' },
  { state: 'grace', access: 'reduced' },
  { state: 'suspended', access: 'none' },
  { state: 'ended', access: 'none' },
])('a subscription that is %j meters nothing', (more) => {
  expect(ask([paid('sub_1', ['price_calls'], 1)], [held('sub_1', more)])).toEqual([])
})
