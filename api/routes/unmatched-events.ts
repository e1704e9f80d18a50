import { z } from 'zod'
import { listUnmatchedEvents, type UnmatchedEvent } from '../../db/inbound-events.ts'
import { Page, PageQuery, pageOf } from '../paging.ts'
import { checkPlatform } from '../platform.ts'
import { type Endpoint, route } from '../route.ts'

const Unmatched = z
  .strictObject({
    id: z.uuid(),
    provider: z.string().meta({ example: 'stripe' }),
    providerEventId: z.string().meta({ description: 'What it says stands at the provider, under this id' }),
    type: z.string().meta({ description: 'As the provider names it', example: 'customer.subscription.created' }),
    about: z.array(z.string()).meta({
      description:
        'Customer and payments, as the provider names them. Once one of them is known, it goes to its organisation',
      example: ['cus_1'],
    }),
    occurredAt: z.iso.datetime(),
    receivedAt: z.iso.datetime(),
  })
  .meta({ id: 'UnmatchedEvent' })

export function unmatchedEventRoutes(): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/inbound-events/unmatched',
      permission: 'inbound-events:read',
      tag: 'Inbound events',
      summary: 'List what providers told us of nobody whom we know',
      description: `For keys of the platform's organisation. Customers, messages and addresses that no organisation has, perhaps not yet, the newest first.`,
      query: PageQuery.extend({
        provider: z.enum(['resend', 'stripe']).optional().meta({ description: 'Only what this one told' }),
      }),
      success: { status: 200, description: 'A page of events', schema: Page(Unmatched) },
      async handler({ query: { limit, cursor, provider }, as }) {
        const rows = await as(async (tx) => {
          await checkPlatform(tx, 'sees what belongs to nobody')
          return listUnmatchedEvents(tx, { limit: limit + 1, before: cursor ?? null, provider: provider ?? null })
        })
        return { body: pageOf(rows, limit, eventAnswer) }
      },
    }),
  ]
}

function eventAnswer({ occurredAt, receivedAt, ...event }: UnmatchedEvent): z.input<typeof Unmatched> {
  return { ...event, occurredAt: occurredAt.toISOString(), receivedAt: receivedAt.toISOString() }
}
