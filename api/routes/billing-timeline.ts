import { z } from 'zod'
import { type BillingEvent, listBillingEvents } from '../../db/billing-events.ts'
import { findBillingState } from '../../db/billing-states.ts'
import type { Tx } from '../../db/client.ts'
import { planNames } from '../../db/plans.ts'
import type { BillingFacts } from '../../workflows/contracts/subscriptions.ts'

export const BillingEventAnswer = z
  .strictObject({
    id: z.uuid(),
    type: z.string().meta({ example: 'subscription.started' }),
    at: z.iso.datetime(),
    invoiceNumber: z
      .string()
      .nullable()
      .meta({ description: 'Of the invoice that it is about, where that is open or was paid in the last two years' }),
    plans: z
      .array(z.strictObject({ key: z.string(), name: z.string().nullable() }))
      .meta({ description: 'Those that it is about: subscribed to, paid for, or asked for. `name`: as it is now' }),
    details: z.record(z.string(), z.unknown()).meta({ description: 'Ids, amounts and codes; never people' }),
  })
  .meta({ id: 'BillingEvent' })

/** Events as they are answered, with what the ids in them stand for as far as the last look tells. */
export async function readTimeline(
  tx: Tx,
  page: Parameters<typeof listBillingEvents>[1],
): Promise<{ events: BillingEvent[]; answers: z.input<typeof BillingEventAnswer>[] }> {
  const events = await listBillingEvents(tx, page)
  const { facts, shown } = (await findBillingState(tx)) ?? {}
  const numbers = new Map(Object.entries(shown?.invoiceNumbers ?? {}))
  const told = events.map((event) => {
    const { planKey, plans, ...ids } = About.parse(event.details)
    const billed = Object.values(ids).filter((id) => id !== null)
    const keys = plans ?? (planKey === null ? billed.flatMap((id) => plansBilled(facts, id)) : [planKey])
    return { event, keys: [...new Set(keys)], number: billed.map((id) => numbers.get(id)).find(Boolean) ?? null }
  })
  const names = await planNames(tx, [...new Set(told.flatMap(({ keys }) => keys))])
  const answers = told.map(({ event: { id, type, at, details }, keys, number }) => ({
    id,
    type,
    at: at.toISOString(),
    invoiceNumber: number,
    plans: keys.map((key) => ({ key, name: names.get(key) ?? null })),
    details: withTimes(details),
  }))
  return { events, answers }
}

const name = z.string().nullable().catch(null)

/** What events have in their details, each some of it. `about`: of a notice. */
const About = z.object({
  invoiceId: name,
  paymentId: name,
  about: name,
  planKey: name,
  plans: z.array(z.string()).nullable().catch(null),
})

/** What a payment was for, or an open invoice is. */
function plansBilled(facts: BillingFacts | undefined, id: string): string[] {
  const payment = facts?.payments.find((one) => one.id === id)
  if (payment) return payment.lines.map(({ planKey }) => planKey)
  const open = facts?.openInvoices.find((one) => one.id === id)
  const subscription = open && facts?.subscriptions.find((one) => one.id === open.subscriptionId)
  return subscription?.items.map(({ planKey }) => planKey) ?? []
}

/** Stories count in ms since the epoch, people do not. */
const moments: ReadonlySet<string> = new Set(['expiresAt', 'until', 'to'])

function withTimes(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(details).map(([field, value]) => {
      if (typeof value === 'number' && moments.has(field)) return [field, new Date(value).toISOString()]
      return [field, isObject(value) ? withTimes(value) : value]
    }),
  )
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
