import { z } from 'zod'
import type { Tx } from '../../db/client.ts'
import { liftSlotPause } from '../../db/sender-slots.ts'
import {
  changeSender,
  findSender,
  insertSender,
  listSenders,
  lockSender,
  marketingSequenceOf,
  pauseSender,
  type Sender as Row,
  sequencesOfSender,
} from '../../db/senders.ts'
import { wakeSequences } from '../../db/waking.ts'
import { Page, PageQuery, pageOf } from '../paging.ts'
import { found, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'

const tag = 'Senders'

const address = z.email().max(320)

const fields = {
  name: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .regex(/^\P{Cc}*$/u, 'Give a name of one line.')
    .meta({ description: 'As recipients see it' }),
  address: address.meta({ description: 'Of a domain that the provider has verified' }),
  replyTo: address.nullable().meta({ description: 'Where answers arrive; null: at the address' }),
  postalAddress: z
    .string()
    .trim()
    .min(1)
    .max(500)
    .nullable()
    .meta({ description: 'What the law wants at the foot of an e-mail' }),
  ratePerSecond: z
    .number()
    .min(0.001)
    .max(10_000)
    .multipleOf(0.001, 'Give at most three decimals.')
    .nullable()
    .meta({ description: 'The most messages in a second, exact over everything that runs; null: no limit of ours' }),
}

const NewSender = z
  .strictObject({
    channel: z.literal('email'),
    provider: z.literal('resend'),
    name: fields.name,
    address: fields.address,
    replyTo: fields.replyTo.default(null),
    postalAddress: fields.postalAddress.default(null),
    ratePerSecond: fields.ratePerSecond.default(null),
  })
  .meta({ id: 'NewSender' })

const SenderChanges = z.strictObject(fields).partial().meta({ id: 'SenderChanges' })

const Sender = z
  .strictObject({
    id: z.uuid(),
    channel: z.string(),
    provider: z.string(),
    name: z.string(),
    address: z.string(),
    replyTo: z.string().nullable(),
    postalAddress: z.string().nullable(),
    ratePerSecond: z.number().nullable(),
    pausedAt: z.iso.datetime().nullable(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Sender' })

const SenderParams = z.strictObject({ id: z.uuid().toLowerCase() })

export function senderRoutes(): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/senders',
      permission: 'senders:write',
      tag,
      summary: 'Create a sender',
      description: 'From whom messages go out. Sequences name it by its id.',
      body: NewSender,
      example: {
        channel: 'email',
        provider: 'resend',
        name: 'Corner Bakery',
        address: 'hello@mail.corner-bakery.test',
        replyTo: 'answers@corner-bakery.test',
        postalAddress: 'Corner Bakery, 1 Main Street, Austin, TX 78701',
        ratePerSecond: 2,
      },
      success: { status: 200, description: 'The sender', schema: Sender },
      handler: ({ body, answerAs }) => answerAs(async (tx) => ({ body: senderAnswer(await insertSender(tx, body)) })),
    }),

    route({
      method: 'get',
      path: '/senders',
      permission: 'senders:read',
      tag,
      summary: 'List senders',
      description: 'The newest first.',
      query: PageQuery,
      success: { status: 200, description: 'A page of senders', schema: Page(Sender) },
      async handler({ query: { limit, cursor }, as }) {
        const rows = await as((tx) => listSenders(tx, { limit: limit + 1, before: cursor ?? null }))
        return { body: pageOf(rows, limit, senderAnswer) }
      },
    }),

    route({
      method: 'get',
      path: '/senders/{id}',
      permission: 'senders:read',
      tag,
      summary: 'Read a sender',
      params: SenderParams,
      success: { status: 200, description: 'The sender', schema: Sender },
      handler: async ({ params, as }) => ({
        body: senderAnswer(found(await as((tx) => findSender(tx, params.id)), 'sender')),
      }),
    }),

    route({
      method: 'post',
      path: '/senders/{id}',
      permission: 'senders:write',
      tag,
      summary: 'Change a sender',
      description: `What is not given stays. It holds for every message that has not been handed over yet; by another rate everyone who waits is
looked at anew. While a live or paused sequence sends marketing by it, the postal address may be replaced but not removed.`,
      params: SenderParams,
      body: SenderChanges,
      example: { ratePerSecond: 0.5 },
      problems: ['wrong_state'],
      success: { status: 200, description: 'The sender now', schema: Sender },
      handler: ({ params, body, requestId, now, answerAs }) =>
        answerAs(async (tx) => {
          const before = found(await lockSender(tx, params.id), 'sender')
          if (body.postalAddress === null) await assertAddressIsNotNeeded(tx, before.id)
          const sender = await changeSender(tx, before, body)
          // Those for whom the old rate had no time are due when it would have had one.
          const isPacedAnew = sender.ratePerSecond !== before.ratePerSecond
          const workflowIds = isPacedAnew
            ? await wakeSequences(tx, await sequencesOfSender(tx, sender.id), { requestId, now })
            : []
          return { body: senderAnswer(sender), workflowIds }
        }),
    }),

    route({
      method: 'post',
      path: '/senders/{id}/pause',
      permission: 'senders:write',
      tag,
      summary: 'Pause a sender',
      description: 'Nothing goes out by it any more. Everyone keeps their place.',
      params: SenderParams,
      success: { status: 200, description: 'The sender now', schema: Sender },
      handler: ({ params, now, answerAs }) =>
        answerAs(async (tx) => ({ body: senderAnswer(found(await pauseSender(tx, params.id, now), 'sender')) })),
    }),

    route({
      method: 'post',
      path: '/senders/{id}/resume',
      permission: 'senders:write',
      tag,
      summary: 'Resume a sender',
      description:
        'Those who waited for it go on, each when it is their time. A pause that the provider asked for is over, too.',
      params: SenderParams,
      success: { status: 200, description: 'The sender now', schema: Sender },
      handler: ({ params, requestId, now, answerAs }) =>
        answerAs(async (tx) => {
          const sender = found(await pauseSender(tx, params.id, null), 'sender')
          await liftSlotPause(tx, sender.id, now)
          const workflowIds = await wakeSequences(tx, await sequencesOfSender(tx, sender.id), { requestId, now })
          return { body: senderAnswer(sender), workflowIds }
        }),
    }),
  ]
}

async function assertAddressIsNotNeeded(tx: Tx, senderId: string): Promise<void> {
  const sequence = await marketingSequenceOf(tx, senderId)
  if (sequence === null) return
  const detail = `The sequence "${sequence.name}" (${sequence.id}) sends marketing by it, which must show a postal address.`
  throw new Problem('wrong_state', detail)
}

function senderAnswer({ pausedAt, createdAt, ...sender }: Row): z.input<typeof Sender> {
  return { ...sender, pausedAt: pausedAt?.toISOString() ?? null, createdAt: createdAt.toISOString() }
}
