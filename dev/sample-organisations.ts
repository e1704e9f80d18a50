import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { permissions } from '../api/permissions.ts'
import { createKey, createOrganisationWithKey } from './organisations.ts'
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
    throw new Error(`${file} is damaged: delete it, and another sample organisation is made`, { cause: error })
  }
}

/**
 * The organisation that the sample stories belong to. Its key is kept in the data directory, readable by its owner alone; one that an earlier
 * version made may do less than the stories need by now, and is replaced.
 */
export async function sampleOrganisation({ config, database, say }: SampleContext): Promise<SampleOrganisation> {
  const file = join(config.dataDir, 'sample-organisation.json')
  const known = existsSync(file) ? read(file) : undefined
  if (known && permissions.every((permission) => known.permissions.includes(permission))) return known
  const made: SampleOrganisation = {
    ...(known
      ? { organisationId: known.organisationId, apiKey: await createKey(database.systemUrl, known.organisationId) }
      : await createOrganisationWithKey(database.systemUrl, 'Sample organisation', 'US')),
    permissions: [...permissions],
  }
  writeFileSync(`${file}.new`, JSON.stringify(made), { mode: 0o600 })
  renameSync(`${file}.new`, file)
  if (!known) say(`Made the sample organisation; its API key is in ${file}.`)
  return made
}
