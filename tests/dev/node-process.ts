import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import type { ProcessPlan } from '../../dev/launch.ts'
import { identify, type ProcessIdentity } from '../../dev/processes.ts'

/** A plan for a Node process that runs `code` and is up when the code says `ready()`. */
export function planNode(name: string, code: string): ProcessPlan {
  return {
    name,
    command: process.execPath,
    args: [
      '--eval',
      `const ready = () => process.send({ kind: 'ready' }); process.on('disconnect', () => process.exit()); ${code}`,
    ],
    env: {},
    ready: 'message',
    stopSignal: 'SIGTERM',
    stopGraceMs: 5_000,
  }
}

/** A process that does nothing until the test is over. */
export async function idleProcess(): Promise<ProcessIdentity> {
  const child = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'spawn')
  return identityOf(child.pid)
}

export function identityOf(pid: number | undefined): ProcessIdentity {
  const identity = identify(pid ?? 0)
  if (identity === undefined) throw new Error(`process ${pid} does not run`)
  return identity
}
