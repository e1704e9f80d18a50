import type { StoredRequest } from '../../db/billing-requests.ts'
import type { StoryRefused } from '../../temporal-config/stories.ts'
import type { BillingRequest } from '../../workflows/contracts/billing-requests.ts'
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

/** By the story's code, which is one of ours or of what the provider refuses. */
const refusals: ReadonlyMap<string, readonly [ProblemCode, string]> = new Map([
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
])
