import type { Tx } from './client.ts'

/**
 * Takes the turn of these people until the end of the transaction: whoever sends to a person, records a fact about one or suppresses an address
 * does so one after the other, and then sees what the one before has committed. Give everyone at once: taken in one order, no
 * two transactions wait for each other.
 */
export async function lockPersons(
  tx: Tx,
  who: { contactIds?: readonly string[]; addressHashes?: readonly Uint8Array[] },
): Promise<void> {
  const keys = new Set([
    ...(who.contactIds ?? []).map((id) => Buffer.from(id.replaceAll('-', ''), 'hex').readBigInt64BE(8)),
    ...(who.addressHashes ?? []).map((hash) => Buffer.from(hash).readBigInt64BE(0)),
  ])
  if (keys.size === 0) return
  const sorted = [...keys].sort((one, other) => (one < other ? -1 : 1)).map(String)
  await tx`select count(pg_advisory_xact_lock(key)) from unnest(${sorted}::bigint[]) as key`
}
