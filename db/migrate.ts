import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { resolveBinary } from 'dbmate'
import postgres from 'postgres'
import { latestMigration, migrationsFolder } from './schema.ts'
import { seedPlans } from './seeded-plans.ts'

export interface Logins {
  /** Owns the schema and may create roles; not a superuser, or row-level security would not hold for it. */
  ownerUrl: string
  appUrl: string
  systemUrl: string
}

/**
 * Brings the schema up to date, gives the logins `throughline_app` and `throughline_system` the passwords of their URLs, and fills a
 * catalogue that is empty. Safe to run many times and from many processes at once: an advisory lock lets one through after the other, since
 * dbmate itself has none.
 */
export async function migrate({ ownerUrl, appUrl, systemUrl }: Logins): Promise<void> {
  const sql = postgres(ownerUrl, { max: 1, connect_timeout: 5, onnotice: () => {} })
  try {
    await sql`select pg_advisory_lock(hashtext('throughline/migrate'))`
    await runDbmate(ownerUrl)
    for (const url of [appUrl, systemUrl]) await allowLogin(sql, new URL(url))
    await seedPlans({ appUrl, systemUrl })
  } finally {
    await sql.end({ timeout: 5 })
  }
}

async function runDbmate(ownerUrl: string): Promise<void> {
  const url = new URL(ownerUrl)
  if (!url.searchParams.has('sslmode') && isLoopback(url.hostname)) url.searchParams.set('sslmode', 'disable')
  try {
    await promisify(execFile)(
      resolveBinary(),
      ['--migrations-dir', migrationsFolder, '--no-dump-schema', 'migrate', '--strict'],
      { env: { DATABASE_URL: url.href } },
    )
  } catch (error) {
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
    throw new Error(`The migration failed: ${output.replaceAll(url.password || url.href, '***').trim()}`, {
      cause: error,
    })
  }
}

async function allowLogin(sql: postgres.Sql, { username, password }: URL): Promise<void> {
  const role = decodeURIComponent(username)
  if (role !== 'throughline_app' && role !== 'throughline_system') return // a login of the operator's own, granted one of the two
  // The password travels as a literal because DDL takes no parameters; the server quotes it.
  const [statement] = await sql<{ text: string }[]>`
    select format('alter role %I login password %L', ${role}::text, ${decodeURIComponent(password)}::text) as text`
  if (statement) await sql.unsafe(statement.text)
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]'
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { loadConfig } = await import('../config.ts')
  const { database } = loadConfig()
  if (!database?.ownerUrl) throw new Error('Set DATABASE_OWNER_URL, DATABASE_URL and DATABASE_SYSTEM_URL')
  await migrate({ ...database, ownerUrl: database.ownerUrl })
  process.stdout.write(`The schema is at migration ${latestMigration()}.\n`)
}
