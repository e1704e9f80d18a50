import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { Catalogue } from '../workflows/contracts/catalogue.schema.ts'
import { connectDatabase, connectSystem } from './client.ts'
import { platformOrganisationId } from './organisations.ts'
import { lockCatalogue, savePlan } from './plans.ts'

/** The plans that Throughline comes with. */
export function seededPlans() {
  const parsed = Catalogue.safeParse(JSON.parse(readFileSync(new URL('plans.json', import.meta.url), 'utf8')))
  if (parsed.success) return parsed.data
  throw new Error(`db/plans.json is no catalogue:\n${z.prettifyError(parsed.error)}`)
}

/** Fills an empty catalogue, as the platform. One in which there is anything is somebody's own, and stays as it is. */
export async function seedPlans({ appUrl, systemUrl }: { appUrl: string; systemUrl: string }): Promise<void> {
  const system = connectSystem(systemUrl, { name: 'migrate', poolSize: 1 })
  const database = connectDatabase(appUrl, { name: 'migrate', poolSize: 1 })
  try {
    await database.as(await platformOrganisationId(system), async (tx) => {
      if ((await lockCatalogue(tx)).length > 0) return
      const now = new Date()
      for (const definition of seededPlans()) await savePlan(tx, { definition, actor: 'system', now })
    })
  } finally {
    await Promise.all([database.close(), system.end({ timeout: 5 })])
  }
}
