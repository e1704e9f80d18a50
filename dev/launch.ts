import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Environment } from '../config.ts'
import { identify, killGroup, stopProcess } from './processes.ts'
import { removeRecord, writeRecord } from './run-records.ts'

/** How to run a process, and how to tell that it is up. */
export interface ProcessPlan {
  /** Names its log and its record. */
  name: string
  command: string
  args: readonly string[]
  env: Environment
  cwd?: string
  account?: { uid: number; gid: number } | undefined
  /** Clears what a predecessor left behind. */
  prepare?: () => Promise<void>
  /** `message`: it sends `{ kind: 'ready' }` by IPC. A function is asked again and again until it says yes. */
  ready: 'message' | (() => Promise<boolean>)
  /** Asks the process to stop in good order. */
  stopSignal: 'SIGTERM' | 'SIGINT'
  /** How long it may take to stop before it is killed. */
  stopGraceMs: number
}

export interface RunningProcess {
  readonly pid: number
  /** Rejects when the process ends, or a minute passes, before it is up; the message says why. */
  readonly ready: Promise<void>
  /** Settles, never rejects, with how the process ended: 'exit code 1', 'signal SIGKILL'. */
  readonly ended: Promise<string>
  stop(): Promise<void>
  kill(): void
}

/**
 * Starts the process in a group of its own, so that a Ctrl-C in the terminal reaches only us. What it prints goes to
 * `logs/NAME.log`, its identity to `run/NAME.json` for as long as it runs.
 */
export async function launch(plan: ProcessPlan, dataDir: string): Promise<RunningProcess> {
  await plan.prepare?.()
  const log = openLog(dataDir, plan.name)
  const child = spawnInto(log.descriptor, plan)
  const ended = endOf(child)
  await once(child, 'spawn')
  const up = plan.ready === 'message' ? readyMessage(child) : answers(plan.ready, ended)
  const identity = identify(child.pid ?? 0) ?? { pid: child.pid ?? 0, startedAt: 'already ended' }
  writeRecord(dataDir, plan.name, { ...identity, stopSignal: plan.stopSignal })
  void ended.then(() => removeRecord(dataDir, plan.name))

  const ready = Promise.race([up, endedBeforeReady(), notReadyInTime()])
  ready.catch(() => {}) // Callers that only care for the end need not await it.
  return {
    pid: identity.pid,
    ready,
    ended,
    stop: () => stopProcess(identity, plan.stopSignal, plan.stopGraceMs),
    kill: () => killGroup(identity),
  }

  async function endedBeforeReady(): Promise<void> {
    const how = await ended
    throw new Error(`${plan.name} did not start: ${log.lastWords() || how} (log: ${log.file})`)
  }

  async function notReadyInTime(): Promise<void> {
    await sleep(readyMs, undefined, { ref: false })
    throw new Error(`${plan.name} did not answer within ${readyMs / 1000} seconds (log: ${log.file})`)
  }
}

export function logFile(dataDir: string, name: string): string {
  return join(dataDir, 'logs', `${name}.log`)
}

const readyMs = 60_000
const pollMs = 50
const maxLogBytes = 20_000_000
const ReadyMessage = z.object({ kind: z.literal('ready') })

interface Log {
  file: string
  descriptor: number
  /** The line that most likely says why the process ended. */
  lastWords(): string
}

function openLog(dataDir: string, name: string): Log {
  const file = logFile(dataDir, name)
  mkdirSync(join(dataDir, 'logs'), { recursive: true })
  let descriptor = openSync(file, 'a')
  if (fstatSync(descriptor).size > maxLogBytes) {
    closeSync(descriptor)
    renameSync(file, `${file}.1`)
    descriptor = openSync(file, 'a')
  }
  const start = fstatSync(descriptor).size
  return {
    file,
    descriptor,
    lastWords() {
      const lines = readFileSync(file).subarray(start).toString('utf8').trimEnd().split('\n')
      return lines.findLast((line) => /fatal|error/i.test(line)) ?? lines.at(-1) ?? ''
    },
  }
}

function spawnInto(log: number, { command, args, env, cwd, account, ready }: ProcessPlan): ChildProcess {
  try {
    return spawn(command, args, {
      env,
      detached: true,
      stdio: ready === 'message' ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
      ...(cwd === undefined ? {} : { cwd }),
      ...account,
    })
  } finally {
    closeSync(log)
  }
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`))
  })
}

function readyMessage(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.on('message', (message) => {
      if (ReadyMessage.safeParse(message).success) resolve()
    })
  })
}

async function answers(isUp: () => Promise<boolean>, ended: Promise<string>): Promise<void> {
  const end = new AbortController()
  void ended.then(() => end.abort())
  while (!end.signal.aborted && !(await isUp())) await sleep(pollMs)
}
