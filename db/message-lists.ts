import type { Channel, MessageStatus, Purpose, RenderedEmail } from '../workflows/contracts/sending.ts'
import type { Tx } from './client.ts'

/** A message as people see it: what was to be said to whom, what became of it and when. */
export interface ListedMessage {
  id: string
  contactId: string
  channel: Channel
  purpose: Purpose
  senderId: string | null
  enrolmentId: string | null
  sequenceId: string | null
  stepKey: string | null
  status: MessageStatus
  reason: string | null
  providerMessageId: string | null
  /** Since when nobody knows whether it has gone, and what the provider said when asked. */
  unconfirmedAt: Date | null
  lookUp: string | null
  createdAt: Date
  claimedAt: Date | null
  sentAt: Date | null
  deliveredAt: Date | null
  bouncedAt: Date | null
  complainedAt: Date | null
  openedAt: Date | null
  clickedAt: Date | null
  repliedAt: Date | null
}

export interface MessageFilters {
  status?: MessageStatus | undefined
  contactId?: string | undefined
  sequenceId?: string | undefined
  enrolmentId?: string | undefined
}

/** Newest first, from below the id `before`. */
export function listMessages(
  tx: Tx,
  { status, contactId, sequenceId, enrolmentId }: MessageFilters,
  page: { limit: number; before: string | null },
): Promise<ListedMessage[]> {
  return tx<ListedMessage[]>`
    select ${columns(tx)} from messages
    where ${page.before === null ? tx`true` : tx`id < ${page.before}`}
      and ${status === undefined ? tx`true` : tx`status = ${status}`}
      and ${contactId === undefined ? tx`true` : tx`contact_id = ${contactId}`}
      and ${sequenceId === undefined ? tx`true` : tx`sequence_id = ${sequenceId}`}
      and ${enrolmentId === undefined ? tx`true` : tx`enrolment_id = ${enrolmentId}`}
    order by id desc limit ${page.limit}`
}

/** With the very message as it was handed over; null before it was written. */
export async function findMessage(
  tx: Tx,
  id: string,
): Promise<(ListedMessage & { rendered: RenderedEmail | null }) | null> {
  const [row] = await tx<(ListedMessage & { rendered: RenderedEmail | null })[]>`
    select ${columns(tx)}, rendered from messages where id = ${id}`
  return row ?? null
}

const columns = (tx: Tx) => tx`
  id, contact_id, channel, purpose, sender_id, enrolment_id, sequence_id, step_key, status, reason, provider_message_id,
  unconfirmed_at, look_up, created_at, claimed_at, sent_at, delivered_at, bounced_at, complained_at, opened_at, clicked_at,
  replied_at`
