import { createHmac } from 'node:crypto'
import type { Channel } from '../workflows/contracts/sending.ts'

/** An address as it is compared: e-mail without case, telephone numbers as E.164 has them. */
export function normalAddress(channel: Channel, address: string): string {
  return channel === 'email' ? address.trim().toLowerCase() : address.trim()
}

/**
 * By what an address is known once it may no longer be kept. Keyed by the organisation, so that two of them have nothing to compare; SMS,
 * WhatsApp and voice share their numbers but not their suppressions.
 */
export function addressHash(organisationId: string, channel: Channel, address: string): Buffer {
  return createHmac('sha256', organisationId)
    .update(`${channel}\n${normalAddress(channel, address)}`)
    .digest()
}

/** By what contacts are found by an address: their hashes know a number as one of SMS, whatever the channel. */
export function contactAddressHash(organisationId: string, channel: Channel, address: string): Buffer {
  return addressHash(organisationId, channel === 'email' ? 'email' : 'sms', address)
}

/** Whether these hashes are of one address. None (null) is the same as none; what was never read (undefined) is like nothing. */
export function isSameAddress(one: Uint8Array | null | undefined, other: Uint8Array | null): boolean {
  if (!one || !other) return one === other
  return Buffer.compare(one, other) === 0
}
