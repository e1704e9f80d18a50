import { z } from 'zod'
import {
  findSequence,
  findSequenceVersion,
  insertSequence,
  listSequences,
  listSequenceVersions,
  lockSequence,
  saveSequenceVersion,
} from '../../db/sequences.ts'
import { SequenceDefinition } from '../../workflows/contracts/sequences.schema.ts'
import { demand } from '../entitled.ts'
import { Page, PageQuery, pageOf } from '../paging.ts'
import { found, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import {
  Sequence,
  SequenceName,
  SequenceParams,
  SequenceVersion,
  SequenceWithDefinition,
  sequenceAnswer,
  sequencePath,
  VersionWithDefinition,
  versionAnswer,
} from './sequence-answers.ts'
import { checkDefinition, checkSender, isInUse } from './sequence-definition.ts'

const tag = 'Sequences'

/** A hundred steps with templates of a usual length. */
const definitionBodyLimit = 2_000_000

const NewSequence = z.strictObject({ name: SequenceName, definition: SequenceDefinition }).meta({ id: 'NewSequence' })

const NewVersion = z.strictObject({ definition: SequenceDefinition }).meta({ id: 'NewSequenceVersion' })

const exampleDefinition: z.input<typeof SequenceDefinition> = {
  purpose: 'marketing',
  senderId: '0198c2b4-5a3e-7c11-9d4f-2b6a1e8f7c30',
  entry: 'once',
  exitOn: ['reply', 'bounce', 'goal'],
  goal: 'custom.booked',
  steps: [
    {
      key: 'hello',
      type: 'message',
      channel: 'email',
      subject: 'A question about {{ contact.properties.name }}',
      text: 'Hi {{ contact.properties.firstName | default: "there" }},\n\nmay I show you something?\n\n{{ sender.name }}',
    },
    { key: 'three-days', type: 'wait', for: 'P3D' },
    { key: 'morning', type: 'wait', until: { weekdays: [1, 2, 3, 4, 5], at: '09:00' } },
    { key: 'reminder', type: 'message', channel: 'email', subject: 'Did you see it?', text: 'Hi again' },
  ],
}

export function sequenceRoutes(): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/sequences',
      permission: 'sequences:write',
      tag,
      summary: 'Create a sequence',
      description: `As a draft, which nobody enters before it is published. Steps run from the first on; \`next\` goes forward only. Templates are Liquid over
\`contact\` (\`email\`, \`phone\`, \`externalId\`, \`language\`, and what you keep of people below \`properties\`), \`sender\` (\`name\`, \`address\`,
\`postalAddress\`) and \`unsubscribeUrl\`. A variable that is not known of somebody, or empty, holds their step until it is, unless the
template says what to write instead (\`| default: "there"\`). HTML is made of the text where there is none; marketing e-mails end
with the postal address and the unsubscribe link where the templates do not show them.`,
      body: NewSequence,
      example: { name: 'Dentists without booking', definition: exampleDefinition },
      bodyLimit: definitionBodyLimit,
      problems: ['payment_required'],
      success: {
        status: 200,
        description: 'The draft, with its first version',
        schema: SequenceWithDefinition,
        headers: { Location: 'The path of the sequence' },
      },
      handler: ({ body: { name, definition }, caller, now, answerAs }) =>
        answerAs(async (tx) => {
          await demand(tx, { features: ['sequences'] }, now)
          await checkDefinition(tx, definition)
          const id = await insertSequence(tx, { name, definition, actor: `key:${caller.keyId}`, now })
          const sequence = found(await findSequence(tx, id), 'sequence')
          return { body: { ...sequenceAnswer(sequence), definition }, headers: { location: sequencePath(id) } }
        }),
    }),

    route({
      method: 'get',
      path: '/sequences',
      permission: 'sequences:read',
      tag,
      summary: 'List sequences',
      description: 'The newest first.',
      query: PageQuery,
      success: { status: 200, description: 'A page of sequences', schema: Page(Sequence) },
      async handler({ query: { limit, cursor }, as }) {
        const rows = await as((tx) => listSequences(tx, { limit: limit + 1, before: cursor ?? null }))
        return { body: pageOf(rows, limit, sequenceAnswer) }
      },
    }),

    route({
      method: 'get',
      path: '/sequences/{id}',
      permission: 'sequences:read',
      tag,
      summary: 'Read a sequence',
      params: SequenceParams,
      success: { status: 200, description: 'The sequence as people enter it', schema: SequenceWithDefinition },
      handler: ({ params: { id }, as }) =>
        as(async (tx) => {
          const sequence = found(await findSequence(tx, id), 'sequence')
          const { definition } = found(await findSequenceVersion(tx, id, sequence.version), 'version')
          return { body: { ...sequenceAnswer(sequence), definition } }
        }),
    }),

    route({
      method: 'post',
      path: '/sequences/{id}/versions',
      permission: 'sequences:write',
      tag,
      summary: 'Save a version of a sequence',
      description:
        'People enter the newest version from now on; whoever is under way keeps theirs. No version is ever changed, and a step keeps its key.',
      params: SequenceParams,
      body: NewVersion,
      example: { definition: exampleDefinition },
      bodyLimit: definitionBodyLimit,
      problems: ['wrong_state', 'not_allowed_now'],
      success: { status: 200, description: 'The version', schema: VersionWithDefinition },
      handler: ({ params: { id }, body: { definition }, caller, now, answerAs }) =>
        answerAs(async (tx) => {
          const { status } = found(await lockSequence(tx, id), 'sequence')
          if (status === 'archived')
            throw new Problem('wrong_state', 'The sequence is archived: nobody enters it again.')
          await checkDefinition(tx, definition)
          if (isInUse(status)) await checkSender(tx, definition)
          const actor = `key:${caller.keyId}`
          const version = await saveSequenceVersion(tx, id, { definition, actor, now })
          return { body: { ...versionAnswer({ version, actor, createdAt: now }), definition } }
        }),
    }),

    route({
      method: 'get',
      path: '/sequences/{id}/versions',
      permission: 'sequences:read',
      tag,
      summary: 'List the versions of a sequence',
      description: 'The newest first.',
      params: SequenceParams,
      query: PageQuery,
      success: { status: 200, description: 'A page of versions', schema: Page(SequenceVersion) },
      handler: ({ params: { id }, query: { limit, cursor }, as }) =>
        as(async (tx) => {
          found(await findSequence(tx, id), 'sequence')
          const before = cursor === undefined ? null : Number.parseInt(cursor.slice(-7), 16)
          const versions = await listSequenceVersions(tx, id, { limit: limit + 1, before })
          const rows = versions.map((version) => ({ ...version, id: idOfVersion(version.version) }))
          return { body: pageOf(rows, limit, versionAnswer) }
        }),
    }),

    route({
      method: 'get',
      path: '/sequences/{id}/versions/{version}',
      permission: 'sequences:read',
      tag,
      summary: 'Read a version of a sequence',
      params: SequenceParams.extend({
        version: z.coerce
          .number()
          .int()
          .min(1)
          .max(2 ** 31 - 1),
      }),
      success: { status: 200, description: 'The version', schema: VersionWithDefinition },
      handler: ({ params: { id, version }, as }) =>
        as(async (tx) => {
          const row = found(await findSequenceVersion(tx, id, version), 'version')
          return { body: { ...versionAnswer(row), definition: row.definition } }
        }),
    }),
  ]
}

/** A version as cursors know rows. */
function idOfVersion(version: number): string {
  return `00000000-0000-0000-0000-${version.toString(16).padStart(12, '0')}`
}
