import { z } from 'zod'
import type { BillingEvent } from '../../db/billing-events.ts'
import { findBillingState } from '../../db/billing-states.ts'
import type { Database } from '../../db/client.ts'
import { findStripeCustomer } from '../../db/stripe-customers.ts'
import { Page, PageQuery } from '../paging.ts'
import { ownOrNamed } from '../platform.ts'
import { askProvider, type Refusals } from '../provider-calls.ts'
import { type Endpoint, route } from '../route.ts'
import { Billing, iso, Money, TimerAnswer, timerAnswer } from './billing-answers.ts'
import { billingAnswer, readBilling } from './billing-overview.ts'
import { type BillingSource, billingOf } from './billing-source.ts'
import { BillingEventAnswer, readTimeline } from './billing-timeline.ts'

const tag = 'Billing'

const Named = z
  .uuid()
  .optional()
  .meta({ description: "Another organisation, for keys of the platform's; default your own" })

const cursorText = 'Give the nextCursor of the page before as it was.'
const cursorMeta = { description: 'The nextCursor of the page before; without it the list begins' }

/** The place where a page ends. Several things may happen in one moment. */
const Place = z
  .string()
  .max(100)
  .transform((text, context) => {
    const parts = /^(\d{1,17}) ([0-9a-f-]{36})$/.exec(Buffer.from(text, 'base64url').toString())
    if (parts?.[1] !== undefined && parts[2] !== undefined) return { atMicros: parts[1], id: parts[2] }
    context.addIssue(cursorText)
    return z.NEVER
  })
  .meta({ ...cursorMeta, override: { type: 'string' } })

const Invoice = z
  .strictObject({
    id: z.string().meta({ description: 'By which what was paid is refunded: of a purchase, its payment\u2019s' }),
    kind: z.enum(['invoice', 'purchase']).meta({
      description: '`purchase`: bought once by a checkout, of which Stripe makes no invoice, such as a pack of credits',
    }),
    number: z.string().nullable().meta({ description: 'Null: it has none yet, or is a purchase' }),
    status: z.string().meta({ description: 'As Stripe names it', example: 'paid' }),
    total: Money,
    lines: z.array(z.string()).meta({ description: 'What it was for as Stripe words it, the first ten lines' }),
    createdAt: z.iso.datetime().meta({ description: 'Of a purchase, when its checkout was begun' }),
    url: z.string().nullable().meta({
      description: 'Where it can be seen, and paid while it is open; of a purchase, its receipt',
    }),
  })
  .meta({ id: 'Invoice' })

const refusals: Refusals = {
  no_such_customer: ['wrong_state', 'Stripe does not know this organisation any more: the platform has to mend that.'],
  no_such_invoice: ['invalid_input', cursorText, '/query/cursor'],
}

export function billingRoutes({
  database,
  billing,
  stripePrices,
}: {
  database: Database
  billing: BillingSource
  stripePrices: Readonly<Record<string, string>>
}): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/billing',
      permission: 'billing:read',
      tag,
      summary: 'Read how billing stands',
      description: `Everything in one object: what is subscribed to, what is allowed and how much of it is used, what is owed, and what is to come and when. As
it was last seen at Stripe (\`seenAt\`); after each change there it is looked at anew within seconds.`,
      query: z.strictObject({ organisationId: Named }),
      success: { status: 200, description: 'How it stands', schema: Billing },
      async handler(call) {
        const { as } = await ownOrNamed(database, call, call.query.organisationId)
        return { body: billingAnswer(await as((tx) => readBilling(tx, call.now)), stripePrices) }
      },
    }),

    route({
      method: 'get',
      path: '/billing/timers',
      permission: 'billing:read',
      tag,
      summary: 'List what is to come',
      description: `The timers of an organisation, the earliest first: notices, charges, ends of trials and periods. The platform's operators move those that
are ours by POST /billing/timers/move.`,
      query: z.strictObject({ organisationId: Named }),
      success: { status: 200, description: 'The timers', schema: z.strictObject({ data: z.array(TimerAnswer) }) },
      async handler(call) {
        const { as } = await ownOrNamed(database, call, call.query.organisationId)
        return { body: { data: (await as(findBillingState))?.timers.map(timerAnswer) ?? [] } }
      },
    }),

    route({
      method: 'get',
      path: '/billing/timeline',
      permission: 'billing:read',
      tag,
      summary: 'List what happened',
      description: 'What was subscribed to, paid, missed, changed and granted, each once, the newest first.',
      query: PageQuery.extend({ cursor: Place.optional(), organisationId: Named }),
      success: { status: 200, description: 'A page of the timeline', schema: Page(BillingEventAnswer) },
      async handler(call) {
        const { limit, cursor = null, organisationId } = call.query
        const { as } = await ownOrNamed(database, call, organisationId)
        const { events, answers } = await as((tx) => readTimeline(tx, { limit: limit + 1, before: cursor }))
        const last = events.length > limit ? events[limit - 1] : undefined
        return { body: { data: answers.slice(0, limit), nextCursor: last ? placeAfter(last) : null } }
      },
    }),

    route({
      method: 'get',
      path: '/billing/invoices',
      permission: 'billing:read',
      tag,
      summary: 'List the invoices',
      description: 'And what was bought without one, as Stripe has it at this moment, the newest first.',
      query: PageQuery.extend({
        cursor: z
          .string()
          .regex(/^(in_\w{1,250})?\.(cs_\w{1,250})?$/, cursorText)
          .optional()
          .meta(cursorMeta),
        organisationId: Named,
      }),
      problems: ['wrong_state', 'not_allowed_now'],
      success: { status: 200, description: 'A page of invoices', schema: Page(Invoice) },
      async handler(call) {
        const { limit, cursor = null, organisationId } = call.query
        const { as } = await ownOrNamed(database, call, organisationId)
        const customerId = await as(findStripeCustomer)
        if (customerId === null) return { body: { data: [], nextCursor: null } }
        const provider = billingOf(billing)
        const { invoices, after } = await askProvider(
          (signal) => provider.listInvoices(customerId, { limit, after: cursor }, signal),
          refusals,
        )
        const data = invoices.map(({ createdAt, ...invoice }) => ({ ...invoice, createdAt: iso(createdAt) }))
        return { body: { data, nextCursor: after } }
      },
    }),
  ]
}

function placeAfter({ atMicros, id }: BillingEvent): string {
  return Buffer.from(`${atMicros} ${id}`).toString('base64url')
}
