import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { connectTemporal } from '../temporal-config/connection.ts'
import { messageKeys, publishSequence, threeMessages } from './drip-audience.ts'
import { naiveQueue } from './naive-drip.ts'
import type { naiveDrip } from './naive-drip.workflow.ts'
import { cpuSeconds } from './process-costs.ts'
import { type DripBench, secondsOf } from './throughline-drip.ts'

export interface RivalRun {
  /** From the first delivery to the last. */
  seconds: number
  /** Of its own process and PostgreSQL, for one-per-contact of the engine, too; from its first query to its last. */
  cpuSeconds: number
}

const Printed = z.object({ cpuSeconds: z.number() })

/** The bare loop, in a process of its own as the worker has one, over people who sit in cohorts that no story carries. */
export async function runBareDrip(bench: DripBench, run: string, people: readonly string[]): Promise<RivalRun> {
  const { system, audience, stub } = bench
  const sequenceId = await publishSequence(system, { senderId: audience.senderId, steps: threeMessages(run) })
  await seat(bench, sequenceId, people)
  const before = cpuSeconds(system.pid('postgres'))
  const script = fileURLToPath(new URL('bare-drip.ts', import.meta.url))
  const child = spawn(process.execPath, [script, system.organisationId, sequenceId, stub.url, run], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.end(system.logins.appUrl)
  const own = Printed.parse(JSON.parse(await text(child.stdout)))
  const postgres = cpuSeconds(system.pid('postgres')) - before
  return { seconds: secondsOf(await stub.counts(run)), cpuSeconds: own.cpuSeconds + postgres }
}

/** One workflow per contact, on the very engine that carries our cohorts, with a worker of its own. */
export async function runNaiveDrip(bench: DripBench, run: string, people: readonly string[]): Promise<RivalRun> {
  const { system, audience, stub } = bench
  const sequenceId = await publishSequence(system, { senderId: audience.senderId, steps: threeMessages(run) })
  await seat(bench, sequenceId, people)
  const enrolments = await audience.database.as(
    system.organisationId,
    (tx) => tx<{ id: string }[]>`select id from enrolments where sequence_id = ${sequenceId}`,
  )
  const { temporal } = system.config
  const worker = spawn(process.execPath, [fileURLToPath(new URL('naive-drip.ts', import.meta.url))], {
    stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
  })
  const { organisationId, logins } = system
  const place = { organisationId, sequenceId, stubUrl: stub.url, run, appUrl: logins.appUrl }
  const engine = { temporalAddress: `127.0.0.1:${temporal.port}`, namespace: temporal.namespace }
  worker.stdin?.end(JSON.stringify({ ...place, ...engine }))
  await once(worker, 'message')
  const { workflow, connection } = connectTemporal(temporal)
  try {
    const pids = [worker.pid ?? 0, system.pid('temporal'), system.pid('postgres')]
    const cpuOfAll = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0)
    const before = cpuOfAll()
    const handles = await Promise.all(
      enrolments.map(({ id }) =>
        workflow.start<typeof naiveDrip>('naiveDrip', {
          workflowId: `naive/${id}`,
          taskQueue: naiveQueue,
          args: [{ enrolmentId: id, steps: [...messageKeys] }],
        }),
      ),
    )
    await Promise.all(handles.map((handle) => handle.result()))
    return { seconds: secondsOf(await stub.counts(run)), cpuSeconds: cpuOfAll() - before }
  } finally {
    await connection.close()
    worker.disconnect()
    await once(worker, 'exit')
  }
}

const cohortSize = 500

/** As enrolling does, without telling a story of it. */
async function seat({ system, audience }: DripBench, sequenceId: string, people: readonly string[]) {
  await audience.database.as(system.organisationId, async (tx) => {
    const now = new Date()
    for (let first = 0; first < people.length; first += cohortSize) {
      const seated = people.slice(first, first + cohortSize)
      await tx`
        with cohort as (
          insert into cohorts (sequence_id, size, closed_at, created_at) values (${sequenceId}, ${seated.length}, ${now}, ${now}) returning id
        )
        insert into enrolments (sequence_id, contact_id, cohort_id, seat, version, status, due_at, source, created_at)
        select ${sequenceId}, contact_id, cohort.id, seat, 1, 'active', ${now}, 'bench', ${now}
        from cohort, unnest(${seated}::uuid[]) with ordinality as seated (contact_id, seat)`
    }
  })
}
