import { z } from 'zod'
import { findContactEvent, listContactEvents, recordContactEvent } from '../../db/contact-events.ts'
import { findContact } from '../../db/contacts.ts'
import { customEventType, ownEventFamily } from '../../workflows/contracts/contacts.ts'
import { storyRequestId } from '../idempotency.ts'
import { Page, PageQuery, pageOf } from '../paging.ts'
import { found, invalidInput, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { ContactEvent, ContactParams, eventAnswer, pastTime } from './contact-answers.ts'

const tag = 'Contacts'

const mostDataBytes = 16_000

const asCustom = (name: string) => (name.startsWith('custom.') ? name : `custom.${name}`)

const EventType = z
  .string()
  .refine(
    (name) => !ownEventFamily.test(name),
    'Types of this kind are recorded by Throughline itself. Give a name of your own.',
  )
  .transform(asCustom)
  .pipe(z.string().regex(customEventType, 'Name it by up to 63 of a-z, 0-9, _, . and -, such as signed_up.'))

const NewContactEvent = z
  .strictObject({
    type: EventType.meta({ description: 'A name of yours, with or without `custom.` before it', example: 'signed_up' }),
    data: z
      .record(z.string(), z.json())
      .default({})
      .refine((data) => Buffer.byteLength(JSON.stringify(data)) <= mostDataBytes, `At most ${mostDataBytes} bytes.`),
    occurredAt: z.iso.datetime({ offset: true }).optional().meta({ description: 'When it happened; now, if left out' }),
    key: z
      .string()
      .trim()
      .min(1)
      .max(200)
      .optional()
      .meta({ description: 'The same key for the same contact is the same fact, however often it is told' }),
  })
  .meta({ id: 'NewContactEvent' })

const ToldEvent = ContactEvent.extend({
  created: z.boolean().meta({ description: 'False when it was known by its key: then this is what was told first' }),
}).meta({ id: 'ToldContactEvent' })

export function contactEventRoutes(): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/contacts/{id}/events',
      permission: 'contacts:write',
      tag,
      summary: 'Tell of an event',
      description:
        'Something that happened to a contact in your own systems. It ends journeys whose goal it is, and waits that are for it.',
      params: ContactParams,
      body: NewContactEvent,
      example: { type: 'signed_up', data: { plan: 'pro' }, key: 'signup-17' },
      bodyLimit: 64_000,
      problems: ['conflict'],
      success: { status: 200, description: 'The event as it was recorded', schema: ToldEvent },
      async handler({ params, body, key, requestId, now, answerAs }) {
        const occurredAt = body.occurredAt === undefined ? undefined : new Date(body.occurredAt)
        const wrong = pastTime(now, occurredAt, '/occurredAt')
        if (wrong.length > 0) throw invalidInput(wrong)
        const { id } = params
        const own =
          body.key === undefined ? `request/${storyRequestId(`contacts/${id}/events`, key)}` : `user/${id}/${body.key}`
        return answerAs(async (tx) => {
          const contactId = found(await findContact(tx, id), 'contact').id
          const { type, data } = body
          const event = { contactId, type, data, sourceKey: own, occurredAt: occurredAt ?? now }
          const { isNew, workflowIds } = await recordContactEvent(tx, event, { requestId, now })
          const recorded = found(await findContactEvent(tx, own), 'event')
          if (recorded.type !== type) {
            throw new Problem(
              'conflict',
              `Under this key a ${recorded.type} was told. Give each event a key of its own.`,
            )
          }
          return { body: { ...eventAnswer(recorded), created: isNew }, workflowIds }
        })
      },
    }),

    route({
      method: 'get',
      path: '/contacts/{id}/events',
      permission: 'contacts:read',
      tag,
      summary: "List a contact's events",
      description: 'Your own and ours, in the order in which they were recorded, the newest first.',
      params: ContactParams,
      query: PageQuery.extend({
        type: z
          .string()
          .max(100)
          .transform((name) => (ownEventFamily.test(name) ? name : asCustom(name)))
          .optional()
          .meta({ description: 'Your own with or without `custom.` before it', example: 'custom.signed_up' }),
      }),
      success: { status: 200, description: 'A page of events', schema: Page(ContactEvent) },
      async handler({ params, query: { limit, cursor, type }, as }) {
        const rows = await as(async (tx) => {
          const contact = found(await findContact(tx, params.id), 'contact')
          return listContactEvents(tx, contact.id, { limit: limit + 1, before: cursor ?? null, type })
        })
        return { body: pageOf(rows, limit, eventAnswer) }
      },
    }),
  ]
}
