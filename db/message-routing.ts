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

/** The organisations that have sent a message which one of these Message-Ids names. */
export async function organisationsNamed(system: Sql, messageIds: readonly string[]): Promise<string[]> {
  const { ids, names } = namedBy(messageIds)
  if (names.length === 0) return []
  const rows = await system<{ organisationId: string }[]>`
    select distinct organisation_id from messages where id = any(${ids}::uuid[]) or provider_message_id = any(${names})
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

/** What Message-Ids may name messages by: what stands before the @, and any of our ids within. */
export function namedBy(messageIds: readonly string[]): { ids: string[]; names: string[] } {
  const names = new Set<string>()
  for (const messageId of messageIds) {
    const local = messageId.trim().replace(/^</, '').split('@')[0]?.toLowerCase() ?? ''
    if (local !== '') names.add(local)
    for (const [id] of local.matchAll(uuid)) names.add(id)
  }
  return { ids: [...names].filter(isUuid), names: [...names] }
}

const uuid = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/gi

function isUuid(text: string): boolean {
  return text.length === 36 && text.replace(uuid, '') === ''
}
