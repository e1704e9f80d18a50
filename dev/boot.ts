import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Config, loadConfig } from '../config.ts'
import { type Logins, migrate } from '../db/migrate.ts'
import { resolveTemporalServer } from '../temporal-config/server.ts'
import { childEnvironments } from './child-environments.ts'
import type { ProcessPlan } from './launch.ts'
import { assertPortsAreFree, type PortUse } from './ports.ts'
import { planPostgres } from './postgres.ts'
import { stopLeftovers } from './run-records.ts'
import type { Stages } from './stages.ts'
import type { Urls } from './stories.ts'
import { preparedBundle } from './story-bundle.ts'
import type { Supervisor } from './supervisor.ts'
import { planTemporal } from './temporal.ts'

/** Whoever asks others for something stops before them. */
export const stopOrder = ['api', 'worker', 'sandbox', 'temporal', 'postgres']

export interface BootOptions {
  config: Config
  supervisor: Supervisor
  stages: Stages
  sitesDir: string | undefined
  say: (line: string) => void
}

export interface Booted {
  /** The settings our own processes run with. */
  config: Config
  database: Logins
  urls: Urls
}

/** Brings everything up, in the order in which the parts need each other. */
export async function boot({ config, supervisor, stages, sitesDir, say }: BootOptions): Promise<Booted> {
  mkdirSync(config.dataDir, { recursive: true })
  const leftovers = await stopLeftovers(config.dataDir, stopOrder)
  if (leftovers.length > 0) say(`Stopped what an earlier start left running: ${leftovers.join(', ')}`)
  await assertPortsAreFree(portsOf(config))

  const [database, , bundle] = await Promise.all([bootDatabase(), bootTemporal(), bundleStories()])
  const { env, sandboxEnv } = childEnvironments(config, database, sitesDir)
  const effective = loadConfig(env)
  await stages.run('sandbox', () => supervisor.start(planOwn('sandbox', 'dev/sandbox/main.ts', sandboxEnv)))
  const graceMs = config.worker.shutdownGraceSeconds * 1000 + ownGraceMs
  await stages.run('worker', () =>
    supervisor.start({
      ...planOwn('worker', 'workers/main.ts', { ...env, WORKFLOW_BUNDLE: bundle }),
      stopGraceMs: graceMs,
    }),
  )
  await stages.run('api', () => supervisor.start(planOwn('api', 'api/main.ts', env)))
  return { config: effective, database, urls: urlsOf(config) }

  /** Once, so that a worker that died is back in no time. */
  async function bundleStories(): Promise<string> {
    return config.worker.bundlePath ?? stages.run('stories', () => preparedBundle(config.dataDir))
  }

  async function bootDatabase(): Promise<Logins> {
    const logins = config.database ? loginsOf(config.database) : await stages.run('postgres', startEmbedded)
    await stages.run('migrations', () => migrate(logins))
    return logins
  }

  async function startEmbedded(): Promise<Logins> {
    const { plan, logins } = await planPostgres({ dataDir: config.dataDir, port: config.postgres.port })
    await supervisor.start(plan)
    return logins
  }

  async function bootTemporal(): Promise<void> {
    const server = await stages.run('temporal server', () => resolveTemporalServer(config, say))
    if (server.kind === 'given') return
    await stages.run('temporal', () => supervisor.start(planTemporal(server.command, config)))
  }
}

const repository = fileURLToPath(new URL('..', import.meta.url))
const ownGraceMs = 10_000

/** One of our own processes: says by IPC when it is up, and stops when we are gone. */
function planOwn(name: string, script: string, env: ProcessPlan['env']): ProcessPlan {
  return {
    name,
    command: process.execPath,
    args: [script],
    cwd: repository,
    env,
    ready: 'message',
    stopSignal: 'SIGTERM',
    stopGraceMs: ownGraceMs,
  }
}

function loginsOf({ ownerUrl, ...others }: NonNullable<Config['database']>): Logins {
  if (ownerUrl !== undefined) return { ...others, ownerUrl }
  throw new Error('Set DATABASE_OWNER_URL: npm start migrates the database it is given')
}

/** Every port that this start will listen on. */
function portsOf({ api, database, postgres, temporal, worker, sandbox }: Config): PortUse[] {
  const host = '127.0.0.1'
  const hasServer = temporal.address !== undefined || temporal.usesProfile
  return [
    { setting: 'API_PORT', host: api.host, port: api.port },
    ...(database ? [] : [{ setting: 'POSTGRES_PORT', host, port: postgres.port } as const]),
    ...(hasServer
      ? []
      : ([
          { setting: 'TEMPORAL_PORT', host, port: temporal.port },
          { setting: 'TEMPORAL_UI_PORT', host, port: temporal.uiPort },
        ] as const)),
    { setting: 'WORKER_METRICS_PORT', host, port: worker.metricsPort },
    { setting: 'SANDBOX_PORT', host, port: sandbox.port },
    { setting: 'SANDBOX_PROVIDERS_PORT', host, port: sandbox.providersPort },
    { setting: 'SANDBOX_SITES_PORT', host, port: sandbox.sitesPort },
    { setting: 'SANDBOX_SITES_TLS_PORT', host, port: sandbox.sitesTlsPort },
  ]
}

function urlsOf({ api, temporal, sandbox }: Config): Urls {
  const isOwnServer = temporal.address === undefined && !temporal.usesProfile
  // What listens on all addresses is reached on this one too.
  const host = api.host === '0.0.0.0' || api.host === '::' ? '127.0.0.1' : api.host
  const apiUrl = `http://${host}:${api.port}`
  return {
    api: `${apiUrl}/api/v1`,
    docs: `${apiUrl}/docs`,
    temporalUi: isOwnServer ? `http://127.0.0.1:${temporal.uiPort}` : undefined,
    sandbox: `http://127.0.0.1:${sandbox.port}/_sandbox/requests`,
  }
}
