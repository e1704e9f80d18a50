import type { MessageFact } from '../workflows/contracts/inbound-events.ts'
import type { Channel, Purpose } from '../workflows/contracts/sending.ts'
import type { Sql } from './client.ts'

/** What comes from outside belongs to no request: the system login finds out whose it is. */

/** The message that a provider speaks of: by our own ids where it sent them back, else by its own. */
export async function findSpokenOf(
  system: Sql,
  provider: string,
  fact: Pick<MessageFact, 'organisationId' | 'messageId' | 'providerMessageId'>,
): Promise<{ id: string; organisationId: string } | null> {
  const { organisationId, messageId, providerMessageId } = fact
  if (organisationId === null || messageId === null) {
    const [row] = await system<{ id: string; organisationId: string }[]>`
      select messages.id, messages.organisation_id from messages
      join senders on senders.id = messages.sender_id and senders.provider = ${provider}
      where provider_message_id = ${providerMessageId} limit 1`
    return row ?? null
  }
  if (!isUuid(organisationId) || !isUuid(messageId)) return null
  const [row] = await system<{ id: string; organisationId: string }[]>`
    select id, organisation_id from messages where id = ${messageId} and organisation_id = ${organisationId}`
  return row ?? null
}

/** The organisations whose senders get their answers at one of these addresses. */
export async function organisationsAnsweredAt(system: Sql, addresses: readonly string[]): Promise<string[]> {
  const rows = await system<{ organisationId: string }[]>`
    select distinct organisation_id from senders
    where lower(coalesce(reply_to, address)) = any(${addresses.map((address) => address.toLowerCase())})
    order by organisation_id`
  return rows.map(({ organisationId }) => organisationId)
}

/** A message and to whom it went; null as long as it went to nobody. */
export interface AddressedMessage {
  id: string
  organisationId: string
  contactId: string
  channel: Channel
  purpose: Purpose
  addressHash: Uint8Array
}

export async function findAddressedMessage(system: Sql, id: string): Promise<AddressedMessage | null> {
  const [row] = await system<AddressedMessage[]>`
    select id, organisation_id, contact_id, channel, purpose, address_hash from messages
    where id = ${id} and address_hash is not null`
  return row ?? null
}

function isUuid(text: string): boolean {
  return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text)
}
