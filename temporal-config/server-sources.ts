import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { EnvHttpProxyAgent, fetch } from 'undici'
import { type CachePlaces, cachePlaces, putIntoCache } from './cache.ts'

/** The last release that `go install` accepts: later ones replace modules. */
const cliVersion = '1.5.1'
const folderName = `temporal-cli-${cliVersion}`

const connectMs = 3_000
const downloadMs = 5 * 60_000
const buildMs = 20 * 60_000

/** The exit code of `env` for a command that is not there. */
const commandNotFound = 127

const run = promisify(execFile)

/** One way to come by the command `temporal`. */
export interface Source {
  /** Finishes the sentence "Temporal server: ...". */
  what: string
  /** Undefined: it is not there, which is nothing to speak of. Throws when it should have worked, with the reason. */
  find(): Promise<string | undefined>
  /** Takes long enough that people want to know beforehand. */
  isSlow?: true
}

/** Every way to come by the command `temporal`, the quickest first. */
export function temporalCommandSources(places: CachePlaces): Source[] {
  return [
    { what: 'the command on PATH', find: async () => ((await runs('temporal')) ? 'temporal' : undefined) },
    { what: 'the copy in the cache', find: () => cachedCommand(places) },
    { what: `the download of version ${cliVersion}`, isSlow: true, find: () => intoCache(places, download) },
    {
      what: `a build with Go of version ${cliVersion}, 2-3 minutes, once`,
      isSlow: true,
      find: () => intoCache(places, build),
    },
  ]
}

async function cachedCommand(places: CachePlaces): Promise<string | undefined> {
  for (const folder of cachePlaces(places, folderName)) {
    if (await runsIn(folder)) return join(folder, 'temporal')
  }
  return undefined
}

async function intoCache(places: CachePlaces, fill: (folder: string) => Promise<void>): Promise<string> {
  return join(await putIntoCache(places, folderName, fill, runsIn), 'temporal')
}

async function download(folder: string): Promise<void> {
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch
  const url = `https://temporal.download/cli/archive/v${cliVersion}?platform=${process.platform}&arch=${architecture}`
  const archive = join(folder, 'temporal.tar.gz')
  const dispatcher = new EnvHttpProxyAgent({ connect: { timeout: connectMs }, headersTimeout: 2 * connectMs })
  try {
    const response = await fetch(url, { dispatcher, signal: AbortSignal.timeout(downloadMs) })
    if (!response.ok || response.body === null) throw new Error(`the server answered ${response.status}`)
    await pipeline(response.body, createWriteStream(archive))
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    throw new Error(cause instanceof Error ? cause.message : String(cause), { cause: error })
  } finally {
    await dispatcher.destroy()
  }
  await run('tar', ['-xzf', archive, '-C', folder, 'temporal'])
}

async function build(folder: string): Promise<void> {
  try {
    const module = `github.com/temporalio/cli/cmd/temporal@v${cliVersion}`
    // What Go keeps of a build, gigabytes, goes with the build. -modcacherw, or it could not be removed.
    const ownCaches = [`GOCACHE=${folder}/build`, `GOMODCACHE=${folder}/modules`, 'GOFLAGS=-modcacherw']
    await run('env', [`GOBIN=${folder}`, ...ownCaches, 'go', 'install', module], { timeout: buildMs })
    await Promise.all(['build', 'modules'].map((kept) => rm(join(folder, kept), { recursive: true, force: true })))
  } catch (error) {
    throw new Error(reasonOfGo(error), { cause: error })
  }
}

function reasonOfGo(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === commandNotFound) return 'Go is not installed'
  const output = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
  return output.split('\n').at(-1) || String(error)
}

function runsIn(folder: string): Promise<boolean> {
  return runs(join(folder, 'temporal'))
}

async function runs(command: string): Promise<boolean> {
  try {
    await run(command, ['--version'])
    return true
  } catch {
    return false
  }
}
