import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The account PostgreSQL runs under when we are root, as which it refuses to run. */
export interface Account {
  uid: number
  gid: number
}

export function postgresAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = [idOf('-u', name), idOf('-g', name)]
    if (uid !== undefined && gid !== undefined) return { uid, gid }
  }
  throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody: run as a normal user')
}

/** Whether the account may enter this folder or run this file, which closed folders above it prevent. */
export function canReach(account: Account | undefined, path: string): boolean {
  return account === undefined || spawnSync('test', ['-x', path], { ...account, cwd: '/' }).status === 0
}

/**
 * The folder for the database of this data directory: in it, or, where the account cannot reach that, in /var/tmp. A note in the
 * data directory says so; without the note a folder in /var/tmp belonged to a data directory since deleted, and is cleared by `discard`.
 */
export async function postgresFolder(
  dataDir: string,
  account: Account | undefined,
  discard: (folder: string) => Promise<void>,
): Promise<string> {
  const inside = join(dataDir, 'postgres')
  mkdirSync(inside, { recursive: true })
  const note = join(inside, 'lies-in')
  const outside = folderOutside(dataDir)
  if (existsSync(note) && readFileSync(note, 'utf8').trim() === outside) return ownFolder(outside)
  if (canReach(account, inside)) return inside
  if (existsSync(join(inside, 'data'))) {
    throw new Error(`The account that PostgreSQL runs under can no longer reach ${inside}: open the folders above it`)
  }
  if (existsSync(outside)) await discard(ownFolder(outside))
  const folder = ownFolder(outside)
  writeFileSync(note, `${outside}\n`)
  return folder
}

/** Removes what the database of this data directory left on disk. It must not be running. */
export function removePostgresFolder(dataDir: string): void {
  const outside = folderOutside(dataDir)
  if (existsSync(outside)) rmSync(ownFolder(outside), { recursive: true })
  rmSync(join(dataDir, 'postgres'), { recursive: true, force: true })
}

/** Makes a folder in a place where anyone may make one; refuses one that somebody else put there. */
export function ownFolder(path: string): string {
  const created = mkdirSync(path, { recursive: true })
  if (created !== undefined) chmodSync(path, 0o755)
  const found = lstatSync(path)
  const isOurs = found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0
  if (!isOurs) throw new Error(`${path} is not a folder of our own: remove it and start again`)
  return path
}

function folderOutside(dataDir: string): string {
  const key = createHash('sha256').update(realpathSync(dataDir)).digest('hex').slice(0, 16)
  return join('/var/tmp', `throughline-postgres-${key}`)
}

function idOf(kind: '-u' | '-g', name: string): number | undefined {
  try {
    return Number(execFileSync('id', [kind, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  } catch {
    return undefined
  }
}
