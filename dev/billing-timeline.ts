import { z } from 'zod'
import type { ApiClient } from './api-client.ts'

const Event = z.object({ type: z.string(), at: z.string(), details: z.record(z.string(), z.unknown()) })

/** Something that happened to what an organisation subscribes to and pays. */
export type BillingEvent = z.infer<typeof Event>

const Timeline = z.object({ data: z.array(Event) })

/** The hundred newest, the oldest of them first. */
export async function readTimeline(api: ApiClient): Promise<BillingEvent[]> {
  return Timeline.parse(await api.get('/billing/timeline?limit=100')).data.toReversed()
}

/** In a line: when by UTC, and what. */
export function timelineLine({ type, at, details }: BillingEvent): string {
  return `${at.slice(11, 19)} ${type.padEnd(22)} ${sentence(type, details)}`.trimEnd()
}

const Money = z.object({ amount: z.number(), currency: z.string() }).optional()
const Details = z.object({
  state: z.string().catch(''),
  plans: z.array(z.string()).catch([]),
  amount: z.number().catch(0),
  paid: Money,
  due: Money,
  refunded: Money,
  declineCode: z.string().catch('no reason given'),
  type: z.string().catch(''),
  source: z.string().catch(''),
  notice: z.string().catch(''),
  step: z.number().catch(0),
  because: z.string().catch(''),
  outcome: z.string().catch('paid'),
})

function sentence(type: string, details: BillingEvent['details']): string {
  const known = Details.parse(details)
  const { state, plans, amount, paid, due, refunded, declineCode, source, notice, step, because, outcome } = known
  if (type.startsWith('subscription.')) return `${plans.join(', ')} is ${state}`
  switch (type) {
    case 'invoice.paid':
      return money(paid)
    case 'invoice.failed':
      return `${money(due)}: ${declineCode}`
    case 'invoice.refunded':
    case 'invoice.refund_failed':
      return money(refunded)
    case 'billing.charge':
      return `${because}: ${outcome}`
    case 'billing.use_card':
      return 'the subscription goes on with the new card'
    case 'billing.grant_credits':
      return `${amount} ${known.type} by the ${source}`
    case 'billing.notice':
      return `${notice} (${notice.startsWith('credits_') ? `${step} %` : step}): ${outcome}`
    default:
      return JSON.stringify(details)
  }
}

/** What the sample buys has cents. */
function money(given: z.output<typeof Money>): string {
  return given ? `${(given.amount / 100).toFixed(2)} ${given.currency}` : 'an amount'
}
