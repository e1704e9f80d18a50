import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Sql } from 'postgres'
import { answered } from './deadline.ts'

export const migrationsFolder = fileURLToPath(new URL('migrations', import.meta.url))

const patienceMs = 5_000

/** The version of the newest migration in this code, such as '0002'. */
export function latestMigration(): string {
  const versions = readdirSync(migrationsFolder).map((file) => file.split('_')[0] ?? '')
  return versions.sort().at(-1) ?? ''
}

/**
 * Throws when the database lacks a migration of this code: processes check, only `npm run migrate` changes it. A newer one is no fault,
 * since a migration leaves the code before it working.
 */
export async function assertSchemaIsCurrent(system: Sql): Promise<void> {
  const expected = latestMigration()
  const [row] = await answered(
    system<{ version: string }[]>`select max(version) as version from schema_migrations`,
    patienceMs,
  )
  if ((row?.version ?? '') < expected) {
    throw new Error(
      `The database is at migration ${row?.version ?? 'none'}, this code needs ${expected}: run npm run migrate.`,
    )
  }
}
