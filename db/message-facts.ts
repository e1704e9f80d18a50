import type { MessageFact } from '../workflows/contracts/inbound-events.ts'
import type { Channel, MessageStatus } from '../workflows/contracts/sending.ts'
import type { Tx } from './client.ts'
import { recordContactEvent } from './contact-events.ts'
import { lockPersons } from './person-locks.ts'
import { contactsWithAddress, suppressAddress } from './suppressing.ts'
import { type Journey, wakeJourneys } from './waking.ts'

/** What a provider told, and by what it is known afterwards. */
export interface Told {
  organisationId: string
  provider: string
  /** Of the fact, the same each time that it is told: `inbound/{provider}/{event id}`. */
  sourceKey: string
  occurredAt: Date
  requestId: string
  now: Date
}

interface Message {
  contactId: string
  channel: Channel
  addressHash: Uint8Array | null
  enrolmentId: string | null
  claimedAt: Date | null
}

/** The columns that keep when something first happened. */
const columnOf = {
  delivered: 'delivered_at',
  bounced: 'bounced_at',
  complained: 'complained_at',
  opened: 'opened_at',
  clicked: 'clicked_at',
} as const

/**
 * Writes down what became of a message and what follows: facts come in any order and any number of times, and the earliest of each
 * stays. Suppressions and ended journeys are part of the transaction. Returns the workflows that are told of it.
 */
export async function applyMessageFact(tx: Tx, messageId: string, fact: MessageFact, told: Told): Promise<string[]> {
  const [message] = await tx<Message[]>`
    select contact_id, channel, address_hash, enrolment_id, claimed_at from messages where id = ${messageId}`
  if (!message) throw new Error('a message that was found a moment ago is gone')
  const { contactId, enrolmentId } = message
  await lockConcerned(tx, message, told.organisationId)

  // Nothing became of it before it was claimed, whatever the provider's clock says.
  const at = later(message.claimedAt, told.occurredAt)
  const woken = (await settle(tx, messageId, fact, at)) ? await wakeSeat(tx, enrolmentId, told) : []
  // A mailbox that is full today is no fact about the person.
  if (fact.event === 'bounced' && !fact.isPermanent) return woken

  const { workflowIds } = await recordContactEvent(
    tx,
    {
      contactId,
      type: `message.${fact.event}`,
      data: { provider: told.provider },
      sourceKey: told.sourceKey,
      enrolmentId,
      messageId,
      occurredAt: at,
    },
    told,
  )
  const suppressed = await suppressFor(tx, fact, message, told)
  return [...new Set([...woken, ...workflowIds, ...suppressed])]
}

/** The turns of the recipient and of everyone else at the address: all at once, since a suppression concerns them all. */
async function lockConcerned(tx: Tx, message: Message, organisationId: string): Promise<void> {
  const { contactId, channel, addressHash } = message
  if (addressHash === null) return lockPersons(tx, { contactIds: [contactId] })
  const sharing = await contactsWithAddress(tx, { organisationId, channel, addressHash })
  await lockPersons(tx, { contactIds: [contactId, ...sharing], addressHashes: [addressHash] })
}

/**
 * Sets the timestamp and, where nobody knew the outcome yet, the status; tells whether that has changed. Whatever a provider says of a message, it
 * has taken it, even one that somebody wants to be sent again, or that was given up after a call; only a failure says that it never goes out, and that
 * stays. One that is being sent is left to whoever sends it, with the provider's id as the proof that it was taken.
 */
async function settle(
  tx: Tx,
  id: string,
  { event, isPermanent, providerMessageId }: MessageFact,
  at: Date,
): Promise<boolean> {
  const isRejected = event === 'rejected'
  const column = event === 'sent' || isRejected || (event === 'bounced' && !isPermanent) ? null : columnOf[event]
  const unsettled = isRejected ? ['planned', 'sending', 'unconfirmed', 'sent'] : ['planned', 'unconfirmed']
  const isUnsettled = tx`(status = any(${unsettled}) or (status = 'skipped' and claimed_at is not null))`
  const [row] = await tx<{ was: MessageStatus; status: MessageStatus }[]>`
    update messages set
      status = case when ${isUnsettled} then ${isRejected ? 'rejected' : 'sent'} else status end,
      reason = case when ${isUnsettled} then ${isRejected ? 'failed_at_provider' : null} else reason end,
      provider_message_id = coalesce(provider_message_id, ${providerMessageId}),
      sent_at = ${isRejected ? tx`sent_at` : tx`least(sent_at, ${at})`}
      ${column ? tx`, ${tx(column)} = least(${tx(column)}, ${at})` : tx``}
    where id = ${id}
    returning old.status as was, new.status as status`
  return row !== undefined && row.was !== row.status
}

/** A journey that waits for what became of its message goes on at once. */
async function wakeSeat(tx: Tx, enrolmentId: string | null, told: { requestId: string; now: Date }): Promise<string[]> {
  const journeys = await tx<Journey[]>`
    select organisation_id, sequence_id, cohort_id, seat from enrolments
    where id = ${enrolmentId} and status = 'active'`
  return wakeJourneys(tx, journeys, told)
}

/**
 * An address that does not exist, or whose owner complained, gets nothing any more, notices included. The journeys that end with it are those
 * of whoever has the address: a bounce says nothing of an address that the recipient has by now.
 */
async function suppressFor(tx: Tx, { event }: MessageFact, message: Message, told: Told): Promise<string[]> {
  const { contactId, channel, addressHash } = message
  if ((event !== 'bounced' && event !== 'complained') || addressHash === null) return []
  const { organisationId, sourceKey, occurredAt } = told
  const reason = event === 'bounced' ? 'hard_bounce' : 'complaint'
  const wanted = { organisationId, channel, addressHash, purpose: null, reason, actor: sourceKey, contactId } as const
  return (await suppressAddress(tx, { ...wanted, sourceKey, occurredAt }, told)).workflowIds
}

export function later(earliest: Date | null, at: Date): Date {
  return earliest !== null && earliest > at ? earliest : at
}
