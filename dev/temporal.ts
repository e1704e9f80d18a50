import { join } from 'node:path'
import { type Config, childEnvironment } from '../config.ts'
import { connectTemporal } from '../temporal-config/connection.ts'
import type { ProcessPlan } from './launch.ts'

/** How to run Temporal's dev server on this data directory. Its state outlives it. */
export function planTemporal(command: string, { dataDir, temporal }: Config): ProcessPlan {
  return planDevServer(command, temporal, [
    `--db-filename=${join(dataDir, 'temporal.db')}`,
    // SQLite's default journal makes the server two to three times slower.
    '--sqlite-pragma=journal_mode=WAL',
    `--ui-port=${temporal.uiPort}`,
  ])
}

/** The same without state and Web UI, for tests. */
export function planTemporalInMemory(command: string, temporal: Config['temporal']): ProcessPlan {
  return planDevServer(command, temporal, ['--headless'])
}

function planDevServer(command: string, temporal: Config['temporal'], options: readonly string[]): ProcessPlan {
  return {
    name: 'temporal',
    command,
    args: [
      'server',
      'start-dev',
      '--ip=127.0.0.1',
      `--port=${temporal.port}`,
      `--namespace=${temporal.namespace}`,
      '--log-level=warn',
      // Priority and fairness between organisations, off by default in server 1.29.
      '--dynamic-config-value=matching.useNewMatcher=true',
      '--dynamic-config-value=matching.enableFairness=true',
      ...options,
    ],
    env: childEnvironment(),
    ready: () => hasNamespace(temporal),
    stopSignal: 'SIGTERM',
    stopGraceMs: 15_000,
  }
}

async function hasNamespace(temporal: Config['temporal']): Promise<boolean> {
  const { connection } = connectTemporal(temporal)
  try {
    await connection.withDeadline(Date.now() + 2_000, () =>
      connection.workflowService.describeNamespace({ namespace: temporal.namespace }),
    )
    return true
  } catch {
    return false
  } finally {
    await connection.close()
  }
}
