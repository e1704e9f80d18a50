import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type Environment, settings as knownSettings, loadConfig, type Setting } from '../../config.ts'
import { connectDatabase, type Database } from '../../db/client.ts'
import { type ApiClient, createApiClient } from '../../dev/api-client.ts'
import { childEnvironments } from '../../dev/child-environments.ts'
import { planPostgres } from '../../dev/postgres.ts'
import { removePostgresFolder } from '../../dev/postgres-place.ts'
import type { Fault } from '../../dev/sandbox/faults.ts'
import type { TakenMessage } from '../../dev/sandbox/tenant.ts'
import { preparedBundle } from '../../dev/story-bundle.ts'
import { eventually } from './eventually.ts'
import { freePorts, ownPorts } from './free-ports.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/** What `npm start -- --serve` runs, as processes of its own that may be killed. */
export interface WholeSystem extends AsyncDisposable {
  start(): Promise<void>
  /** The process id of 'worker', 'temporal', ... as it runs now. */
  pid(name: string): number
  /** Sends a process a signal that it dies of; resolves when the supervisor says that it is up again. */
  fell(name: string, signal: NodeJS.Signals): Promise<void>
  /** kill -9 of every process there is, those who ask others first. */
  killEverything(): Promise<void>
  /** Starts a second worker, which nobody restarts; resolves when it works. */
  secondWorker(): Promise<ChildProcess>
  /** Makes an organisation. */
  organisation(): Promise<{ id: string; api: ApiClient }>
  /** Of an organisation that is made for it. */
  api(): Promise<ApiClient>
  /** Requests that the sandbox has received. */
  requests(provider: 'serpapi' | 'google' | 'resend' | 'websites'): Promise<SandboxRequest[]>
  /** The messages that the sandbox has taken, oldest first; only those after the one of this number. */
  messages(provider: 'resend', since?: number): Promise<TakenMessage[]>
  addFault(fault: z.input<typeof Fault>): Promise<void>
  /** Has something happen at a provider. */
  happen(provider: 'resend', event: { type: string } & Record<string, unknown>): Promise<void>
  /** What the API and the workers write to. */
  database(): Promise<Database>
  /** Where the sandbox's Google is, without our client, and where people reach the API without a key. */
  urls: { google: string; public: string }
  /** Leaves the data directory, with the logs, where it is; returns where. */
  keep(): string
}

const SandboxRequest = z.object({
  host: z.string(),
  path: z.string(),
  operation: z.string(),
  idempotencyKey: z.string().nullable(),
  billed: z.boolean().optional(),
  fault: z.string().optional(),
})
type SandboxRequest = z.infer<typeof SandboxRequest>

const TakenMessages = z.object({ data: z.array(z.custom<TakenMessage>((message) => typeof message === 'object')) })

const RunRecord = z.object({ pid: z.number() })
const bootPatience = { timeout: 120_000, interval: 100 }
const stopOrder = ['api', 'worker', 'sandbox', 'temporal', 'postgres']

/**
 * A system with its own data directory and ports, not started yet; `changes` are settings besides those. With `keepsCommitTimes` its
 * database can tell when each row was committed.
 */
export async function wholeSystem(
  changes: Partial<Record<Setting, string>> = {},
  { keepsCommitTimes = false } = {},
): Promise<WholeSystem> {
  const dataDir = mkdtempSync(join(tmpdir(), 'throughline-chaos-'))
  const ports = await ownPorts()
  const secondMetricsPort = (await freePorts(2)).find((port) => !Object.values(ports).includes(String(port)))
  const ourSettings = {
    ...changes,
    // A developer's .env, least of all with live keys, is nothing for it.
    NODE_ENV: 'test',
    DATA_DIR: dataDir,
    ...ports,
  }
  const env = { ...withoutSettings(process.env), ...ourSettings }
  const config = loadConfig(env)
  const sandboxUrl = `http://127.0.0.1:${config.sandbox.port}/_sandbox`
  const apiUrl = `http://127.0.0.1:${config.api.port}`
  const ended = new AbortController()
  let main: ChildProcess | undefined
  let said = ''
  let isKept = false
  process.once('exit', stopWithUs)

  const system: WholeSystem = {
    urls: { google: `http://127.0.0.1:${config.sandbox.providersPort}/google`, public: config.publicUrl },

    async start() {
      if (keepsCommitTimes) await keepCommitTimes()
      const started = spawn(process.execPath, ['dev/main.ts', '--serve'], { cwd: repository, env, detached: true })
      main = started
      said = ''
      for (const output of [started.stdout, started.stderr]) output.on('data', (text) => (said += text))
      const isUp = async () =>
        started.exitCode !== null || (await fetch(`${apiUrl}/healthz`)).ok || failed('not yet up')
      await eventually(isUp, bootPatience)
      if (started.exitCode !== null) failed('npm start ended')
    },

    pid: (name) => RunRecord.parse(JSON.parse(readFileSync(join(dataDir, 'run', `${name}.json`), 'utf8'))).pid,

    async fell(name, signal) {
      // It may be down by itself right now, and coming back.
      const pid = await eventually(() => system.pid(name), bootPatience)
      const before = said.length
      process.kill(pid, signal)
      const isUpAgain = () => said.slice(before).includes(`${name} is up again`) || failed(`${name} is not up again`)
      await eventually(isUpAgain, bootPatience)
    },

    async killEverything() {
      const running = new Set(readdirSync(join(dataDir, 'run')).map((file) => file.replace('.json', '')))
      const pids = stopOrder.filter((name) => running.has(name)).map((name) => system.pid(name))
      const exit = main && once(main, 'exit')
      main?.kill('SIGKILL')
      for (const pid of pids) killIfAlive(pid)
      await exit
    },

    async secondWorker() {
      const { logins } = await planPostgres({ dataDir, port: config.postgres.port })
      const { env: workerEnv } = childEnvironments(config, logins, undefined)
      const own = { WORKER_METRICS_PORT: String(secondMetricsPort), WORKFLOW_BUNDLE: await preparedBundle(dataDir) }
      const worker = spawn(process.execPath, ['workers/main.ts'], {
        cwd: repository,
        env: { ...workerEnv, ...ourSettings, ...own },
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      })
      const [how] = await Promise.race([once(worker, 'message'), once(worker, 'exit')])
      if (worker.exitCode !== null) throw new Error(`the second worker ended with exit code ${how}`)
      return worker
    },

    async api() {
      return (await system.organisation()).api
    },

    async organisation() {
      const admin = spawn(process.execPath, ['dev/admin.ts', 'create-organisation', 'Chaos'], { cwd: repository, env })
      let printed = ''
      admin.stdout.on('data', (text) => (printed += text))
      await once(admin, 'close')
      const [, id] = /^Id\s+(\S+)$/m.exec(printed) ?? []
      const key = /tl_\w{32}_[\w-]{43}/.exec(printed)?.[0]
      if (id === undefined || key === undefined) throw new Error(`no organisation with a key in: ${printed}`)
      return { id, api: createApiClient(`${apiUrl}/api/v1`, key, ended.signal) }
    },

    async requests(provider) {
      const query = new URLSearchParams({ provider, limit: '100000' })
      const response = await fetch(`${sandboxUrl}/requests?${query.toString()}`)
      return z.object({ data: z.array(SandboxRequest) }).parse(await response.json()).data
    },

    async messages(provider, since = 0) {
      const query = new URLSearchParams({ provider, since: String(since), limit: '100000' })
      const response = await fetch(`${sandboxUrl}/messages?${query.toString()}`)
      return TakenMessages.parse(await response.json()).data
    },

    addFault: (fault) => tellSandbox('faults', fault),
    happen: (provider, event) => tellSandbox('events', { provider, ...event }),

    async database() {
      const { logins } = await planPostgres({ dataDir, port: config.postgres.port })
      return connectDatabase(logins.appUrl, { name: 'chaos', poolSize: 2 })
    },

    keep() {
      isKept = true
      return dataDir
    },

    async [Symbol.asyncDispose]() {
      process.off('exit', stopWithUs)
      ended.abort()
      if (main && main.exitCode === null && main.signalCode === null) {
        main.kill('SIGTERM')
        await once(main, 'exit')
      }
      if (isKept) return
      removePostgresFolder(dataDir)
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
  return system

  async function keepCommitTimes(): Promise<void> {
    const { plan } = await planPostgres({ dataDir, port: config.postgres.port })
    const [, data = ''] = plan.args
    const file = join(data, 'postgresql.auto.conf')
    const setting = 'track_commit_timestamp = on\n'
    if (!readFileSync(file, 'utf8').includes(setting)) appendFileSync(file, setting)
  }

  /** It leads a group of its own: without this it would outlive whoever is stopped in the middle of it. */
  function stopWithUs(): void {
    main?.kill('SIGTERM')
  }

  async function tellSandbox(path: string, body: object): Promise<void> {
    const { ok, status } = await fetch(`${sandboxUrl}/${path}`, { method: 'POST', body: JSON.stringify(body) })
    if (!ok) throw new Error(`the sandbox answered ${status} to a POST of its ${path}`)
  }

  function failed(what: string): never {
    throw new Error(`${what}; npm start said: ${said}`)
  }
}

/** The environment without any setting of a Throughline; where things are cached is the same for all. */
function withoutSettings(env: Environment): Environment {
  const settings = new Set(Object.keys(knownSettings.shape))
  return Object.fromEntries(Object.entries(env).filter(([name]) => name === 'XDG_CACHE_HOME' || !settings.has(name)))
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It died between being listed and now.
  }
}
