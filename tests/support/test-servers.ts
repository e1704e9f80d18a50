import { loadConfig } from '../../config.ts'
import { type Logins, migrate } from '../../db/migrate.ts'
import { launch } from '../../dev/launch.ts'
import { startPostgres, volatileSettings } from '../../dev/postgres.ts'
import { planTemporalInMemory } from '../../dev/temporal.ts'
import { resolveTemporalServer } from '../../temporal-config/server.ts'
import { freePorts } from './free-ports.ts'
import { resolveTimeSkippingServer, type TimeSkippingServer } from './time-skipping-server.ts'

export interface TemporalAddress {
  address: string
  namespace: string
}

/** The servers of one test run. Each starts when first asked for: a run that needs none starts none. */
export interface TestServers {
  /** The migrated database that every test file's own is copied from. Nobody works in it. */
  templateDatabase(): Promise<Logins>
  temporal(): Promise<TemporalAddress>
  timeSkipping(): Promise<TimeSkippingServer>
}

/** Their state, logs and records lie in `dataDir`. They stop by their records. */
export async function createTestServers(dataDir: string, say: (line: string) => void): Promise<TestServers> {
  const [postgresPort = 0, temporalPort = 0] = await freePorts(2)
  // Nothing of the developer's own settings but where the cache lies.
  const config = {
    ...loadConfig({ DATA_DIR: dataDir, TEMPORAL_PORT: String(temporalPort) }),
    cacheDir: loadConfig().cacheDir,
  }
  // Resolved before any test runs: where the server must be built first, no test's time limit would be long enough.
  const server = await resolveTemporalServer(config, say)

  return { templateDatabase: once(startTemplate), temporal: once(startTemporal), timeSkipping: once(findTimeSkipping) }

  async function startTemplate(): Promise<Logins> {
    const logins = await startPostgres({ dataDir, port: postgresPort, settings: volatileSettings })
    await migrate(logins)
    return logins
  }

  async function startTemporal(): Promise<TemporalAddress> {
    if (server.kind === 'given') throw new Error('tests start a Temporal server of their own')
    const running = await launch(planTemporalInMemory(server.command, config.temporal), dataDir)
    await running.ready
    return { address: `127.0.0.1:${config.temporal.port}`, namespace: config.temporal.namespace }
  }

  async function findTimeSkipping(): Promise<TimeSkippingServer> {
    const found = await resolveTimeSkippingServer(config)
    if (found.kind === 'none') say(`Skipped: ${found.reason}`)
    return found
  }
}

function once<T>(start: () => Promise<T>): () => Promise<T> {
  let started: Promise<T> | undefined
  return () => (started ??= start())
}
