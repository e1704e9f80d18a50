import type { Sql } from 'postgres'
import { permissions } from '../api/permissions.ts'
import { createApiKey } from '../db/api-keys.ts'
import { connectDatabase, connectSystem } from '../db/client.ts'
import { grantCredits } from '../db/credits.ts'
import type { Logins } from '../db/migrate.ts'
import { allowSearches, createOrganisation, organisationExists, platformOrganisationId } from '../db/organisations.ts'

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

/** Makes an API key of the platform's own organisation, which may do everything. */
export function createPlatformKey(systemUrl: string): Promise<{ organisationId: string; apiKey: string }> {
  return withSystem(systemUrl, async (system) => {
    const organisationId = await platformOrganisationId(system)
    return { organisationId, apiKey: await createApiKey(system, { organisationId, name: 'platform key', permissions }) }
  })
}

/** Sets how many searches an organisation may pay for in a month, null for any number; false when there is no such organisation. */
export function setMonthlySearches(
  systemUrl: string,
  organisationId: string,
  monthly: number | null,
): Promise<boolean> {
  return withSystem(systemUrl, (system) => allowSearches(system, organisationId, monthly))
}

/** Gives credits that do not expire, once under the key, and tells the balance; null when there is no such organisation. */
export async function giveCredits(
  { appUrl, systemUrl }: Pick<Logins, 'appUrl' | 'systemUrl'>,
  organisationId: string,
  { type, amount, key }: { type: string; amount: number; key: string },
): Promise<{ isNew: boolean; balance: number } | null> {
  if (!(await withSystem(systemUrl, (system) => organisationExists(system, organisationId)))) return null
  const database = connectDatabase(appUrl, { name: 'admin', poolSize: 1 })
  try {
    const grant = { type, amount, sourceKey: `manual/${key}`, source: 'manual', beginsPeriod: false } as const
    return await database.as(organisationId, (tx) => grantCredits(tx, grant, new Date()))
  } finally {
    await database.close()
  }
}

async function withSystem<T>(systemUrl: string, work: (system: Sql) => Promise<T>): Promise<T> {
  const system = connectSystem(systemUrl, { name: 'admin', poolSize: 1 })
  try {
    return await work(system)
  } finally {
    await system.end({ timeout: 5 })
  }
}
