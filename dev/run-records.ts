import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { isRunning, stopProcess } from './processes.ts'

const RunRecord = z.object({
  pid: z.int().positive(),
  startedAt: z.string(),
  stopSignal: z.enum(['SIGTERM', 'SIGINT']),
})

/** What a later start must know to stop this process, should we be killed. */
export type RunRecord = z.infer<typeof RunRecord>

export function writeRecord(dataDir: string, name: string, record: RunRecord): void {
  mkdirSync(join(dataDir, 'run'), { recursive: true })
  writeFileSync(recordFile(dataDir, name), JSON.stringify(record))
}

export function removeRecord(dataDir: string, name: string): void {
  rmSync(recordFile(dataDir, name), { force: true })
}

/** The process that is recorded under this name, if it still runs. */
export function runningRecord(dataDir: string, name: string): RunRecord | undefined {
  const record = readRecord(recordFile(dataDir, name))
  return record !== undefined && isRunning(record) ? record : undefined
}

/** Stops what an earlier run on this data directory left running, one after the other, and nothing else. Returns the names. */
export async function stopLeftovers(dataDir: string, names: readonly string[]): Promise<string[]> {
  const stopped: string[] = []
  for (const name of names) {
    const leftover = runningRecord(dataDir, name)
    if (leftover !== undefined) {
      await stopProcess(leftover, leftover.stopSignal, leftoverGraceMs)
      stopped.push(name)
    }
    removeRecord(dataDir, name)
  }
  return stopped
}

const leftoverGraceMs = 15_000

function recordFile(dataDir: string, name: string): string {
  return join(dataDir, 'run', `${name}.json`)
}

function readRecord(file: string): RunRecord | undefined {
  try {
    return RunRecord.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return undefined // There is none, or the machine went down while it was written, and the process with it.
  }
}
