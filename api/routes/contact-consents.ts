import { z } from 'zod'
import { currentConsents, listConsents, recordConsent } from '../../db/consents.ts'
import { findContact } from '../../db/contacts.ts'
import { consentStates } from '../../workflows/contracts/contacts.ts'
import { Page, PageQuery, pageOf } from '../paging.ts'
import { found, invalidInput } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { ChannelName, Consent, ContactParams, consentAnswer, PurposeName, pastTime } from './contact-answers.ts'

const tag = 'Contacts'

const NewConsent = z
  .strictObject({
    channel: ChannelName,
    purpose: PurposeName,
    state: z.enum(consentStates),
    text: z
      .string()
      .trim()
      .min(1)
      .max(10_000)
      .optional()
      .meta({ description: 'The very words that were agreed to. Needed for `granted`' }),
    textVersion: z.string().trim().min(1).max(200).optional().meta({ description: 'Which version of the words' }),
    source: z.string().trim().min(1).max(500).meta({ description: 'Where it was said', example: 'form /signup' }),
    givenAt: z.iso.datetime({ offset: true }).optional().meta({ description: 'When it was said; now, if left out' }),
  })
  .refine(({ state, text }) => state === 'withdrawn' || text !== undefined, {
    path: ['text'],
    error: 'Give the very words that were agreed to: they are the proof.',
  })
  .meta({ id: 'NewConsent' })

const Consents = Page(Consent)
  .extend({
    current: z
      .array(Consent.pick({ id: true, channel: true, purpose: true, state: true, givenAt: true }))
      .meta({ description: 'What counts now: the newest of each channel and purpose by when it was given' }),
  })
  .meta({ id: 'Consents' })

export function contactConsentRoutes(): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/contacts/{id}/consents',
      permission: 'contacts:write',
      tag,
      summary: 'Record a consent',
      description: `What a person agreed to or took back, with its proof. Nothing is edited: what was given last counts, for everything that is
decided from then on. A consent to e-mail that is withdrawn ends the journeys of its purpose.`,
      params: ContactParams,
      body: NewConsent,
      example: {
        channel: 'email',
        purpose: 'marketing',
        state: 'granted',
        text: 'Send me the newsletter.',
        textVersion: '2026-01',
        source: 'form /signup',
        givenAt: '2026-01-05T12:00:00Z',
      },
      bodyLimit: 64_000,
      success: { status: 200, description: 'The consent as it was recorded', schema: Consent },
      async handler({ params, body, caller, requestId, now, answerAs }) {
        const givenAt = body.givenAt === undefined ? undefined : new Date(body.givenAt)
        const wrong = pastTime(now, givenAt, '/givenAt')
        if (wrong.length > 0) throw invalidInput(wrong)
        return answerAs(async (tx) => {
          const contact = found(await findContact(tx, params.id), 'contact')
          const { consent, workflowIds } = await recordConsent(
            tx,
            {
              ...body,
              contactId: contact.id,
              text: body.text ?? null,
              textVersion: body.textVersion ?? null,
              givenAt: givenAt ?? now,
              actor: `key:${caller.keyId}`,
            },
            { requestId, now },
          )
          return { body: consentAnswer(consent), workflowIds }
        })
      },
    }),

    route({
      method: 'get',
      path: '/contacts/{id}/consents',
      permission: 'contacts:read',
      tag,
      summary: "List a contact's consents",
      description: 'Everything that was recorded, the newest first, and what counts now.',
      params: ContactParams,
      query: PageQuery,
      success: { status: 200, description: 'A page of consents, and what counts now', schema: Consents },
      handler: ({ params, query: { limit, cursor }, as }) =>
        as(async (tx) => {
          const contact = found(await findContact(tx, params.id), 'contact')
          const rows = await listConsents(tx, contact.id, { limit: limit + 1, before: cursor ?? null })
          const current = (await currentConsents(tx, contact.id)).map(({ givenAt, ...consent }) => ({
            ...consent,
            givenAt: givenAt.toISOString(),
          }))
          return { body: { ...pageOf(rows, limit, consentAnswer), current } }
        }),
    }),
  ]
}
