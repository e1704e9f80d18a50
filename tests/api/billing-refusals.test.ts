import { expect, test } from 'vitest'
import { refusalOf } from '../../api/routes/billing-refusals.ts'
import { StoryRefused } from '../../temporal-config/stories.ts'
import type { BillingRequest } from '../../workflows/contracts/billing-requests.ts'

const payNow: BillingRequest = { kind: 'pay_now', invoiceId: 'in_1' }
const upgrade: BillingRequest = {
  kind: 'change_plan',
  subscriptionId: 'sub_1',
  planKey: 'hunter',
  priceKey: 'monthly-249',
  when: 'now',
}
const refusedAs = (code: string, request: BillingRequest = upgrade, declineCode: string | null = null) =>
  refusalOf(new StoryRefused(code, code), { request, declineCode })

test('a payment that the bank wants confirmed is confirmed at the page of its invoice, where there is one', () => {
  const detailOf = (request: BillingRequest) =>
    refusedAs('payment_required', request, 'authentication_required').message
  expect(detailOf(payNow)).toMatch(/confirm .* `payUrl` /)
  expect(detailOf(upgrade)).toMatch(/confirm .* no page, and nothing was changed.* POST \/billing\/portal/)
})

test.each([
  ['already_refunded', 'refunded before'],
  ['payment_disputed', 'disputed'],
  ['dispute_open', 'until that is decided'],
  ['not_open', 'nothing to pay'],
  ['nothing_to_undo', 'nothing to take back'],
  ['ends_already', '/billing/cancel/undo'],
  ['not_under_way', '/billing/checkout'],
  ['unconfirmed', 'before you ask again'],
])('what is known of %s is said', (code, advice) => {
  const problem = refusedAs(code)
  expect(problem).toMatchObject({ code: 'wrong_state', message: expect.stringContaining(advice) })
  expect(problem.message).not.toContain('too late')
})

test('an invoice that is not paid though no bank has declined is no longer open', () => {
  expect(refusedAs('not_open', payNow).message).toContain('nothing to pay')
  expect(refusedAs('wrong_state').message).toContain('too late')
})
