import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { ownFolder, removePostgresFolder } from '../../dev/postgres-place.ts'
import { identify, isRunning } from '../../dev/processes.ts'
import { stopLeftovers } from '../../dev/run-records.ts'

/** Servers that tests start, by the names of their records. */
const servers = ['temporal', 'postgres']

const Owner = z.object({ pid: z.int().positive(), startedAt: z.string() })

/** A data directory for this test run. Clears those of runs that were killed, their servers first. */
export async function openRunFolder(): Promise<string> {
  const all = ownFolder(join(tmpdir(), `throughline-tests-${process.getuid?.() ?? 'user'}`))
  for (const name of readdirSync(all)) {
    if (!hasOwner(join(all, name))) await clearRunFolder(join(all, name))
  }
  const folder = ownFolder(join(all, String(process.pid)))
  writeFileSync(join(folder, 'owner.json'), JSON.stringify(identify(process.pid)))
  return folder
}

/** Stops what still runs on the folder and removes it. */
export async function clearRunFolder(folder: string): Promise<void> {
  await stopLeftovers(folder, servers)
  removePostgresFolder(folder)
  rmSync(folder, { recursive: true, force: true })
}

function hasOwner(folder: string): boolean {
  try {
    return isRunning(Owner.parse(JSON.parse(readFileSync(join(folder, 'owner.json'), 'utf8'))))
  } catch {
    return false
  }
}
