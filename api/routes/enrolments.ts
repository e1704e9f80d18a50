import { z } from 'zod'
import type { Tx } from '../../db/client.ts'
import { contactsByExternalIds, enrolContacts, refusals } from '../../db/cohorts.ts'
import {
  allowedFor,
  type Enrolment as EnrolmentRow,
  enrolmentActions,
  findEnrolment,
  listEnrolments,
  resumeHeld,
  steerEnrolment,
} from '../../db/enrolments.ts'
import { findSequence, lockSequence } from '../../db/sequences.ts'
import { enrolmentStatuses, heldReasons, mostEnrolments } from '../../workflows/contracts/sequences.ts'
import { Page, PageQuery, pageOf } from '../paging.ts'
import { found, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { SequenceParams } from './sequence-answers.ts'

const tag = 'Enrolments'

/** The longest external ids, as many as may be given. */
const enrolmentBodyLimit = 5_000_000

const ContactId = z.uuid().toLowerCase()

const Wanted = z
  .strictObject({
    contactId: ContactId.optional(),
    contactIds: z.array(ContactId).min(1).max(mostEnrolments).optional(),
    externalIds: z.array(z.string().min(1).max(200)).min(1).max(mostEnrolments).optional(),
  })
  .refine(
    (given) => Object.values(given).filter((value) => value !== undefined).length === 1,
    'Give exactly one of contactId, contactIds and externalIds.',
  )
  .meta({ id: 'NewEnrolments' })

const count = z.int().min(0)
const askedFor = { externalId: z.string().optional().meta({ description: 'Where people were named by it' }) }

const Enrolled = z
  .strictObject({
    counts: z.strictObject({ enrolled: count, refused: count }),
    enrolled: z.array(z.strictObject({ contactId: z.uuid(), ...askedFor, enrolmentId: z.uuid() })),
    refused: z.array(
      z.strictObject({
        contactId: z.uuid().nullable().meta({ description: 'Null for an externalId that nobody has' }),
        ...askedFor,
        reason: z.enum(refusals).meta({
          description:
            '`already_under_way`: in this sequence. `entered_before`: it may be entered once. `no_address`, `suppressed`: by the channel and purpose of its messages. `consent_withdrawn`: to marketing; where it is missing, messages are left out until it is given',
        }),
      }),
    ),
  })
  .meta({ id: 'Enrolled' })

const Enrolment = z
  .strictObject({
    id: z.uuid(),
    sequenceId: z.uuid(),
    contactId: z.uuid(),
    version: z.int().min(1).meta({ description: 'Of the sequence. It stays, whatever is saved meanwhile' }),
    status: z.enum(enrolmentStatuses).meta({
      description: '`held` waits until a person mends what `reason` names and resumes it. The last two are final',
    }),
    reason: z
      .string()
      .nullable()
      .meta({
        description: `Why it is held, or has ended. Held: \`missing_variable\` (which one, the contact's history says), \`no_common_window\` (a policy with
another window lets them go on by itself), \`internal_error\`, \`workflow_cancelled\``,
      }),
    stepKey: z.string().nullable().meta({ description: 'Where the person is; null before the first step' }),
    arrivedAt: z.iso.datetime().nullable().meta({ description: 'When they came to the step' }),
    dueAt: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'When something is next due; null: when something happens' }),
    waitingFor: z.array(z.string()).nullable().meta({ description: 'The types of events that end the wait' }),
    source: z.string().meta({ description: 'Who asked for it', example: 'key:0198c2b4-5a3e-7c11-9d4f-2b6a1e8f7c30' }),
    createdAt: z.iso.datetime(),
    endedAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Enrolment' })

const controls = {
  pause: {
    summary: 'Pause an enrolment',
    description: 'The person keeps their place; nothing more is claimed for them.',
  },
  resume: {
    summary: 'Resume an enrolment',
    description: 'Goes on from its place. A held one is tried again at once, with what is known of the person now.',
  },
  exit: { summary: 'End an enrolment', description: 'Ends it for good, with the reason `manual`.' },
}

export function enrolmentRoutes(): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/sequences/{id}/enrolments',
      permission: 'messages:send',
      tag,
      summary: 'Enrol people in a sequence',
      description: `Up to ${mostEnrolments} at once, each at most once however often named. Says who was refused and why. Only a live sequence is entered.`,
      params: SequenceParams,
      body: Wanted,
      example: { contactIds: ['0198c2b4-5a3e-7c11-9d4f-2b6a1e8f7c30'] },
      bodyLimit: enrolmentBodyLimit,
      problems: ['wrong_state'],
      success: { status: 202, description: 'They are enrolled and begin as soon as they can', schema: Enrolled },
      handler: ({ params: { id }, body, caller, requestId, now, answerAs }) =>
        answerAs(async (tx) => {
          const { status } = found(await lockSequence(tx, id), 'sequence')
          if (status !== 'live') {
            throw new Problem('wrong_state', `The sequence is ${status}; people enter one that is live.`)
          }
          const { contactIds, externalIdOf, unknown } = await whomOf(tx, body)
          const source = `key:${caller.keyId}`
          const result = await enrolContacts(tx, { sequenceId: id, contactIds, source, requestId, now })
          const enrolled = result.enrolled.map((one) => ({ ...one, ...externalIdOf(one.contactId) }))
          const refused = [
            ...result.refused.map((one) => ({ ...one, ...externalIdOf(one.contactId) })),
            ...unknown.map((one) => ({ contactId: null, externalId: one, reason: 'not_found' as const })),
          ]
          const counts = { enrolled: enrolled.length, refused: refused.length }
          return { body: { counts, enrolled, refused }, workflowIds: result.workflowIds }
        }),
    }),

    route({
      method: 'get',
      path: '/sequences/{id}/enrolments',
      permission: 'sequences:read',
      tag,
      summary: 'List the enrolments of a sequence',
      description: 'The newest first.',
      params: SequenceParams,
      query: PageQuery.extend({
        status: z.enum(enrolmentStatuses).optional(),
        contactId: ContactId.optional().meta({ description: 'Only those of this person' }),
      }),
      success: { status: 200, description: 'A page of enrolments', schema: Page(Enrolment) },
      handler: ({ params: { id }, query: { limit, cursor, status, contactId }, as }) =>
        as(async (tx) => {
          found(await findSequence(tx, id), 'sequence')
          const page = { limit: limit + 1, before: cursor ?? null, status, contactId }
          return { body: pageOf(await listEnrolments(tx, id, page), limit, enrolmentAnswer) }
        }),
    }),

    route({
      method: 'get',
      path: '/enrolments/{id}',
      permission: 'sequences:read',
      tag,
      summary: 'Read an enrolment',
      params: SequenceParams,
      success: { status: 200, description: 'The enrolment', schema: Enrolment },
      async handler({ params: { id }, as }) {
        return { body: enrolmentAnswer(found(await as((tx) => findEnrolment(tx, id)), 'enrolment')) }
      },
    }),

    route({
      method: 'post',
      path: '/sequences/{id}/enrolments/resume',
      permission: 'sequences:write',
      tag,
      summary: 'Resume whoever is held',
      description: 'Everybody in the sequence who is held is tried again at once, once you have mended what held them.',
      params: SequenceParams,
      body: z
        .strictObject({
          reason: z.enum(heldReasons).optional().meta({ description: 'Only those who are held for it' }),
        })
        .meta({ id: 'HeldToResume' }),
      example: { reason: 'missing_variable' },
      success: { status: 200, description: 'How many go on', schema: z.strictObject({ resumed: count }) },
      handler: ({ params: { id }, body: { reason }, caller, requestId, now, answerAs }) =>
        answerAs(async (tx) => {
          found(await findSequence(tx, id), 'sequence')
          const asked = { actor: `key:${caller.keyId}`, requestId, now }
          const { resumed, workflowIds } = await resumeHeld(tx, { sequenceId: id, reason }, asked)
          return { body: { resumed }, workflowIds }
        }),
    }),

    ...enrolmentActions.map((action) => {
      const allowed = allowedFor[action].join(' or ')
      return route({
        method: 'post',
        path: `/enrolments/{id}/${action}`,
        permission: 'sequences:write',
        tag,
        summary: controls[action].summary,
        description: `${controls[action].description} Allowed while it is ${allowed}.`,
        params: SequenceParams,
        problems: ['wrong_state'],
        success: { status: 200, description: 'The enrolment now', schema: Enrolment },
        handler: ({ params: { id }, caller, requestId, now, answerAs }) =>
          answerAs(async (tx) => {
            const asked = { action, actor: `key:${caller.keyId}`, requestId, now }
            const { enrolment, isDone, workflowIds } = found(await steerEnrolment(tx, id, asked), 'enrolment')
            if (!isDone) {
              throw new Problem(
                'wrong_state',
                `The enrolment is ${enrolment.status}; ${action} is for one that is ${allowed}.`,
              )
            }
            return { body: enrolmentAnswer(enrolment), workflowIds }
          }),
      })
    }),
  ]
}

interface Whom {
  contactIds: string[]
  /** What a person was asked for by, where it was an external id. */
  externalIdOf(contactId: string): { externalId?: string }
  /** External ids that nobody has. */
  unknown: string[]
}

async function whomOf(tx: Tx, { contactId, contactIds, externalIds }: z.output<typeof Wanted>): Promise<Whom> {
  if (externalIds === undefined) {
    return { contactIds: contactIds ?? [contactId ?? ''], externalIdOf: () => ({}), unknown: [] }
  }
  const known = await contactsByExternalIds(tx, externalIds)
  const externalIdsKnown = new Map([...known].map(([externalId, id]) => [id, externalId]))
  return {
    contactIds: [...known.values()],
    externalIdOf(id) {
      const externalId = externalIdsKnown.get(id)
      return externalId === undefined ? {} : { externalId }
    },
    unknown: [...new Set(externalIds)].filter((externalId) => !known.has(externalId)),
  }
}

function enrolmentAnswer({ arrivedAt, dueAt, createdAt, endedAt, ...row }: EnrolmentRow): z.input<typeof Enrolment> {
  return {
    ...row,
    arrivedAt: arrivedAt?.toISOString() ?? null,
    dueAt: dueAt?.toISOString() ?? null,
    createdAt: createdAt.toISOString(),
    endedAt: endedAt?.toISOString() ?? null,
  }
}
