import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { expect, onTestFinished, test } from 'vitest'
import { type RunningPostgres, startPostgres } from '../../dev/postgres.ts'
import { restoreLinks } from '../../dev/postgres-binaries.ts'
import { removePostgresFolder } from '../../dev/postgres-place.ts'
import { isRunning } from '../../dev/processes.ts'
import { freePorts } from '../support/free-ports.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { identityOf, idleProcess } from './node-process.ts'

test('what was committed survives a kill -9 of the server, of who started it, and a half-made cluster', async () => {
  const dataDir = await temporaryFolder()
  mkdirSync(join(dataDir, 'postgres/data.unfinished'), { recursive: true })
  writeFileSync(join(dataDir, 'postgres/data.unfinished/PG_VERSION'), 'half a fi')

  const first = await start(dataDir)
  await query(first.ownerUrl, 'create table notes as select 1 as note')
  process.kill(first.pid, 'SIGKILL')
  const second = await start(dataDir)
  expect(await query(second.ownerUrl, 'select note from notes')).toEqual([{ note: 1 }])
  await second.stop()

  const parent = startInAnotherProcess(dataDir)
  const orphan = identityOf(await pidFrom(parent))
  parent.kill('SIGKILL')
  await once(parent, 'exit')
  expect(isRunning(orphan)).toBe(true)
  const third = await start(dataDir)
  expect(isRunning(orphan)).toBe(false)
  expect(await query(third.ownerUrl, 'select note from notes')).toEqual([{ note: 1 }])
})

test('the owner is no superuser, but may create roles and databases', async () => {
  const { ownerUrl } = await start(await temporaryFolder())
  const role = await query(
    ownerUrl,
    'select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls from pg_roles where rolname = current_user',
  )
  expect(role).toEqual([{ rolsuper: false, rolcreaterole: true, rolcreatedb: true, rolbypassrls: false }])
  const locale = await query(
    ownerUrl,
    "select datlocprovider, datlocale from pg_database where datname = 'throughline'",
  )
  expect(locale).toEqual([{ datlocprovider: 'b', datlocale: 'C.UTF-8' }])
})

test('there is room for the locks of many workers', async () => {
  const { ownerUrl } = await start(await temporaryFolder())
  expect(await query(ownerUrl, 'show max_locks_per_transaction')).toEqual([{ max_locks_per_transaction: '256' }])
})

test('a process that was given the number of a dead server is left alone, and does not keep the next one from starting', async () => {
  const dataDir = await temporaryFolder()
  const first = await start(dataDir)
  const pidFile = join(dataDir, 'postgres/data/postmaster.pid')
  const contents = readFileSync(pidFile, 'utf8')
  await first.stop()
  const stranger = await idleProcess()
  writeFileSync(pidFile, contents.replace(String(first.pid), String(stranger.pid)))

  await start(dataDir)
  expect(isRunning(stranger)).toBe(true)
})

test.runIf(process.getuid?.() === 0)(
  'as root under a closed folder the database lies where its account can reach it',
  async () => {
    const closed = await temporaryFolder()
    chmodSync(closed, 0o700)
    const dataDir = join(closed, 'data')
    mkdirSync(dataDir)
    onTestFinished(() => removePostgresFolder(dataDir))

    const first = await start(dataDir)
    await query(first.ownerUrl, 'create table notes as select 1 as note')
    await first.stop()
    expect(existsSync(join(dataDir, 'postgres/data'))).toBe(false)
    const second = await start(dataDir)
    expect(await query(second.ownerUrl, 'select note from notes')).toEqual([{ note: 1 }])
  },
)

test('the symbolic links that npm drops are made again, and once is enough', async () => {
  const folder = await temporaryFolder()
  mkdirSync(join(folder, 'native/lib'), { recursive: true })
  writeFileSync(join(folder, 'native/lib/libpq.so.5.18'), '')
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]
  writeFileSync(join(folder, 'native/pg-symlinks.json'), JSON.stringify(links))

  restoreLinks(folder)
  restoreLinks(folder)
  expect(readdirSync(join(folder, 'native/lib'))).toEqual(['libpq.so.5', 'libpq.so.5.18'])
  expect(readlinkSync(join(folder, 'native/lib/libpq.so.5'))).toBe('libpq.so.5.18')
})

async function start(dataDir: string): Promise<RunningPostgres> {
  const [port = 0] = await freePorts(1)
  const server = await startPostgres({ dataDir, port })
  onTestFinished(() => server.stop())
  return server
}

function startInAnotherProcess(dataDir: string): ChildProcess {
  const [postgresModule, portsModule] = ['../../dev/postgres.ts', '../support/free-ports.ts'].map((path) =>
    import.meta.resolve(path),
  )
  const code = `
    import { startPostgres } from '${postgresModule}'
    import { freePorts } from '${portsModule}'
    const [port] = await freePorts(1)
    const { pid } = await startPostgres({ dataDir: '${dataDir}', port })
    process.send(pid)
    setInterval(() => {}, 1000)`
  return spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
}

async function pidFrom(parent: ChildProcess): Promise<number> {
  const [pid] = await once(parent, 'message')
  return Number(pid)
}

async function query(url: string, statement: string): Promise<unknown[]> {
  const sql = postgres(url, { max: 1 })
  try {
    return [...(await sql.unsafe(statement))]
  } finally {
    await sql.end()
  }
}
