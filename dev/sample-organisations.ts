import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { permissions } from '../api/permissions.ts'
import { createKey, createOrganisationWithKey, createPlatformKey } from './organisations.ts'
import type { SampleContext } from './stories.ts'

const SampleOrganisation = z.object({
  organisationId: z.uuid(),
  apiKey: z.string(),
  /** What the key may do; earlier versions did not say. */
  permissions: z.array(z.string()).default([]),
})
export type SampleOrganisation = z.infer<typeof SampleOrganisation>

function read(file: string): SampleOrganisation {
  try {
    return SampleOrganisation.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    throw new Error(`${file} is damaged: delete it, and another is made`, { cause: error })
  }
}

/** The organisation that the campaign and the sequence belong to. */
export function sampleOrganisation(context: SampleContext): Promise<SampleOrganisation> {
  return withKey(context, 'organisation', (systemUrl) =>
    createOrganisationWithKey(systemUrl, 'Sample organisation', 'US'),
  )
}

/** One that subscribes: its plan limits nothing of the other's. */
export function sampleCustomer(context: SampleContext): Promise<SampleOrganisation> {
  return withKey(context, 'customer', (systemUrl) => createOrganisationWithKey(systemUrl, 'Sample customer', 'US'))
}

/** The platform's own organisation, which is there already. */
export function samplePlatform(context: SampleContext): Promise<SampleOrganisation> {
  return withKey(context, 'platform', createPlatformKey)
}

/**
 * Its key is kept in the data directory, readable by its owner alone; one that an earlier version made may do less than the stories need by now,
 * and is replaced.
 */
async function withKey(
  { config, database, say }: SampleContext,
  name: string,
  make: (systemUrl: string) => Promise<{ organisationId: string; apiKey: string }>,
): Promise<SampleOrganisation> {
  const file = join(config.dataDir, `sample-${name}.json`)
  const known = existsSync(file) ? read(file) : undefined
  if (known && permissions.every((permission) => known.permissions.includes(permission))) return known
  const made: SampleOrganisation = {
    ...(known
      ? { organisationId: known.organisationId, apiKey: await createKey(database.systemUrl, known.organisationId) }
      : await make(database.systemUrl)),
    permissions: [...permissions],
  }
  writeFileSync(`${file}.new`, JSON.stringify(made), { mode: 0o600 })
  renameSync(`${file}.new`, file)
  if (!known) say(`Made the key of the sample ${name}; it is in ${file}.`)
  return made
}
