import { z } from 'zod'
import { findMessage, type ListedMessage, listMessages } from '../../db/message-lists.ts'
import { resolutions, resolveMessage } from '../../db/message-resolutions.ts'
import { channels, messageStatuses, purposes, type RenderedEmail } from '../../workflows/contracts/sending.ts'
import { Page, PageQuery, pageOf } from '../paging.ts'
import { found, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'

const tag = 'Messages'

const id = z.uuid().toLowerCase()
const time = z.iso.datetime().nullable()

const Message = z
  .strictObject({
    id: z.uuid(),
    contactId: z.uuid(),
    channel: z.enum(channels),
    purpose: z.enum(purposes),
    senderId: z.uuid().nullable(),
    enrolmentId: z.uuid().nullable(),
    sequenceId: z.uuid().nullable(),
    stepKey: z.string().nullable(),
    status: z
      .enum(messageStatuses)
      .meta({ description: '`unconfirmed`: it may have gone, and the provider can or does not say' }),
    reason: z.string().nullable().meta({ description: 'Why it did not go, or not yet' }),
    providerMessageId: z.string().nullable(),
    unconfirmedAt: time.meta({ description: 'Since when nobody knows whether it has gone' }),
    lookUp: z.string().nullable().meta({
      description: 'What the provider said when asked for it: found, not_found, not_possible; null: not asked',
    }),
    createdAt: z.iso.datetime(),
    claimedAt: time,
    sentAt: time,
    deliveredAt: time,
    bouncedAt: time,
    complainedAt: time,
    openedAt: time,
    clickedAt: time,
    repliedAt: time,
  })
  .meta({ id: 'Message' })

const Content = z
  .strictObject({
    from: z.string(),
    to: z.string(),
    replyTo: z.string().nullable(),
    subject: z.string(),
    text: z.string(),
    html: z.string(),
  })
  .meta({ id: 'MessageContent' })

const MessageWithContent = Message.extend({
  content: Content.nullable().meta({ description: 'As it was handed over; null as long as it is not written' }),
}).meta({ id: 'MessageWithContent' })

const MessageParams = z.strictObject({ id })

export function messageRoutes(): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/messages',
      permission: 'messages:read',
      tag,
      summary: 'List messages',
      description: 'Everything that has left or is to leave, the newest first.',
      query: PageQuery.extend({
        status: z.enum(messageStatuses).optional(),
        contactId: id.optional(),
        sequenceId: id.optional(),
        enrolmentId: id.optional(),
      }),
      success: { status: 200, description: 'A page of messages', schema: Page(Message) },
      async handler({ query: { limit, cursor, ...filters }, as }) {
        const rows = await as((tx) => listMessages(tx, filters, { limit: limit + 1, before: cursor ?? null }))
        return { body: pageOf(rows, limit, messageAnswer) }
      },
    }),

    route({
      method: 'get',
      path: '/messages/{id}',
      permission: 'messages:read',
      tag,
      summary: 'Read a message',
      params: MessageParams,
      success: { status: 200, description: 'The message with its content', schema: MessageWithContent },
      async handler({ params, as }) {
        const { rendered, ...message } = found(await as((tx) => findMessage(tx, params.id)), 'message')
        return { body: { ...messageAnswer(message), content: rendered && contentOf(rendered) } }
      },
    }),

    route({
      method: 'post',
      path: '/messages/{id}/resolve',
      permission: 'messages:send',
      tag,
      summary: 'Resolve an unconfirmed message',
      description: `For one whose outcome nobody knows, after you have looked it up at the provider: \`sent\`, or \`send_again\`. What is sent again
goes out like any other message, when it may; if it had gone after all, the recipient gets it twice. Its journey stays where it is.`,
      params: MessageParams,
      body: z.strictObject({ as: z.enum(resolutions) }).meta({ id: 'MessageResolution' }),
      example: { as: 'sent' },
      problems: ['wrong_state'],
      success: { status: 200, description: 'The message now', schema: Message },
      handler: ({ params, body, caller, requestId, now, answerAs }) =>
        answerAs(async (tx) => {
          const told = { actor: `key:${caller.keyId}`, requestId, now }
          const resolved = found(await resolveMessage(tx, params.id, body.as, told), 'message')
          if (resolved.is === 'refused') throw wrongState(resolved)
          const { rendered: _, ...message } = found(await findMessage(tx, params.id), 'message')
          return { body: messageAnswer(message), workflowIds: resolved.workflowIds }
        }),
    }),
  ]
}

function wrongState({ status }: { status: string }): Problem {
  const detail =
    status === 'unconfirmed'
      ? 'The journey of this message was ended early: nothing more of it is sent.'
      : `The message is ${status}; resolve is for one that is unconfirmed.`
  return new Problem('wrong_state', detail)
}

function messageAnswer({ createdAt, ...message }: ListedMessage): z.input<typeof Message> {
  return {
    ...message,
    createdAt: createdAt.toISOString(),
    unconfirmedAt: shown(message.unconfirmedAt),
    claimedAt: shown(message.claimedAt),
    sentAt: shown(message.sentAt),
    deliveredAt: shown(message.deliveredAt),
    bouncedAt: shown(message.bouncedAt),
    complainedAt: shown(message.complainedAt),
    openedAt: shown(message.openedAt),
    clickedAt: shown(message.clickedAt),
    repliedAt: shown(message.repliedAt),
  }
}

const shown = (at: Date | null) => at?.toISOString() ?? null

/** What the recipient sees of it; headers and tags are for machines. */
function contentOf({ from, to, replyTo, subject, text, html }: RenderedEmail): z.input<typeof Content> {
  return { from, to, replyTo, subject, text, html }
}
