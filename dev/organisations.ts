import type { Sql } from 'postgres'
import { permissions } from '../api/permissions.ts'
import { createApiKey } from '../db/api-keys.ts'
import { connectSystem } from '../db/client.ts'
import { allowSearches, createOrganisation } from '../db/organisations.ts'

/** Makes an organisation and its first API key, which may do everything; the key is shown nowhere else again. */
export async function createOrganisationWithKey(
  systemUrl: string,
  name: string,
  country: string,
): Promise<{ organisationId: string; apiKey: string }> {
  return withSystem(systemUrl, (system) =>
    system.begin(async (tx) => {
      const { id } = await createOrganisation(tx, name, country)
      return {
        organisationId: id,
        apiKey: await createApiKey(tx, { organisationId: id, name: 'first key', permissions }),
      }
    }),
  )
}

/** Makes another API key that may do everything. */
export function createKey(systemUrl: string, organisationId: string): Promise<string> {
  return withSystem(systemUrl, (system) => createApiKey(system, { organisationId, name: 'another key', permissions }))
}

/** Sets how many searches an organisation may pay for in a month, null for any number; false when there is no such organisation. */
export function setMonthlySearches(
  systemUrl: string,
  organisationId: string,
  monthly: number | null,
): Promise<boolean> {
  return withSystem(systemUrl, (system) => allowSearches(system, organisationId, monthly))
}

async function withSystem<T>(systemUrl: string, work: (system: Sql) => Promise<T>): Promise<T> {
  const system = connectSystem(systemUrl, { name: 'admin', poolSize: 1 })
  try {
    return await work(system)
  } finally {
    await system.end({ timeout: 5 })
  }
}
