import type { Channel } from '../workflows/contracts/sending.ts'
import type { Tx } from './client.ts'

/** From whom messages of a channel go out. */
export interface NewSender {
  channel: Channel
  /** By whose account. */
  provider: string
  name: string
  address: string
  /** Where answers arrive; null: at the address. */
  replyTo: string | null
  postalAddress: string | null
  /** Null is no limit of ours. */
  ratePerSecond: number | null
}

export interface Sender extends NewSender {
  id: string
  pausedAt: Date | null
  createdAt: Date
}

export async function insertSender(tx: Tx, sender: NewSender): Promise<Sender> {
  const [row] = await tx<Sender[]>`
    insert into senders (channel, provider, name, address, reply_to, postal_address, rate_per_second)
    values (${sender.channel}, ${sender.provider}, ${sender.name}, ${sender.address}, ${sender.replyTo},
      ${sender.postalAddress}, ${sender.ratePerSecond})
    returning ${columns(tx)}`
  if (!row) throw new Error('insert returned no row')
  return row
}

export async function findSender(tx: Tx, id: string): Promise<Sender | null> {
  const [row] = await tx<Sender[]>`select ${columns(tx)} from senders where id = ${id}`
  return row ?? null
}

/** Newest first, from below the id `before`. */
export function listSenders(tx: Tx, page: { limit: number; before: string | null }): Promise<Sender[]> {
  return tx<Sender[]>`
    select ${columns(tx)} from senders where ${page.before === null ? tx`true` : tx`id < ${page.before}`}
    order by id desc limit ${page.limit}`
}

type SenderChanges = { [Field in keyof Omit<NewSender, 'channel' | 'provider'>]?: NewSender[Field] | undefined }

/** The sender as nobody else changes it, nor relies on it for a sequence, until the end of the transaction. */
export async function lockSender(tx: Tx, id: string): Promise<Sender | null> {
  const [row] = await tx<Sender[]>`select ${columns(tx)} from senders where id = ${id} for update`
  return row ?? null
}

/** Changes what is given of a sender that is locked, and leaves the rest. Another rate counts from the last message on. */
export async function changeSender(tx: Tx, before: Sender, changes: SenderChanges): Promise<Sender> {
  const { name = before.name, address = before.address } = changes
  const { replyTo = before.replyTo, postalAddress = before.postalAddress } = changes
  const { ratePerSecond = before.ratePerSecond } = changes
  const [row] = await tx<Sender[]>`
    update senders set name = ${name}, address = ${address}, reply_to = ${replyTo}, postal_address = ${postalAddress},
      rate_per_second = ${ratePerSecond},
      next_slot_at = next_slot_at
        + coalesce(make_interval(secs => (1 / ${ratePerSecond}::numeric - 1 / rate_per_second)::float8), interval '0')
    where id = ${before.id} returning ${columns(tx)}`
  if (!row) throw new Error('a sender that is locked is gone')
  return row
}

/** Keeps what it would send, or lets it go on; one that does so already is left as it is. Null when there is no such sender. */
export async function pauseSender(tx: Tx, id: string, pausedAt: Date | null): Promise<Sender | null> {
  const [row] = await tx<Sender[]>`
    update senders set paused_at = case when ${pausedAt}::timestamptz is null then null else coalesce(paused_at, ${pausedAt}) end
    where id = ${id} returning ${columns(tx)}`
  return row ?? null
}

/** One that sends marketing by it, to whoever enters or to people under way by an older version; null when there is none. */
export async function marketingSequenceOf(tx: Tx, id: string): Promise<{ id: string; name: string } | null> {
  const [row] = await tx<{ id: string; name: string }[]>`
    select sequences.id, name from sequences join sequence_versions on sequence_id = sequences.id
    where sender_id = ${id} and purpose = 'marketing' and status in ('live', 'paused')
      and (
        sequence_versions.version = sequences.version
        or exists (
          select from enrolments
          where enrolments.sequence_id = sequences.id and enrolments.version = sequence_versions.version
            and enrolments.status in ('active', 'paused', 'held')
        )
      )
    order by sequences.id limit 1`
  return row ?? null
}

/** The sequences that send by it in any version: people under way keep theirs. */
export async function sequencesOfSender(tx: Tx, id: string): Promise<string[]> {
  const rows = await tx<{ sequenceId: string }[]>`
    select distinct sequence_id from sequence_versions where sender_id = ${id}`
  return rows.map(({ sequenceId }) => sequenceId)
}

const columns = (tx: Tx) => tx`
  id, channel, provider, name, address, reply_to, postal_address, rate_per_second::float8 as rate_per_second, paused_at,
  created_at`
