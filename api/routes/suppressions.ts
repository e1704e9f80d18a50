import { z } from 'zod'
import { type Contact, findContact } from '../../db/contacts.ts'
import { liftSuppression, suppressAddress } from '../../db/suppressing.ts'
import { findSuppression, listSuppressions } from '../../db/suppressions.ts'
import { type Channel, suppressionReasons } from '../../workflows/contracts/sending.ts'
import { Page, PageQuery, pageOf } from '../paging.ts'
import { found, invalidInput } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { ChannelName, Suppression, suppressionAnswer } from './contact-answers.ts'
import { addressWanted, readAddress, suppressionFields } from './suppression-definition.ts'

const tag = 'Suppressions'

const NewSuppression = z
  .strictObject({
    address: z.string().max(320).optional().meta({ description: 'An e-mail address, or a number as E.164' }),
    contactId: z.uuid().toLowerCase().optional().meta({ description: 'Instead: whose address is meant' }),
    ...suppressionFields,
  })
  .refine(({ address, contactId }) => (address === undefined) !== (contactId === undefined), {
    path: ['address'],
    error: 'Give either an address or a contactId.',
  })
  .meta({ id: 'NewSuppression' })

const SavedSuppression = z
  .strictObject({
    suppression: Suppression,
    created: z.boolean().meta({ description: 'False when it was suppressed so already' }),
  })
  .meta({ id: 'SavedSuppression' })

const Filters = PageQuery.extend({
  channel: ChannelName.optional(),
  address: z.string().min(1).max(320).optional().meta({ description: 'Exactly, an e-mail in whatever case' }),
  reason: z.enum(suppressionReasons).optional(),
  includeLifted: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .meta({ description: 'Whether those that no longer count are wanted, too' }),
})

export function suppressionRoutes(): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/suppressions',
      permission: 'contacts:read',
      tag,
      summary: 'List suppressions',
      description: 'Addresses that nobody writes to, the newest first. Several filters narrow each other.',
      query: Filters,
      success: { status: 200, description: 'A page of suppressions', schema: Page(Suppression) },
      async handler({ query: { limit, cursor, includeLifted, ...filters }, caller: { organisationId }, as }) {
        const page = { limit: limit + 1, before: cursor ?? null }
        const filter = { ...filters, lifted: includeLifted }
        const rows = await as((tx) => listSuppressions(tx, organisationId, page, filter))
        return { body: pageOf(rows, limit, suppressionAnswer) }
      },
    }),

    route({
      method: 'post',
      path: '/suppressions',
      permission: 'contacts:write',
      tag,
      summary: 'Suppress an address',
      description: `From the moment of the answer nothing more is begun to be sent there, and whoever has the address leaves the sequences that
write to it. It is kept as a hash, and outlives the contact.`,
      body: NewSuppression,
      example: { address: 'ann@example.com', channel: 'email', purpose: 'marketing', reason: 'opt_out' },
      problems: ['not_found'],
      success: { status: 200, description: 'The suppression', schema: SavedSuppression },
      async handler({ body, caller, requestId, now, answerAs }) {
        const { organisationId } = caller
        const { channel, purpose, reason, contactId } = body
        const given = body.address === undefined ? undefined : readAddress(channel, body.address)
        if (given === null) throw invalidInput([{ pointer: '/address', detail: addressWanted(channel) }])
        return answerAs(async (tx) => {
          const address =
            given ??
            addressOf(found(contactId === undefined ? null : await findContact(tx, contactId), 'contact'), channel)
          const { id, isNew, workflowIds } = await suppressAddress(
            tx,
            {
              organisationId,
              channel,
              address,
              purpose,
              reason,
              contactId,
              occurredAt: now,
              actor: `key:${caller.keyId}`,
              sourceKey: 'suppression',
            },
            { requestId, now },
          )
          const { suppression } = found(await findSuppression(tx, organisationId, id), 'suppression')
          return { body: { suppression: suppressionAnswer({ ...suppression, address }), created: isNew }, workflowIds }
        })
      },
    }),

    route({
      method: 'post',
      path: '/suppressions/{id}/lift',
      permission: 'contacts:write',
      tag,
      summary: 'Lift a suppression',
      description: `Lets the address be written to again, where the person asked for it. It stays in the list with who lifted it and when. Who has
left a sequence stays out of it.`,
      params: z.strictObject({ id: z.uuid().toLowerCase() }),
      success: { status: 200, description: 'The suppression, lifted', schema: Suppression },
      handler: ({ params, caller, requestId, now, answerAs }) =>
        answerAs(async (tx) => {
          const lifting = { organisationId: caller.organisationId, id: params.id, actor: `key:${caller.keyId}` }
          const lifted = found(await liftSuppression(tx, lifting, { requestId, now }), 'suppression')
          return { body: suppressionAnswer(lifted.suppression), workflowIds: lifted.workflowIds }
        }),
    }),
  ]
}

function addressOf({ email, phone }: Contact, channel: Channel): string {
  const address = channel === 'email' ? email : phone
  if (address !== null) return address
  const detail = channel === 'email' ? 'This contact has no e-mail address.' : 'This contact has no phone number.'
  throw invalidInput([{ pointer: '/contactId', detail }])
}
