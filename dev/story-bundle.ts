import { createHash } from 'node:crypto'
import { globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildBundle } from '../workers/build-bundle.ts'

const repository = fileURLToPath(new URL('..', import.meta.url))

/** Everything that gets into a bundle: our files, the packages by their lockfile, and how it is made. */
const sources = ['workflows/**/*.ts', 'temporal-config/*.ts', 'workers/bundle.ts', 'package-lock.json']

/**
 * Where the stories lie as one script, built where those of an earlier start are not of these very sources. The file is named by them, so
 * that a start that was killed while it wrote leaves nothing that another would take.
 */
export async function preparedBundle(dataDir: string, build: () => Promise<string> = buildBundle): Promise<string> {
  const folder = join(dataDir, 'bundles')
  const file = join(folder, `stories-${digestOf(sources)}.js`)
  mkdirSync(folder, { recursive: true })
  const present = globSync('*', { cwd: folder }).map((name) => join(folder, name))
  for (const other of present) if (other !== file) rmSync(other, { force: true })
  if (present.includes(file)) return file
  writeFileSync(`${file}.part`, await build())
  renameSync(`${file}.part`, file)
  return file
}

function digestOf(patterns: string[]): string {
  const digest = createHash('sha256')
  for (const file of globSync(patterns, { cwd: repository }).sort()) {
    digest
      .update(`${file}\0`)
      .update(readFileSync(join(repository, file)))
      .update('\0')
  }
  return digest.digest('hex').slice(0, 16)
}
