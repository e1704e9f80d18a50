import type { SequenceDefinition, SequenceStatus } from '../workflows/contracts/sequences.ts'
import type { Tx } from './client.ts'
import type { NewSender } from './senders.ts'

export interface Sequence {
  id: string
  name: string
  status: SequenceStatus
  /** The newest, which people enter. */
  version: number
  actor: string
  createdAt: Date
  updatedAt: Date
}

/** What was saved stays as it was. */
export interface SequenceVersion {
  version: number
  definition: SequenceDefinition
  actor: string
  createdAt: Date
}

interface SavedDefinition {
  definition: SequenceDefinition
  actor: string
  now: Date
}

/** Stores a sequence as a draft with its first version, and returns its id. */
export async function insertSequence(tx: Tx, sequence: SavedDefinition & { name: string }): Promise<string> {
  const { name, actor, now } = sequence
  const [row] = await tx<{ id: string }[]>`
    insert into sequences (name, version, actor, created_at, updated_at) values (${name}, 1, ${actor}, ${now}, ${now})
    returning id`
  if (!row) throw new Error('insert returned no row')
  await insertVersion(tx, row.id, 1, sequence)
  return row.id
}

/** Keeps a definition as the sequence's next version and returns its number. Whoever is under way keeps the version they entered by. */
export async function saveSequenceVersion(tx: Tx, id: string, saved: SavedDefinition): Promise<number> {
  // The row's lock makes versions saved at once follow each other.
  const [row] = await tx<{ version: number }[]>`
    update sequences set version = version + 1, updated_at = ${saved.now} where id = ${id} returning version`
  if (!row) throw new Error('there is no such sequence')
  await insertVersion(tx, id, row.version, saved)
  return row.version
}

async function insertVersion(tx: Tx, id: string, version: number, saved: SavedDefinition): Promise<void> {
  const { definition, actor, now } = saved
  await tx`
    insert into sequence_versions (sequence_id, version, definition, actor, created_at)
    values (${id}, ${version}, ${JSON.stringify(definition)}::text::jsonb, ${actor}, ${now})`
}

export async function findSequence(tx: Tx, id: string): Promise<Sequence | null> {
  const [row] = await tx<Sequence[]>`select ${columns(tx)} from sequences where id = ${id}`
  return row ?? null
}

/**
 * The sequence as nobody else changes it, or lets people enter it, until the end of the transaction. Claims of messages, which only refer to
 * it, go on.
 */
export async function lockSequence(tx: Tx, id: string): Promise<Sequence | null> {
  const [row] = await tx<Sequence[]>`select ${columns(tx)} from sequences where id = ${id} for no key update`
  return row ?? null
}

/** Newest first, from below the id `before`. */
export function listSequences(tx: Tx, page: { limit: number; before: string | null }): Promise<Sequence[]> {
  return tx<Sequence[]>`
    select ${columns(tx)} from sequences where ${page.before === null ? tx`true` : tx`id < ${page.before}`}
    order by id desc limit ${page.limit}`
}

export async function setSequenceStatus(tx: Tx, id: string, status: SequenceStatus, now: Date): Promise<void> {
  await tx`update sequences set status = ${status}, updated_at = ${now} where id = ${id}`
}

export async function findSequenceVersion(tx: Tx, id: string, version: number): Promise<SequenceVersion | null> {
  const [row] = await tx<SequenceVersion[]>`
    select version, definition, actor, created_at from sequence_versions
    where sequence_id = ${id} and version = ${version}`
  return row ?? null
}

/** What decides who may enter by a version. */
export interface EntryRules extends Pick<SequenceDefinition, 'entry' | 'purpose'> {
  hasMessages: boolean
}

/** Without the steps, which may be long. */
export async function entryRules(tx: Tx, id: string, version: number): Promise<EntryRules> {
  const [row] = await tx<EntryRules[]>`
    select entry, purpose, has_messages from sequence_versions where sequence_id = ${id} and version = ${version}`
  if (!row) throw new Error('a sequence has its versions')
  return row
}

/** Newest first, from below the version `before`. */
export function listSequenceVersions(
  tx: Tx,
  id: string,
  page: { limit: number; before: number | null },
): Promise<Omit<SequenceVersion, 'definition'>[]> {
  return tx<Omit<SequenceVersion, 'definition'>[]>`
    select version, actor, created_at from sequence_versions
    where sequence_id = ${id} and ${page.before === null ? tx`true` : tx`version < ${page.before}`}
    order by version desc limit ${page.limit}`
}

/** Who sends a sequence's messages, as far as a definition has to fit to them. */
export interface SequenceSender extends Pick<NewSender, 'channel' | 'name' | 'address' | 'replyTo' | 'postalAddress'> {
  isPaused: boolean
}

export async function findSequenceSender(tx: Tx, id: string): Promise<SequenceSender | null> {
  const [row] = await tx<SequenceSender[]>`
    select channel, name, address, reply_to, postal_address, paused_at is not null as is_paused from senders where id = ${id}`
  return row ?? null
}

/** The same as nobody changes it until the end of the transaction: what is decided by it still holds at the commit. */
export async function lockSequenceSender(tx: Tx, id: string): Promise<SequenceSender | null> {
  await tx`select from senders where id = ${id} for share`
  return findSequenceSender(tx, id)
}

const columns = (tx: Tx) => tx`id, name, status, version, actor, created_at, updated_at`
