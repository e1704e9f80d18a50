import { z } from 'zod'
import {
  type BillingDifference,
  listDifferences,
  listReconciliations,
  type Reconciliation,
} from '../../db/billing-reconciliations.ts'
import { Page, PageQuery, pageOf } from '../paging.ts'
import { checkPlatform } from '../platform.ts'
import { type Endpoint, route } from '../route.ts'

const tag = 'Billing'

const ReconciliationAnswer = z
  .strictObject({
    id: z.uuid(),
    status: z.enum(['running', 'completed', 'failed']),
    problem: z
      .string()
      .nullable()
      .meta({ description: 'Why it failed, as a code', example: 'stripe:invalid_credentials' }),
    customers: z.int().min(0).meta({ description: 'Compared so far' }),
    differences: z.int().min(0).meta({ description: 'Customers of whom Stripe had something else than was last seen' }),
    unknownCustomers: z.int().min(0).meta({ description: 'Customers with a subscription whom no organisation has' }),
    beganAt: z.iso.datetime(),
    endedAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'BillingReconciliation' })

const DifferenceAnswer = z
  .strictObject({
    id: z.uuid(),
    customerId: z.string().meta({ description: 'At Stripe', example: 'cus_1' }),
    organisationId: z.uuid().nullable().meta({ description: 'Null: a customer whom we do not know' }),
    what: z.array(z.string()).meta({
      description:
        'The facts that differ: `subscriptions`, `openInvoices`, `payments`, `refunds`, `disputes`, `card`; else `unknown_customer`, or `unreadable`',
      example: ['subscriptions'],
    }),
    seenAt: z.iso.datetime(),
    lastSeenAt: z.iso.datetime(),
    repairedAt: z.iso.datetime().nullable().meta({ description: 'Since when it is over' }),
  })
  .meta({ id: 'BillingDifference' })

/** For the platform: what every organisation's story would miss if Stripe's webhooks were all there is. */
export function billingReconciliationRoutes(): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/billing/reconciliations',
      permission: 'billing:read',
      tag,
      summary: 'List the comparisons of all customers with Stripe',
      description: `For keys of the platform's organisation. Every few hours whatever Stripe has of each customer is held against what was last seen of it; a story
that has missed something looks again. The newest first.`,
      query: PageQuery,
      success: { status: 200, description: 'A page of reconciliations', schema: Page(ReconciliationAnswer) },
      async handler({ query: { limit, cursor }, as }) {
        const rows = await as(async (tx) => {
          await checkPlatform(tx, 'sees what concerns all organisations')
          return listReconciliations(tx, { limit: limit + 1, before: cursor ?? null })
        })
        return { body: pageOf(rows, limit, reconciliationAnswer) }
      },
    }),

    route({
      method: 'get',
      path: '/billing/differences',
      permission: 'billing:read',
      tag,
      summary: 'List where Stripe differed from what was seen of it',
      description: `For keys of the platform's organisation. Each stays one until it is over. The newest first.`,
      query: PageQuery.extend({
        open: z
          .enum(['true', 'false'], 'Give true or false.')
          .transform((text) => text === 'true')
          .optional()
          .meta({ description: 'Only those that are not over, or only those that are' }),
      }),
      success: { status: 200, description: 'A page of differences', schema: Page(DifferenceAnswer) },
      async handler({ query: { limit, cursor, open }, as }) {
        const rows = await as(async (tx) => {
          await checkPlatform(tx, 'sees what concerns all organisations')
          return listDifferences(tx, { limit: limit + 1, before: cursor ?? null, isOpen: open ?? null })
        })
        return { body: pageOf(rows, limit, differenceAnswer) }
      },
    }),
  ]
}

function reconciliationAnswer({ beganAt, endedAt, ...row }: Reconciliation): z.input<typeof ReconciliationAnswer> {
  return { ...row, beganAt: beganAt.toISOString(), endedAt: endedAt?.toISOString() ?? null }
}

function differenceAnswer(row: BillingDifference): z.input<typeof DifferenceAnswer> {
  const { seenAt, lastSeenAt, repairedAt, ...told } = row
  return {
    ...told,
    seenAt: seenAt.toISOString(),
    lastSeenAt: lastSeenAt.toISOString(),
    repairedAt: repairedAt?.toISOString() ?? null,
  }
}
