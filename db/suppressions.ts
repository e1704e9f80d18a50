import type { Channel, Purpose, SuppressionReason } from '../workflows/contracts/sending.ts'
import type { Tx } from './client.ts'
import { lockPersons } from './person-locks.ts'

export interface NewSuppression {
  channel: Channel
  addressHash: Uint8Array
  /** Null: nothing at all is sent there. */
  purpose: Purpose | null
  reason: SuppressionReason
  actor: string
  contactId?: string | null
}

/**
 * Nobody writes to this address any more: whatever is claimed after this transaction's commit is not for it. False when it was so already.
 * Takes the address's turn: whoever also takes a person's has taken both before, together (db/person-locks.ts).
 */
export async function suppress(tx: Tx, suppression: NewSuppression): Promise<boolean> {
  const { channel, purpose, reason, actor, contactId = null } = suppression
  const addressHash = Buffer.from(suppression.addressHash)
  await lockPersons(tx, { addressHashes: [addressHash] })
  const inserted = await tx`
    insert into suppressions (channel, address_hash, purpose, reason, actor, contact_id)
    values (${channel}, ${addressHash}, ${purpose}, ${reason}, ${actor}, ${contactId})
    on conflict (organisation_id, channel, address_hash, purpose) where lifted_at is null do nothing
    returning id`
  return inserted.length > 0
}
