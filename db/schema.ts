import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Sql } from 'postgres'

export const migrationsFolder = fileURLToPath(new URL('migrations', import.meta.url))

/** The version of the newest migration in this code, such as '0002'. */
export function latestMigration(): string {
  const versions = readdirSync(migrationsFolder).map((file) => file.split('_')[0] ?? '')
  return versions.sort().at(-1) ?? ''
}

/** Throws when the database is not at this code's migration: processes check, only `npm run migrate` changes it. */
export async function assertSchemaIsCurrent(system: Sql): Promise<void> {
  const expected = latestMigration()
  const [row] = await system<{ version: string }[]>`select max(version) as version from schema_migrations`
  if (row?.version !== expected) {
    throw new Error(
      `The database is at migration ${row?.version ?? 'none'}, this code needs ${expected}: run npm run migrate.`,
    )
  }
}
