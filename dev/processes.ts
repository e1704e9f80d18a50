import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Names one process for good: numbers are given out again, the moment of the start tells two with the same number apart. */
export interface ProcessIdentity {
  pid: number
  startedAt: string
}

/** Undefined when no such process runs; one that is dead but not yet collected by its parent does not run. */
export function identify(pid: number): ProcessIdentity | undefined {
  const startedAt = process.platform === 'linux' ? startFromProc(pid) : startFromPs(pid)
  return startedAt === undefined ? undefined : { pid, startedAt }
}

export function isRunning({ pid, startedAt }: ProcessIdentity): boolean {
  return identify(pid)?.startedAt === startedAt
}

/** The command line of a running process, its arguments joined by blanks; empty when there is none. */
export function commandLine(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim()
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' }).trim()
  } catch {
    return ''
  }
}

/** Asks the process to stop by `signal`, and after the grace kills it and its group. Resolves when it is gone. */
export async function stopProcess(identity: ProcessIdentity, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  signalIfRunning(identity, signal)
  if (await isGoneWithin(identity, graceMs)) return
  killGroup(identity)
  if (await isGoneWithin(identity, killMs)) return
  throw new Error(`Process ${identity.pid} does not end, not even by kill -9`)
}

/** Kills the process and, when it leads one, its group. */
export function killGroup(identity: ProcessIdentity): void {
  if (!isRunning(identity)) return
  try {
    process.kill(-identity.pid, 'SIGKILL')
  } catch {
    signalIfRunning(identity, 'SIGKILL')
  }
}

const killMs = 5000
const pollMs = 25

function signalIfRunning(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isRunning(identity)) return
  try {
    process.kill(identity.pid, signal)
  } catch (error) {
    // It may have ended since; anything else, such as a process of another user, is for people to know.
    if (isRunning(identity)) throw error
  }
}

async function isGoneWithin(identity: ProcessIdentity, ms: number): Promise<boolean> {
  for (const deadline = Date.now() + ms; Date.now() < deadline; await sleep(pollMs)) {
    if (!isRunning(identity)) return true
  }
  return !isRunning(identity)
}

function startFromProc(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field, the name, may hold blanks and brackets: count from the last bracket. State is field 3, start field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot}/${fields[19]}`
  } catch {
    return undefined
  }
}

function startFromPs(pid: number): string | undefined {
  try {
    const output = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim()
    return output === '' || output.startsWith('Z') ? undefined : output.replace(/^\S+\s+/, '')
  } catch {
    return undefined
  }
}
