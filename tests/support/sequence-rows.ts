import { addressHash } from '../../db/addresses.ts'
import type { Database } from '../../db/client.ts'
import { insertSequence, setSequenceStatus } from '../../db/sequences.ts'
import type { SequenceDefinition, SequenceStatus } from '../../workflows/contracts/sequences.ts'
import { senderRow } from './sender-rows.ts'

const now = new Date('2026-01-05T12:00:00Z')

/** So many people with e-mail addresses of their own. Returns their ids in order. */
export async function peopleRows(database: Database, organisationId: string, count: number): Promise<string[]> {
  const emails = Array.from({ length: count }, () => `${crypto.randomUUID()}@example.test`)
  const hashes = emails.map((email) => addressHash(organisationId, 'email', email).toString('hex'))
  const rows = await database.as(
    organisationId,
    (tx) => tx<{ id: string }[]>`
      insert into contacts (external_id, email, email_hash)
      select 'x-' || email, email, decode(hash, 'hex') from unnest(${emails}::text[], ${hashes}::text[]) as one (email, hash)
      returning id`,
  )
  return rows.map(({ id }) => id).sort()
}

/** Two messages with a wait between them. */
export const welcome: Omit<SequenceDefinition, 'senderId'> = {
  purpose: 'marketing',
  entry: 'once',
  exitOn: ['reply'],
  goal: null,
  steps: [
    { key: 'hello', type: 'message', channel: 'email', subject: 'Hello', text: 'Hello' },
    { key: 'pause', type: 'wait', for: 'P3D' },
    { key: 'reminder', type: 'message', channel: 'email', subject: 'Still there?', text: 'Hello again' },
  ],
}

/** A sequence, live unless told otherwise. Returns its id. */
export async function sequenceRow(
  database: Database,
  organisationId: string,
  { status = 'live', ...changes }: Partial<SequenceDefinition> & { status?: SequenceStatus } = {},
): Promise<string> {
  const senderId = changes.senderId ?? (await senderRow(database, organisationId))
  return database.as(organisationId, async (tx) => {
    const definition = { ...welcome, senderId, ...changes }
    const id = await insertSequence(tx, { name: 'Welcome', definition, actor: 'key:1', now })
    await setSequenceStatus(tx, id, status, now)
    return id
  })
}
