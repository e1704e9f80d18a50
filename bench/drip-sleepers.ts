import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectTemporal } from '../temporal-config/connection.ts'
import { dripSequenceId, lookAgain } from '../workflows/contracts/drip-sequence.ts'
import { type Audience, enrolAll, publishSequence, threeMessages } from './drip-audience.ts'
import type { MeasuredSystem } from './system.ts'

export interface Sleepers {
  /** What the worker grows by while the cohorts come into its cache, from the first tenth to all: bytes a person. */
  workerBytes: number
  /** What the engine's files have grown by: bytes a person. */
  diskBytes: number
}

const settleMs = 15_000
const pollMs = 250

/** Everybody enters a sequence that begins with a month of waiting. */
export async function measureSleepers(
  system: MeasuredSystem,
  audience: Audience,
  people: readonly string[],
): Promise<Sleepers> {
  const diskBefore = engineBytes(system)
  const steps = [{ key: 'month', type: 'wait' as const, for: 'P30D' }, ...threeMessages('sleepers')]
  const sequenceId = await publishSequence(system, { senderId: audience.senderId, steps })
  await enrolAll(system, sequenceId, people)
  await untilAsleep(system, audience, sequenceId)
  await sleep(settleMs)
  const diskBytes = (engineBytes(system) - diskBefore) / people.length

  await restartWorker(system)
  // Each cohort is told to look at nobody: the new worker reads its history and keeps it. A tenth of them bring it to its working state.
  const cohorts = await cohortsOf(system, audience, sequenceId)
  const first = cohorts.slice(0, cohorts.length / 10)
  await wakeCohorts(system, first, first.length)
  const before = await residentBytes(system)
  const others = cohorts.slice(first.length)
  await wakeCohorts(system, others, cohorts.length)
  const grown = (await residentBytes(system)) - before
  return { workerBytes: grown / (people.length * (others.length / cohorts.length)), diskBytes }
}

async function untilAsleep(
  { organisationId }: MeasuredSystem,
  { database }: Audience,
  sequenceId: string,
): Promise<void> {
  for (;;) {
    const [row] = await database.as(
      organisationId,
      (tx) => tx<{ isAwake: boolean }[]>`
        select exists (select from enrolments where sequence_id = ${sequenceId} and step_key is null) as is_awake`,
    )
    if (row?.isAwake === false) return
    await sleep(pollMs)
  }
}

/** As after an update: stopped in order, started again by the supervisor. */
async function restartWorker(system: MeasuredSystem): Promise<void> {
  const before = system.pid('worker')
  process.kill(before, 'SIGTERM')
  const isReplaced = () => {
    try {
      return system.pid('worker') !== before
    } catch {
      return false // between the two
    }
  }
  while (!isReplaced()) await sleep(pollMs)
  await sleep(settleMs)
}

/** The workflows' ids. */
async function cohortsOf(
  { organisationId }: MeasuredSystem,
  { database }: Audience,
  sequenceId: string,
): Promise<string[]> {
  const cohorts = await database.as(
    organisationId,
    (tx) => tx<{ id: string }[]>`select id from cohorts where sequence_id = ${sequenceId}`,
  )
  return cohorts.map(({ id }) => dripSequenceId(sequenceId, id))
}

async function wakeCohorts(system: MeasuredSystem, workflowIds: readonly string[], cached: number): Promise<void> {
  const { workflow, connection } = connectTemporal(system.config.temporal)
  try {
    for (const id of workflowIds) await workflow.getHandle(id).signal(lookAgain, { seats: [] })
    while ((await cachedWorkflows(system)) < cached) await sleep(pollMs)
  } finally {
    await connection.close()
  }
}

/** As the worker's own metrics tell. */
async function cachedWorkflows({ config }: MeasuredSystem): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${config.worker.metricsPort}/metrics`)).text()
  const sizes = [...metrics.matchAll(/^temporal_sticky_cache_size\{.*\} (\d+)$/gm)].map(([, size]) => Number(size))
  return Math.max(0, ...sizes)
}

/** The least within some seconds, so that young garbage is gone. */
async function residentBytes(system: MeasuredSystem): Promise<number> {
  let least = Infinity
  for (const until = Date.now() + settleMs; Date.now() < until; await sleep(pollMs)) {
    const [, kilobytes] =
      /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${system.pid('worker')}/status`, 'utf8')) ?? []
    least = Math.min(least, Number(kilobytes) * 1024)
  }
  return least
}

/** SQLite's file and what has not been written back to it. */
function engineBytes({ config }: MeasuredSystem): number {
  const file = join(config.dataDir, 'temporal.db')
  const database = new DatabaseSync(file)
  database.exec('pragma busy_timeout = 10000; pragma wal_checkpoint(truncate)')
  database.close()
  const sizes = [file, `${file}-wal`].map((name) => (existsSync(name) ? statSync(name).size : 0))
  return sizes.reduce((sum, size) => sum + size, 0)
}
