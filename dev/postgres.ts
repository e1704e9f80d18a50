import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import postgres from 'postgres'
import { z } from 'zod'
import type { Logins } from '../db/migrate.ts'
import { launch, type ProcessPlan } from './launch.ts'
import { type PostgresBinaries, postgresBinaries } from './postgres-binaries.ts'
import { type Account, postgresAccount, postgresFolder } from './postgres-place.ts'
import { commandLine, identify, stopProcess } from './processes.ts'

export interface PostgresOptions {
  dataDir: string
  port: number
  /** Server settings over ours, such as `{ fsync: 'off' }`. */
  settings?: Readonly<Record<string, string>>
}

/** Addresses of its database `throughline`; the logins `app` and `system` get their passwords by the migration. */
export interface RunningPostgres extends Logins {
  readonly pid: number
  stop(): Promise<void>
}

/** Loses everything when the machine goes down, and is several times faster: for tests. */
export const volatileSettings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }

/** Starts an embedded PostgreSQL 18 on 127.0.0.1 and waits until it answers, whatever an earlier one on `dataDir` died of. */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const { plan, logins } = await planPostgres(options)
  for (let attempt = 1; ; attempt += 1) {
    const server = await launch(plan, options.dataDir)
    try {
      await server.ready
      return { ...logins, pid: server.pid, stop: () => server.stop() }
    } catch (error) {
      await server.stop()
      // Just after a kill -9 the old server's children hold its shared memory for another moment.
      if (attempt === startAttempts) throw error
      await sleep(attempt * 200)
    }
  }
}

/** Makes the database cluster if there is none yet, and says how to run it. */
export async function planPostgres({ dataDir, port, settings = {} }: PostgresOptions): Promise<{
  plan: ProcessPlan
  logins: Logins
}> {
  const account = postgresAccount()
  const binaries = postgresBinaries(account)
  const folder = await postgresFolder(dataDir, account, async (abandoned) => {
    await stopPostmaster(join(abandoned, 'data'))
    rmSync(abandoned, { recursive: true })
  })
  const data = join(folder, 'data')
  const passwords = readOrMakePasswords(folder)
  if (!existsSync(data)) await initialise(folder, binaries, account, passwords)
  assertVersion(data)
  const logins = loginsAt(port, passwords)
  const serverSettings = { ...ourSettings, port: String(port), ...settings }
  return {
    logins,
    plan: {
      name: 'postgres',
      command: binaries.postgres,
      args: ['-D', data, ...Object.entries(serverSettings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      env: plainEnvironment,
      cwd: folder,
      account,
      prepare: () => stopPostmaster(data),
      ready: () => accepts(logins.ownerUrl),
      stopSignal: 'SIGINT', // "Fast": ends sessions and writes everything out. SIGTERM would wait for clients to leave.
      stopGraceMs,
    },
  }
}

const run = promisify(execFile)

const startAttempts = 5
const stopGraceMs = 20_000
const majorVersion = '18'

/** Neither the machine's language nor its time zone changes what the server does. */
const plainEnvironment = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' }

const ourSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // Else a checkpoint comes each gigabyte, and after it every page that is touched is written to the log as a whole.
  max_wal_size: '4GB',
  max_connections: '200',
  // Turns of people are locks, up to 200 for each of 16 batches of a worker, in one table for the whole server.
  max_locks_per_transaction: '256',
  timezone: 'UTC',
  log_timezone: 'UTC',
}

/** Only with a password, only from this machine; the superuser, who has none, not at all. */
const accessRules = 'host all all 127.0.0.1/32 scram-sha-256\n'

const Passwords = z.object({ owner: z.string(), app: z.string(), system: z.string() })
type Passwords = z.infer<typeof Passwords>

function readOrMakePasswords(folder: string): Passwords {
  const file = join(folder, 'passwords.json')
  if (existsSync(file)) return Passwords.parse(JSON.parse(readFileSync(file, 'utf8')))
  if (existsSync(join(folder, 'data'))) throw new Error(`${file} is missing, without it the database cannot be opened`)
  const passwords: Passwords = { owner: newPassword(), app: newPassword(), system: newPassword() }
  writeFileSync(`${file}.new`, JSON.stringify(passwords), { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return passwords
}

function newPassword(): string {
  return randomBytes(24).toString('base64url')
}

/** Makes the cluster, the owner and the database beside their place and moves them there whole: a half-made one is never used. */
async function initialise(
  folder: string,
  { initdb, postgres: server }: PostgresBinaries,
  account: Account | undefined,
  passwords: Passwords,
): Promise<void> {
  const unfinished = join(folder, 'data.unfinished')
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { mode: 0o700 })
  if (account) chownSync(unfinished, account.uid, account.gid)
  const options = { env: plainEnvironment, cwd: folder, ...account }
  const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C']
  await run(initdb, ['-D', unfinished, '--username=postgres', '--auth=reject', '--no-instructions', ...locale], options)
  const single = ['--single', '-D', unfinished, '-c', 'exit_on_error=on', '-c', 'log_statement=none', 'postgres']
  const setup = run(server, single, options)
  setup.child.stdin?.end(firstStatements(passwords.owner))
  await setup
  const rules = join(unfinished, 'pg_hba.conf')
  writeFileSync(rules, accessRules)
  chmodSync(rules, 0o600)
  renameSync(unfinished, join(folder, 'data'))
}

/** One statement a line, as single-user mode wants them. The owner is no superuser, so that row-level security holds for it too. */
function firstStatements(ownerPassword: string): string {
  return [
    `create role throughline_owner login nosuperuser createdb createrole password '${ownerPassword}'`,
    'create database throughline owner throughline_owner',
    '',
  ].join('\n')
}

function assertVersion(data: string): void {
  const version = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim()
  if (version === majorVersion) return
  throw new Error(
    `${data} was made by PostgreSQL ${version}, this is ${majorVersion}: move it away, or set DATABASE_URL to a server for it`,
  )
}

function loginsAt(port: number, { owner, app, system }: Passwords): Logins {
  const url = (login: string, password: string) =>
    `postgres://throughline_${login}:${password}@127.0.0.1:${port}/throughline`
  return { ownerUrl: url('owner', owner), appUrl: url('app', app), systemUrl: url('system', system) }
}

/** Stops a server that outlived whoever started it. Leaves alone what has got its number since it died. */
async function stopPostmaster(data: string): Promise<void> {
  const file = join(data, 'postmaster.pid')
  if (!existsSync(file)) return
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0])
  const identity = identify(pid)
  if (identity !== undefined && commandLine(pid).includes(`postgres -D ${data} `)) {
    await stopProcess(identity, 'SIGINT', stopGraceMs)
  }
  // Without this the next one refuses to start because of any process with the number, even a dead one that nobody collected.
  rmSync(file, { force: true })
}

async function accepts(url: string): Promise<boolean> {
  const sql = postgres(url, { max: 1, connect_timeout: 2, onnotice: () => {} })
  try {
    await sql`select 1`
    return true
  } catch {
    return false
  } finally {
    await sql.end({ timeout: 1 })
  }
}
