import type { StoredRequest } from '../../db/billing-requests.ts'
import type { StoryRefused } from '../../temporal-config/stories.ts'
import type { BillingRequest } from '../../workflows/contracts/billing-requests.ts'
import type { AgainstChange } from '../../workflows/rules/plan-change-limits.ts'
import { Problem, type ProblemCode } from '../problem.ts'

/** What the story's no to a request means for whoever has asked, and what to do about it. */
export function refusalOf(error: StoryRefused, asked: Pick<StoredRequest, 'request' | 'declineCode'> | null): Problem {
  const declineCode = error.code === 'payment_required' ? asked?.declineCode : null
  if (asked && declineCode) return declined(declineCode, asked.request, error)
  const [code, advice] = refusals.get(error.code) ?? unknownRefusal
  return new Problem(code, `${advice} (${error.message}.)`, { cause: error })
}

/** 402 with what the bank said. */
function declined(declineCode: string, { kind }: BillingRequest, cause: Error): Problem {
  const advice = kind === 'pay_now' ? adviceToPay : adviceByDecline
  const detail =
    advice.get(declineCode) ??
    `The bank declined the charge (${declineCode}), and nothing was changed. Have another card put in by POST /billing/portal, and ask again.`
  return new Problem('payment_required', detail, { members: { declineCode }, cause })
}

/** Where another card is not what helps. */
const adviceByDecline: ReadonlyMap<string, string> = new Map([
  [
    // What was not made left no invoice, and so no page either. A card that is put in at the portal is confirmed there, for what it pays later.
    'authentication_required',
    'The bank wants the person to confirm this payment, for which it has no page, and nothing was changed. Have the card put in anew by POST ' +
      '/billing/portal, where the bank asks them, or another one, and ask again; or change at the end of the period.',
  ],
  [
    'no_payment_method',
    'There is nothing to pay by, and nothing was changed. Have a card put in by POST /billing/portal, and ask again.',
  ],
  ['payment_processing', 'The bank takes its time with the payment: read GET /billing before you ask again.'],
])

const adviceToPay: ReadonlyMap<string, string> = new Map([
  ...adviceByDecline,
  [
    'authentication_required',
    'The bank wants the person to confirm this payment: send them to the `payUrl` of the open invoice in GET /billing.',
  ],
])

const unknownRefusal = [
  'wrong_state',
  'It is too late for that, or too early: read GET /billing for what holds now.',
] as const

/** By why a plan is not changed within its period. */
export const adviceAgainst: Readonly<Record<AgainstChange, string>> = {
  dispute_open:
    'A payment is disputed: until that is decided nothing is refunded, paid by hand or changed at once. GET /billing/timeline tells of it.',
  given_back:
    'What was paid for this period was paid back: a change now would credit it once more. Change at the end of the period.',
  overdue:
    'Something of it is not paid yet: a change now would credit it. Pay it by POST /billing/pay-now first, or change at the end of the period.',
}

const tooLate = (advice: Readonly<Record<string, string>>) =>
  Object.entries(advice).map(([code, detail]) => [code, ['wrong_state', detail]] as const)

/** By the story's code, which is a word of ours or of what the provider refuses. */
const refusals = new Map<string, readonly [ProblemCode, string]>([
  ['conflict', ['conflict', 'Something else is being done that this contradicts: read GET /billing.']],
  [
    'payment_required',
    [
      'payment_required',
      'The payment did not succeed, and nothing was changed. Have another card put in by POST /billing/portal, and ask again.',
    ],
  ],
  ['not_found', ['not_found', 'Stripe has no such thing of this organisation.']],
  ['limit_reached', ['limit_reached', 'That would be more than is allowed.']],
  ...tooLate({
    ...adviceAgainst,
    ends_already: 'The subscription ends with its period: keep it by POST /billing/cancel/undo first.',
    not_movable: 'The timer is not ours to move: read GET /billing/timers for those that are.',
    not_under_way:
      'The subscription has ended, or its first payment is still to be made: GET /billing tells which. What has ended is bought anew by POST /billing/checkout.',
    nothing_to_undo: 'There is nothing to take back: it was taken back before, or is done already. Read GET /billing.',
    switched_already: 'It is switched so already: there is nothing to do.',

    already_refunded: 'Nothing is left of this payment: it was refunded before.',
    amount_too_large: 'That is more than Stripe has left of this payment: give less, or leave out the amount.',
    no_such_card: 'The card is gone: have another one put in by POST /billing/portal, and ask again.',
    no_such_price: 'Stripe does not sell this price any more: choose another one from GET /plans.',
    no_such_subscription: 'The subscription has ended: buy another one by POST /billing/checkout.',
    not_open: 'The invoice is no longer open: there is nothing to pay. GET /billing shows those that are.',
    nothing_to_refund: 'Nothing was paid by card for this invoice: there is nothing to refund.',
    payment_disputed:
      'The payment was disputed, and Stripe refunds none such: whether it goes back is decided by the dispute.',
    several_payments: 'The invoice was paid by several payments: refund each of them at Stripe.',
    several_prices: 'The subscription has several prices at Stripe, and is changed there.',
    unconfirmed: 'Stripe has not said whether it was done: read GET /billing/timeline before you ask again.',
  }),
])
