import { randomUUID } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { identify, isRunning, type ProcessIdentity } from './processes.ts'

export interface DataDirLock {
  /** Lets the next start wait for us rather than refuse. */
  markStopping(): void
  release(): void
}

const Holder = z.object({ pid: z.int().positive(), startedAt: z.string() })

const pollMs = 100

/** Makes sure that one start at a time works on a data directory. Waits for one that is stopping, refuses beside one that lives. */
export async function lockDataDir(dataDir: string, say: (line: string) => void): Promise<DataDirLock> {
  const file = join(dataDir, 'run', 'start.json')
  const ours = `${file}.${process.pid}`
  const stopping = `${file}.stopping`
  const us = identify(process.pid)
  if (us === undefined) throw new Error('This process cannot be found in the list of processes')
  mkdirSync(join(dataDir, 'run'), { recursive: true })
  writeFileSync(ours, JSON.stringify(us))
  for (let hasWaited = false; !linked(ours, file); ) {
    const found = read(file)
    if (found === undefined) continue // Released meanwhile.
    const holder = holderIn(found)
    if (holder === undefined || !isRunning(holder)) {
      removeStale(file, found)
    } else if (existsSync(stopping)) {
      if (!hasWaited) say(`Waiting for process ${holder.pid} to stop ...`)
      hasWaited = true
      await sleep(pollMs)
    } else {
      rmSync(ours)
      throw new Error(
        `Throughline already runs on ${dataDir} (process ${holder.pid}): stop it, or choose another DATA_DIR`,
      )
    }
  }
  rmSync(ours)
  rmSync(stopping, { force: true })
  return {
    markStopping: () => writeFileSync(stopping, ''),
    release() {
      rmSync(file, { force: true })
      rmSync(stopping, { force: true })
    },
  }
}

/** A link is made whole or not at all, and only where there is none: of two that start at once, one wins. */
function linked(ours: string, file: string): boolean {
  try {
    linkSync(ours, file)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

/**
 * Removes a lock file if it still holds what was found in it. Another start may have found the same and been faster: by then the file
 * is its lock. A file cannot be compared and removed in one step, so it is moved aside first, and put back if it is another one.
 */
export function removeStale(file: string, found: string): void {
  const aside = `${file}.${randomUUID()}`
  try {
    renameSync(file, aside)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  if (read(aside) !== found) linked(aside, file)
  rmSync(aside)
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function holderIn(found: string): ProcessIdentity | undefined {
  try {
    return Holder.parse(JSON.parse(found))
  } catch {
    return undefined
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
