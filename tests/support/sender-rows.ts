import type { Database } from '../../db/client.ts'
import { rowId } from './row-id.ts'

/** A sender, of e-mails unless told otherwise. Returns its id. */
export function senderRow(
  database: Database,
  organisationId: string,
  {
    channel = 'email',
    address = 'hello@fixit.test',
    postalAddress = '1 Main Street',
  }: { channel?: string; address?: string; postalAddress?: string | null } = {},
): Promise<string> {
  return database.as(organisationId, async (tx) =>
    rowId(
      await tx`
        insert into senders (channel, provider, name, address, postal_address)
        values (${channel}, 'resend', 'Fixit', ${address}, ${postalAddress}) returning id`,
    ),
  )
}
