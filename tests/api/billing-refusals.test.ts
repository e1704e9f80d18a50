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
