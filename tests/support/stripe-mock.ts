import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type CachePlaces, cachePlaces, putIntoCache } from '../../temporal-config/cache.ts'
import { eventually } from './eventually.ts'
import { freePorts } from './free-ports.ts'

const version = '0.203.0'
const folderName = `stripe-mock-${version}`
const buildMs = 5 * 60_000

const run = promisify(execFile)

/** Stripe's own mock: it checks each request against the API's description, and answers with examples. */
export type StripeMock = { is: 'there'; path: string } | { is: 'none'; reason: string }

/** From the cache, or built with Go into it. */
export async function resolveStripeMock(places: CachePlaces): Promise<StripeMock> {
  for (const folder of cachePlaces(places, folderName)) {
    if (await runsIn(folder)) return { is: 'there', path: join(folder, 'stripe-mock') }
  }
  try {
    return { is: 'there', path: join(await putIntoCache(places, folderName, build, runsIn), 'stripe-mock') }
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n').at(-1) : String(error)
    return { is: 'none', reason: `stripe-mock cannot be built with Go (${why})` }
  }
}

async function build(folder: string): Promise<void> {
  // What Go keeps of a build goes with the build. -modcacherw, or it could not be removed.
  const ownCaches = { GOCACHE: join(folder, 'build'), GOMODCACHE: join(folder, 'modules'), GOFLAGS: '-modcacherw' }
  const settings = Object.entries({ GOBIN: folder, ...ownCaches }).map(([name, value]) => `${name}=${value}`)
  const module = `github.com/stripe/stripe-mock@v${version}`
  await run('env', [...settings, 'go', 'install', module], { timeout: buildMs })
  await Promise.all(['build', 'modules'].map((kept) => rm(join(folder, kept), { recursive: true, force: true })))
}

async function runsIn(folder: string): Promise<boolean> {
  try {
    await run(join(folder, 'stripe-mock'), ['-version'])
    return true
  } catch {
    return false
  }
}

export async function startStripeMock(path: string): Promise<AsyncDisposable & { url: string }> {
  const [port = 0] = await freePorts(1)
  const child = spawn(path, ['-http-addr', `127.0.0.1:${port}`], { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  const ended = once(child, 'exit')
  await eventually(() => fetch(url), { timeout: 20_000, interval: 50 })
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill()
      await ended
    },
  }
}
