import { type Channel, channels, type Purpose, type SuppressionReason } from '../workflows/contracts/sending.ts'
import { addressHash, normalAddress } from './addresses.ts'
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
  const hash = Buffer.from(suppression.addressHash)
  await lockPersons(tx, { addressHashes: [hash] })
  const [inserted] = await tx<{ id: string }[]>`
    insert into suppressions (channel, address_hash, purpose, reason, actor, contact_id)
    values (${channel}, ${hash}, ${purpose}, ${reason}, ${actor}, ${contactId})
    on conflict (organisation_id, channel, address_hash, purpose) where lifted_at is null do nothing
    returning id`
  if (inserted) return { id: inserted.id, isNew: true }
  const [known] = await tx<{ id: string }[]>`
    select id from suppressions
    where channel = ${channel} and address_hash = ${hash} and purpose is not distinct from ${purpose} and lifted_at is null`
  if (!known) throw new Error('the address is in our turn')
  return { id: known.id, isNew: false }
}

export interface Suppression {
  id: string
  channel: Channel
  purpose: Purpose | null
  reason: SuppressionReason
  actor: string
  contactId: string | null
  /** Null when nobody whom we know has it, nor the question told it. */
  address: string | null
  createdAt: Date
  liftedAt: Date | null
  liftedBy: string | null
}

type SuppressionRow = Omit<Suppression, 'address'> & { addressHash: Buffer }

export interface SuppressionFilter {
  channel?: Channel | undefined
  address?: string | undefined
  reason?: SuppressionReason | undefined
  /** Whether those that no longer count are wanted, too. */
  lifted: boolean
}

/** The newest first. */
export async function listSuppressions(
  tx: Tx,
  organisationId: string,
  page: { limit: number; before: string | null },
  filter: SuppressionFilter,
): Promise<Suppression[]> {
  const { channel, address, reason, lifted } = filter
  const isAddress =
    address === undefined ? tx`true` : hashedAs(tx, organisationId, channel ? [channel] : channels, address)
  const rows = await tx<SuppressionRow[]>`
    select ${columns(tx)} from suppressions
    where ${page.before === null ? tx`true` : tx`id < ${page.before}`}
      and ${channel === undefined ? tx`true` : tx`channel = ${channel}`}
      and ${reason === undefined ? tx`true` : tx`reason = ${reason}`}
      and ${lifted ? tx`true` : tx`lifted_at is null`} and ${isAddress}
    order by id desc limit ${page.limit}`
  const known = await addressesOf(tx, organisationId, rows)
  return rows.map((row) => {
    const { addressHash: _, ...told } = row
    return {
      ...told,
      address: known.get(row.id) ?? (address === undefined ? null : normalAddress(row.channel, address)),
    }
  })
}

/** With the hash by which its turn is taken. */
export async function findSuppression(
  tx: Tx,
  organisationId: string,
  id: string,
): Promise<{ suppression: Suppression; addressHash: Buffer } | null> {
  const [row] = await tx<SuppressionRow[]>`select ${columns(tx)} from suppressions where id = ${id}`
  if (!row) return null
  const { addressHash: hash, ...told } = row
  const address = (await addressesOf(tx, organisationId, [row])).get(id) ?? null
  return { suppression: { ...told, address }, addressHash: hash }
}

const columns = (tx: Tx) =>
  tx`id, channel, purpose, reason, actor, contact_id, address_hash, created_at, lifted_at, lifted_by`

function hashedAs(tx: Tx, organisationId: string, of: readonly Channel[], address: string) {
  const each = of.map((channel) => {
    const hash = addressHash(organisationId, channel, address)
    return tx`(channel = ${channel} and address_hash = ${hash})`
  })
  return tx`(${each.reduce((any, next) => tx`${any} or ${next}`)})`
}

/** The addresses that contacts have, by the id of their suppression: a hash tells nothing by itself. */
async function addressesOf(
  tx: Tx,
  organisationId: string,
  rows: readonly SuppressionRow[],
): Promise<Map<string, string>> {
  if (rows.length === 0) return new Map()
  const candidates = await tx<{ id: string; email: string | null; phone: string | null }[]>`
    select suppression.id, contact.email, contact.phone
    from suppressions as suppression join contacts as contact
      on contact.email_hash = suppression.address_hash or contact.phone_hash = suppression.address_hash
        or contact.id = suppression.contact_id
    where suppression.id = any(${rows.map(({ id }) => id)}::uuid[])`
  const byId = new Map(rows.map((row) => [row.id, row]))
  const known = new Map<string, string>()
  for (const { id, email, phone } of candidates) {
    const row = byId.get(id)
    const address = row?.channel === 'email' ? email : phone
    if (row && address !== null && addressHash(organisationId, row.channel, address).equals(row.addressHash)) {
      known.set(id, address)
    }
  }
  return known
}
