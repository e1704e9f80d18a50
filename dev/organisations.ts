import { permissions } from '../api/permissions.ts'
import { createApiKey } from '../db/api-keys.ts'
import { connectSystem } from '../db/client.ts'
import { createOrganisation } from '../db/organisations.ts'

/** Makes an organisation and its first API key, which may do everything; the key is shown nowhere else again. */
export async function createOrganisationWithKey(
  systemUrl: string,
  name: string,
  country: string,
): Promise<{ organisationId: string; apiKey: string }> {
  const system = connectSystem(systemUrl, { name: 'admin', poolSize: 1 })
  try {
    return await system.begin(async (tx) => {
      const { id } = await createOrganisation(tx, name, country)
      return {
        organisationId: id,
        apiKey: await createApiKey(tx, { organisationId: id, name: 'first key', permissions }),
      }
    })
  } finally {
    await system.end({ timeout: 5 })
  }
}
