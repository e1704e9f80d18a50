import type { Sql } from 'postgres'
import { addressHash } from '../../db/addresses.ts'
import type { Database } from '../../db/client.ts'
import { platformContactFor } from '../../db/notices.ts'
import { currentOrganisation, platformOrganisationId } from '../../db/organisations.ts'
import { findPayer, keepPayer } from '../../db/stripe-customers.ts'

/**
 * Keeps the contact of the platform that stands for an organisation, to whom its notices go, at the address that the person who pays has given at
 * the provider. The address is written anew only where it has changed.
 */
export function createPayers({ database, system }: { database: Database; system: Sql }) {
  return async (organisationId: string, email: string | null, now: Date): Promise<void> => {
    if (email === null) return
    const platformId = await platformOrganisationId(system)
    const hash = addressHash(platformId, 'email', email)
    const { known, name } = await database.as(organisationId, async (tx) => ({
      known: await findPayer(tx),
      name: (await currentOrganisation(tx)).name,
    }))
    if (known?.equals(hash)) return
    const contactId = await database.as(platformId, (tx) =>
      platformContactFor(tx, { organisationId, name, email }, { platformId, now }),
    )
    await database.as(organisationId, (tx) => keepPayer(tx, { contactId, emailHash: hash }))
  }
}
