import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, vi } from 'vitest'
import { z } from 'zod'
import type { Setting } from '../../config.ts'
import { type ApiClient, createApiClient } from '../../dev/api-client.ts'
import { removePostgresFolder } from '../../dev/postgres-place.ts'
import { freePorts } from './free-ports.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/** What `npm start -- --serve` runs, as processes of its own that may be killed. */
export interface WholeSystem extends AsyncDisposable {
  start(): Promise<void>
  /** The process id of 'worker', 'temporal', ... as it runs now. */
  pid(name: string): number
  /** kill -9 of every process there is, the supervisor first. */
  killEverything(): Promise<void>
  api(): Promise<ApiClient>
  /** Requests that the sandbox has received. */
  requests(provider: 'serpapi' | 'websites'): Promise<SandboxRequest[]>
  /** Makes every site answer late, so that kills find some in flight. */
  slowSitesDown(latencyMs: number): Promise<void>
  temporalAddress: string
}

const SandboxRequest = z.object({
  host: z.string(),
  path: z.string(),
  at: z.coerce.date(),
  billed: z.boolean().optional(),
})
export type SandboxRequest = z.infer<typeof SandboxRequest>

const RunRecord = z.object({ pid: z.number() })
const bootMs = 120_000

/** A system with its own data directory and ports, not started yet. */
export async function wholeSystem(): Promise<WholeSystem> {
  const dataDir = mkdtempSync(join(tmpdir(), 'throughline-chaos-'))
  const settings = [
    'API_PORT',
    'POSTGRES_PORT',
    'TEMPORAL_PORT',
    'TEMPORAL_UI_PORT',
    'WORKER_METRICS_PORT',
    'SANDBOX_PORT',
    'SANDBOX_PROVIDERS_PORT',
    'SANDBOX_SITES_PORT',
    'SANDBOX_SITES_TLS_PORT',
  ] satisfies Setting[]
  const ports = await freePorts(settings.length)
  const port = (setting: (typeof settings)[number]) => ports[settings.indexOf(setting)]
  const env = {
    ...process.env,
    DATA_DIR: dataDir,
    ...Object.fromEntries(settings.map((name) => [name, String(port(name))])),
  }
  let main: ChildProcess | undefined
  const ended = new AbortController()

  const system: WholeSystem = {
    temporalAddress: `127.0.0.1:${port('TEMPORAL_PORT')}`,
    async start() {
      const started = spawn(process.execPath, ['dev/main.ts', '--serve'], { cwd: repository, env, detached: true })
      main = started
      let said = ''
      for (const output of [started.stdout, started.stderr]) output.on('data', (text) => (said += text))
      await vi.waitFor(
        async () => {
          if (started.exitCode !== null) throw new Error(`npm start ended: ${said}`)
          expect((await fetch(`http://127.0.0.1:${port('API_PORT')}/healthz`)).ok, said).toBe(true)
        },
        { timeout: bootMs, interval: 100 },
      )
    },
    pid: (name) => RunRecord.parse(JSON.parse(readFileSync(join(dataDir, 'run', `${name}.json`), 'utf8'))).pid,
    async killEverything() {
      const pids = readdirSync(join(dataDir, 'run')).map((file) => system.pid(file.replace('.json', '')))
      if (main?.pid !== undefined) await kill(main)
      for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
    },
    async api() {
      const admin = spawn(process.execPath, ['dev/admin.ts', 'create-organisation', 'Chaos'], { cwd: repository, env })
      let printed = ''
      admin.stdout.on('data', (text) => (printed += text))
      await once(admin, 'close')
      const key = /tl_\w{32}_[\w-]{43}/.exec(printed)?.[0]
      if (key === undefined) throw new Error(`no key in: ${printed}`)
      return createApiClient(`http://127.0.0.1:${port('API_PORT')}/api/v1`, key, ended.signal)
    },
    async requests(provider) {
      const query = new URLSearchParams({ provider, limit: '100000' })
      const response = await fetch(`http://127.0.0.1:${port('SANDBOX_PORT')}/_sandbox/requests?${query.toString()}`)
      return z.object({ data: z.array(SandboxRequest) }).parse(await response.json()).data
    },
    async slowSitesDown(latencyMs) {
      const body = JSON.stringify({ provider: 'websites', kind: 'latency', latencyMs, rate: 1 })
      const faults = `http://127.0.0.1:${port('SANDBOX_PORT')}/_sandbox/faults`
      expect((await fetch(faults, { method: 'POST', body })).ok).toBe(true)
    },
    async [Symbol.asyncDispose]() {
      ended.abort()
      if (main && main.exitCode === null && main.signalCode === null) {
        main.kill('SIGTERM')
        await once(main, 'exit')
      }
      removePostgresFolder(dataDir)
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
  return system
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
