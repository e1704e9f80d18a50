import { expect, test } from 'vitest'
import { timelineLine } from '../../dev/billing-timeline.ts'

const at = '2026-11-21T22:37:19.123Z'
const price = { amount: 9_900, currency: 'USD' }

test.each([
  ['subscription.started', { state: 'trialing', plans: ['scout'] }, 'scout is trialing'],
  ['invoice.failed', { due: price, declineCode: 'generic_decline' }, '99.00 USD: generic_decline'],
  ['invoice.failed', { due: price, declineCode: null }, '99.00 USD: no reason given'],
  ['invoice.paid', { paid: price }, '99.00 USD'],
  ['invoice.refunded', { refunded: price }, '99.00 USD'],
  ['billing.charge', { because: 'new_card' }, 'new_card: paid'],
  ['billing.use_card', { cardId: 'pm_1' }, 'the subscription goes on with the new card'],
  ['billing.charge', { because: 'new_card', failed: true, outcome: 'lost_card' }, 'new_card: lost_card'],
  ['billing.grant_credits', { type: 'call_seconds', amount: 3_600, source: 'plan' }, '3600 call_seconds by the plan'],
  ['billing.notice', { notice: 'credits_low', step: 20, outcome: 'sent' }, 'credits_low (20 %): sent'],
  ['billing.notice', { notice: 'payment_failed', step: 1, outcome: 'sent' }, 'payment_failed (1): sent'],
  ['dispute.opened', { disputeId: 'du_1' }, '{"disputeId":"du_1"}'],
])('%s %j', (type, details, says) => {
  expect(timelineLine({ type, at, details })).toBe(`22:37:19 ${type.padEnd(22)} ${says}`)
})
