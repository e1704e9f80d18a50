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
  contactId?: string | null | undefined
}

/**
 * Nobody writes to this address any more: whatever is claimed after this transaction's commit is not for it. Not new when it was so already.
 * Takes the address's turn: whoever also takes a person's has taken both before, together (db/suppressing.ts, which most callers want).
 */
export async function suppress(tx: Tx, suppression: NewSuppression): Promise<{ id: string; isNew: boolean }> {
  const { channel, purpose, reason, actor, contactId = null } = suppression
  const addressHash = Buffer.from(suppression.addressHash)
  await lockPersons(tx, { addressHashes: [addressHash] })
  const [inserted] = await tx<{ id: string }[]>`
    insert into suppressions (channel, address_hash, purpose, reason, actor, contact_id)
    values (${channel}, ${addressHash}, ${purpose}, ${reason}, ${actor}, ${contactId})
    on conflict (organisation_id, channel, address_hash, purpose) where lifted_at is null do nothing
    returning id`
  if (inserted) return { id: inserted.id, isNew: true }
  const [known] = await tx<{ id: string }[]>`
    select id from suppressions
    where channel = ${channel} and address_hash = ${addressHash} and purpose is not distinct from ${purpose} and lifted_at is null`
  if (!known) throw new Error('the address is in our turn')
  return { id: known.id, isNew: false }
}
