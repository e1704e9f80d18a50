import { accessSync, constants, mkdirSync } from 'node:fs'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config.ts'

export type CachePlaces = Pick<Config, 'cacheDir' | 'dataDir'>

/** Where something of this name may lie: in the cache of the user or, where that cannot be written, of this data directory. */
export function cachePlaces({ cacheDir, dataDir }: CachePlaces, name: string): string[] {
  return [join(cacheDir, name), join(dataDir, 'cache', name)]
}

/**
 * Puts a folder into the cache, whole or not at all: `fill` works on one that nobody else sees. Another process may do the same
 * meanwhile, so what `works` already is left in place. Returns where it lies.
 */
export async function putIntoCache(
  places: CachePlaces,
  name: string,
  fill: (folder: string) => Promise<void>,
  works: (folder: string) => Promise<boolean>,
): Promise<string> {
  const cache = writableCache(places)
  const target = join(cache, name)
  const unfinished = await mkdtemp(join(cache, `${name}.`))
  try {
    await fill(unfinished)
    if (!(await works(unfinished))) throw new Error('what came does not run on this machine')
    if (await works(target)) return target
    await rm(target, { recursive: true, force: true })
    await rename(unfinished, target)
    return target
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
}

function writableCache({ cacheDir, dataDir }: CachePlaces): string {
  try {
    mkdirSync(cacheDir, { recursive: true })
    accessSync(cacheDir, constants.W_OK)
    return cacheDir
  } catch {
    const fallback = join(dataDir, 'cache')
    mkdirSync(fallback, { recursive: true })
    return fallback
  }
}
