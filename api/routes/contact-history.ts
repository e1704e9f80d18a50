import { z } from 'zod'
import { contactHistory, type HistoryEntry } from '../../db/contact-history.ts'
import { findContact } from '../../db/contacts.ts'
import { historySentence } from '../history-sentences.ts'
import { Page, PageQuery } from '../paging.ts'
import { found } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { ContactParams } from './contact-answers.ts'

const Entry = z
  .strictObject({
    at: z.iso.datetime(),
    type: z.string().meta({ example: 'message.deferred' }),
    text: z.string().meta({ example: 'not sent: window opens 08:00 America/Chicago' }),
    reason: z.string().nullable().meta({ description: 'As a code', example: 'outside_window' }),
    messageId: z.uuid().nullable(),
    enrolmentId: z.uuid().nullable(),
    sequenceId: z.uuid().nullable(),
    stepKey: z.string().nullable(),
    data: z.unknown().meta({ description: 'What came with an event of your own; null otherwise' }),
  })
  .meta({ id: 'HistoryEntry' })

/** The place where a page ends. Many sources make up a history, so an id alone is none. */
const Place = z
  .string()
  .max(300)
  .transform((text, context) => {
    const parts = /^(-?\d{1,17}) ([a-z0-9_.-]{1,80}\/[0-9a-f-]{36})$/.exec(Buffer.from(text, 'base64url').toString())
    if (parts?.[1] !== undefined && parts[2] !== undefined) return { atMicros: parts[1], key: parts[2] }
    context.addIssue('Give the nextCursor of the page before as it was.')
    return z.NEVER
  })
  .meta({ description: 'The nextCursor of the page before; without it the list begins', override: { type: 'string' } })

export function contactHistoryRoutes(): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/contacts/{id}/history',
      permission: 'contacts:read',
      tag: 'Contacts',
      summary: "Read a contact's history",
      description: `Everything that happened to a person and was decided about them, the newest first, each in one sentence: what was sent and
what became of it, what was not sent and why, where they entered and left, what they agreed to and took back.`,
      params: ContactParams,
      query: PageQuery.extend({ cursor: Place.optional() }),
      success: { status: 200, description: 'A page of the history', schema: Page(Entry) },
      async handler({ params, query: { limit, cursor }, caller: { organisationId }, as }) {
        const entries = await as(async (tx) => {
          const { id, email, phone } = found(await findContact(tx, params.id), 'contact')
          const page = { limit: limit + 1, before: cursor ?? null }
          return contactHistory(tx, { id, email, phone, organisationId }, page)
        })
        const data = entries.slice(0, limit).map(entryAnswer)
        const last = entries.length > limit ? entries[limit - 1] : undefined
        return { body: { data, nextCursor: last ? placeAfter(last) : null } }
      },
    }),
  ]
}

function entryAnswer(entry: HistoryEntry): z.input<typeof Entry> {
  const { at, type, messageId, enrolmentId, sequenceId, stepKey } = entry
  const data = type.startsWith('custom.') ? entry.data : null
  const { text, reason } = historySentence(entry)
  return { at: at.toISOString(), type, text, reason, messageId, enrolmentId, sequenceId, stepKey, data }
}

function placeAfter({ atMicros, key }: HistoryEntry): string {
  return Buffer.from(`${atMicros} ${key}`).toString('base64url')
}
