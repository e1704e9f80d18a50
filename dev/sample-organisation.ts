import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { createOrganisationWithKey } from './organisations.ts'
import type { SampleContext } from './stories.ts'

const SampleOrganisation = z.object({ organisationId: z.uuid(), apiKey: z.string() })
export type SampleOrganisation = z.infer<typeof SampleOrganisation>

function read(file: string): SampleOrganisation {
  try {
    return SampleOrganisation.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    throw new Error(`${file} is damaged: delete it, and another sample organisation is made`, { cause: error })
  }
}

/** The organisation that the sample stories belong to. Its key is kept in the data directory, readable by its owner alone. */
export async function sampleOrganisation({ config, database, say }: SampleContext): Promise<SampleOrganisation> {
  const file = join(config.dataDir, 'sample-organisation.json')
  if (existsSync(file)) return read(file)
  const { organisationId, apiKey } = await createOrganisationWithKey(database.systemUrl, 'Sample organisation', 'US')
  writeFileSync(`${file}.new`, JSON.stringify({ organisationId, apiKey }), { mode: 0o600 })
  renameSync(`${file}.new`, file)
  say(`Made the sample organisation; its API key is in ${file}.`)
  return { organisationId, apiKey }
}
