import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { type ContactChange, saveContacts } from '../../db/contacts.ts'
import { refusalText } from '../entitled.ts'
import { inputErrors } from '../problem.ts'
import { type Endpoint, route, unknownField } from '../route.ts'
import { exampleContact, NewContact, tooManyProperties } from './contact-definition.ts'

const mostContacts = 5_000

/** As many contacts with a kilobyte each. */
const listBodyLimit = 5_000_000

/** How many lines are read before others have their turn. */
const slice = 200

const NewContacts = z
  .strictObject({
    contacts: z
      .array(z.unknown().meta({ override: { $ref: '#/components/schemas/NewContact' } }))
      .min(1)
      .max(mostContacts),
  })
  .meta({ id: 'NewContacts' })

const Line = z.union([
  z.strictObject({ index: z.int(), id: z.uuid(), created: z.boolean() }),
  z.strictObject({ index: z.int(), errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })) }),
])
type Line = z.infer<typeof Line>

const SavedContacts = z
  .strictObject({
    created: z.int(),
    updated: z.int(),
    failed: z.int(),
    lines: z.array(Line).meta({ description: 'What became of each, in their order; pointers lead into the line' }),
  })
  .meta({ id: 'SavedContacts' })

export function contactListRoutes(): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/contacts/list',
      permission: 'contacts:write',
      tag: 'Contacts',
      summary: 'Save many contacts',
      description: `Up to ${mostContacts}, each as if by itself: lines that are wrong, or that the plan has no room for, are reported, the others are saved, all at once. Of several lines
with one \`externalId\` the last counts. A line without one is a new contact each time, so repeat such a list under its Idempotency-Key only.`,
      body: NewContacts,
      example: { contacts: [exampleContact, { externalId: 'user-18', email: 'ben@example.com' }] },
      bodyLimit: listBodyLimit,
      success: { status: 200, description: 'What became of each line', schema: SavedContacts },
      async handler({ body, caller: { organisationId }, now, answerAs }) {
        const { good, bad } = await readLines(body.contacts)
        return answerAs(async (tx) => {
          const contacts = good.map(({ change }) => change)
          const saved = await saveContacts(tx, contacts, { organisationId, now })
          const lines = good.map(({ index }, place): Line => {
            const one = saved[place]
            if (one?.outcome === 'no_room')
              return { index, errors: [{ pointer: '', detail: refusalText(one.refusal) }] }
            if (one?.outcome !== 'saved') return { index, errors: [tooManyProperties] }
            return { index, id: one.contact.id, created: one.isNew }
          })
          return { body: summed([...lines, ...bad].sort((one, other) => one.index - other.index)) }
        })
      },
    }),
  ]
}

interface GoodLine {
  index: number
  change: ContactChange
}

/** A few at a time: thousands of them take a second in all. */
async function readLines(given: readonly unknown[]): Promise<{ good: GoodLine[]; bad: Line[] }> {
  const good: GoodLine[] = []
  const bad: Line[] = []
  for (const [index, line] of given.entries()) {
    const read = NewContact.safeParse(line, { error: unknownField })
    if (read.success) good.push({ index, change: read.data })
    else bad.push({ index, errors: inputErrors(read.error) })
    if (index % slice === slice - 1) await setImmediate()
  }
  const last = new Map(good.map(({ index, change }) => [change.externalId, index]))
  const counts = ({ index, change: { externalId } }: GoodLine) =>
    externalId === undefined || last.get(externalId) === index
  const replaced = good.filter((line) => !counts(line))
  return { good: good.filter(counts), bad: [...bad, ...replaced.map(replacedLine)] }

  function replacedLine({ index, change }: GoodLine): Line {
    const detail = `Line ${last.get(change.externalId)} has the same externalId: that one counts.`
    return { index, errors: [{ pointer: '/externalId', detail }] }
  }
}

function summed(lines: Line[]): z.input<typeof SavedContacts> {
  const saved = lines.filter((line) => 'created' in line)
  const created = saved.filter((line) => line.created).length
  return { created, updated: saved.length - created, failed: lines.length - saved.length, lines }
}
