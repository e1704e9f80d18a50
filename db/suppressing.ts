import type { Channel, Purpose, SuppressionReason } from '../workflows/contracts/sending.ts'
import { addressHash, contactAddressHash } from './addresses.ts'
import type { Tx } from './client.ts'
import { type JourneyEnd, recordContactEvent } from './contact-events.ts'
import { lockPersons } from './person-locks.ts'
import { findSuppression, type Suppression, suppress } from './suppressions.ts'

/** An address to suppress, by itself or, where it may no longer be kept, by its hash. */
export interface AddressToSuppress {
  organisationId: string
  channel: Channel
  address?: string | undefined
  addressHash?: Uint8Array | undefined
  /** Null: nothing at all is sent there. */
  purpose: Purpose | null
  reason: SuppressionReason
  /** What brought it about: 'key:{id}', 'inbound/{event}'. */
  actor: string
  /** From whom it came, where that is known. */
  contactId?: string | null | undefined
  /** Of what brought it about. The events that tell of it get it as the beginning of theirs. */
  sourceKey: string
  occurredAt: Date
}

export interface Suppressed {
  id: string
  /** False when it was suppressed so already. */
  isNew: boolean
  /** The workflows to hand over after the commit. */
  workflowIds: string[]
}

/**
 * Suppresses an address, records that for everyone who has it, and ends their journeys that end with it, in one transaction: nothing is
 * claimed for the address once it is committed. Takes the turns of all concerned, so no other turn may have been taken before. Repeating
 * it does nothing more. Who takes the address on at the same moment counts as one who does so afterwards: nothing is sent there.
 */
export async function suppressAddress(
  tx: Tx,
  wanted: AddressToSuppress,
  told: { requestId: string; now: Date },
): Promise<Suppressed> {
  const [suppressed] = await suppressAddresses(tx, [wanted], told)
  if (!suppressed) throw new Error('one address has one outcome')
  return suppressed
}

/** The same for several addresses, in their order: all turns are taken at once. Few, since each turn is a lock of the whole database. */
export async function suppressAddresses(
  tx: Tx,
  wanted: readonly AddressToSuppress[],
  told: { requestId: string; now: Date },
): Promise<Suppressed[]> {
  const hashed = wanted.map((one) => ({ ...one, addressHash: hashOf(one) }))
  const before = await Promise.all(hashed.map((one) => concernedBy(tx, one)))
  await lockPersons(tx, { contactIds: before.flat(), addressHashes: hashed.map((one) => one.addressHash) })
  const suppressed: Suppressed[] = []
  for (const [index, one] of hashed.entries()) {
    const { id, isNew } = await suppress(tx, one)
    // Read anew in their turn: one of them may have another address by now.
    const inOurTurn = new Set(before[index])
    const concerned = (await concernedBy(tx, one)).filter((contactId) => inOurTurn.has(contactId))
    const workflowIds = new Set<string>()
    for (const contactId of concerned) {
      const event = {
        contactId,
        type: 'suppression.added',
        data: { suppressionId: id, channel: one.channel, purpose: one.purpose, reason: one.reason },
        sourceKey: `${one.sourceKey}/${id}/${contactId}`,
        occurredAt: one.occurredAt,
      }
      const recorded = await recordContactEvent(tx, event, { ...told, ...endOf(one) })
      for (const workflowId of recorded.workflowIds) workflowIds.add(workflowId)
    }
    suppressed.push({ id, isNew, workflowIds: [...workflowIds] })
  }
  return suppressed
}

/**
 * Takes a contact at their word for e-mail: at the address that a message of ours went to, and at the one that they have by now, with the turns of
 * both taken at once. Returns the workflows to hand over after the commit.
 */
export async function suppressRecipient(
  tx: Tx,
  wanted: AddressToSuppress & { channel: 'email'; addressHash: Uint8Array; contactId: string },
  told: { requestId: string; now: Date },
): Promise<string[]> {
  const [contact] = await tx<
    { emailHash: Buffer | null }[]
  >`select email_hash from contacts where id = ${wanted.contactId}`
  const current = contact?.emailHash ?? null
  const hasMoved = current !== null && !current.equals(wanted.addressHash)
  const suppressed = await suppressAddresses(
    tx,
    hasMoved ? [wanted, { ...wanted, addressHash: current }] : [wanted],
    told,
  )
  return [...new Set(suppressed.flatMap(({ workflowIds }) => workflowIds))]
}

/** Lets an address be written to again; null when there is no such suppression. One that is lifted already stays as it is. */
export async function liftSuppression(
  tx: Tx,
  lifting: { organisationId: string; id: string; actor: string },
  told: { requestId: string; now: Date },
): Promise<{ suppression: Suppression; workflowIds: string[] } | null> {
  const { organisationId, id, actor } = lifting
  const found = await findSuppression(tx, organisationId, id)
  if (!found) return null
  const { channel, purpose, reason, contactId } = found.suppression
  const hash = found.addressHash
  const address = found.suppression.address ?? undefined
  const having = await contactsWithAddress(tx, { organisationId, channel, address, addressHash: hash, contactId })
  await lockPersons(tx, { contactIds: having, addressHashes: [hash] })
  // Another may have lifted it between our look and our turn.
  const [lifted] = await tx`
    update suppressions set lifted_at = ${told.now}, lifted_by = ${actor} where id = ${id} and lifted_at is null returning 1`
  const workflowIds = new Set<string>()
  for (const holder of lifted ? having : []) {
    const event = {
      contactId: holder,
      type: 'suppression.lifted',
      data: { suppressionId: id, channel, purpose, reason },
      sourceKey: `suppression/${id}/lifted/${holder}`,
      occurredAt: told.now,
    }
    for (const workflowId of (await recordContactEvent(tx, event, told)).workflowIds) workflowIds.add(workflowId)
  }
  const suppression = (await findSuppression(tx, organisationId, id))?.suppression ?? found.suppression
  return { suppression, workflowIds: [...workflowIds] }
}

/** Those who have this address now. Numbers of WhatsApp and voice are found by the address, or with `contactId`, not by their mere hash. */
export async function contactsWithAddress(
  tx: Tx,
  address: Pick<AddressToSuppress, 'organisationId' | 'channel' | 'address' | 'contactId'> & {
    addressHash: Uint8Array
  },
): Promise<string[]> {
  const { organisationId, channel, contactId = null } = address
  const hash = Buffer.from(address.addressHash)
  const kept = address.address === undefined ? hash : contactAddressHash(organisationId, channel, address.address)
  const column = channel === 'email' ? tx`email_hash` : tx`phone_hash`
  const rows = await tx<{ id: string; email: string | null; phone: string | null }[]>`
    select id, email, phone from contacts where ${column} = ${kept} or id = ${contactId} order by id`
  return rows.filter((row) => isAddressOf(row)).map(({ id }) => id)

  function isAddressOf({ email, phone }: { email: string | null; phone: string | null }): boolean {
    const own = channel === 'email' ? email : phone
    return own !== null && addressHash(organisationId, channel, own).equals(hash)
  }
}

/** Those who have the address; and who said so, whatever their address is by now. A bounce is said by nobody. */
async function concernedBy(tx: Tx, one: AddressToSuppress & { addressHash: Uint8Array }): Promise<string[]> {
  const having = await contactsWithAddress(tx, one)
  if (one.reason === 'hard_bounce' || one.contactId === null || one.contactId === undefined) return having
  return [...new Set([...having, one.contactId])]
}

function hashOf({ organisationId, channel, address, addressHash: given }: AddressToSuppress): Uint8Array {
  if (given !== undefined) return given
  if (address === undefined) throw new Error('an address or its hash is needed')
  return addressHash(organisationId, channel, address)
}

/** Sequences write e-mails only: a number that is suppressed ends none of them. */
function endOf({ channel, purpose, reason }: AddressToSuppress): { ends?: JourneyEnd } {
  if (channel !== 'email') return {}
  if (reason === 'hard_bounce') return { ends: { reason: 'bounce' } }
  return { ends: { reason: reason === 'complaint' ? 'complaint' : 'opt_out', purpose } }
}
