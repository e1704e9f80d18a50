import { z } from 'zod'
import { changeContact, ExternalIdTaken, findContact, listContacts, saveContacts } from '../../db/contacts.ts'
import { planProblem } from '../entitled.ts'
import { Page, PageQuery, pageOf } from '../paging.ts'
import { found, invalidInput, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { Contact, ContactParams, contactAnswer } from './contact-answers.ts'
import { EmailAddress, exampleContact, NewContact, phoneNumber, tooManyProperties } from './contact-definition.ts'

const tag = 'Contacts'

/** A contact with all the properties that it may have, however they are written. */
const contactBodyLimit = 64_000

const SavedContact = z
  .strictObject({
    contact: Contact,
    created: z.boolean().meta({ description: 'False when one with the same externalId was changed' }),
  })
  .meta({ id: 'SavedContact' })

const Filters = PageQuery.extend({
  externalId: z.string().min(1).max(200).optional(),
  email: EmailAddress.optional().meta({ description: 'In whatever case it is written' }),
  phone: z
    .string()
    // In a query a bare + stands for a blank.
    .transform((text) => phoneNumber(text.replace(/^ /, '+'), undefined))
    .pipe(z.string('Give the number with + (as %2B) and its country code, such as %2B15125550100.'))
    .optional()
    .meta({ description: 'E.164', override: { type: 'string' } }),
})

export function contactRoutes(): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/contacts',
      permission: 'contacts:write',
      tag,
      summary: 'Save a contact',
      description: `Makes a contact, or changes the one with the same \`externalId\`: what is given replaces, what is left out stays, null clears.
Several contacts may share an address.`,
      body: NewContact,
      example: exampleContact,
      bodyLimit: contactBodyLimit,
      problems: ['payment_required', 'limit_reached'],
      success: { status: 200, description: 'The contact as it is now', schema: SavedContact },
      handler: ({ body, caller, now, answerAs }) =>
        answerAs(async (tx) => {
          const [saved] = await saveContacts(tx, [body], { organisationId: caller.organisationId, now })
          if (saved?.outcome === 'no_room') throw planProblem(saved.refusal, now)
          if (saved?.outcome !== 'saved') throw invalidInput([tooManyProperties])
          return { body: { contact: contactAnswer(saved.contact), created: saved.isNew } }
        }),
    }),

    route({
      method: 'get',
      path: '/contacts',
      permission: 'contacts:read',
      tag,
      summary: 'List contacts',
      description: 'The newest first. Several filters narrow each other.',
      query: Filters,
      success: { status: 200, description: 'A page of contacts', schema: Page(Contact) },
      async handler({ query: { limit, cursor, ...filters }, caller: { organisationId }, as }) {
        const page = { limit: limit + 1, before: cursor ?? null }
        const rows = await as((tx) => listContacts(tx, page, { organisationId, ...filters }))
        return { body: pageOf(rows, limit, contactAnswer) }
      },
    }),

    route({
      method: 'get',
      path: '/contacts/{id}',
      permission: 'contacts:read',
      tag,
      summary: 'Read a contact',
      params: ContactParams,
      success: { status: 200, description: 'The contact', schema: Contact },
      handler: async ({ params, as }) => ({
        body: contactAnswer(found(await as((tx) => findContact(tx, params.id)), 'contact')),
      }),
    }),

    route({
      method: 'post',
      path: '/contacts/{id}',
      permission: 'contacts:write',
      tag,
      summary: 'Change a contact',
      description: 'What is given replaces, what is left out stays, null clears.',
      params: ContactParams,
      body: NewContact,
      example: { timeZone: 'America/Chicago', properties: { seats: 5 } },
      bodyLimit: contactBodyLimit,
      problems: ['conflict'],
      success: { status: 200, description: 'The contact as it is now', schema: Contact },
      handler: ({ params, body, caller, now, answerAs }) =>
        refusingTakenId(
          answerAs(async (tx) => {
            const saving = { organisationId: caller.organisationId, now }
            const saved = found(await changeContact(tx, params.id, body, saving), 'contact')
            if (saved.outcome === 'refused') throw invalidInput([tooManyProperties])
            return { body: contactAnswer(saved.contact) }
          }),
        ),
    }),
  ]
}

/** The transaction has failed with it, so it is told from outside. */
async function refusingTakenId<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof ExternalIdTaken)) throw error
    throw new Problem('conflict', 'Another contact has this externalId.')
  }
}
