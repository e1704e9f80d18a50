import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { isRunning } from '../../dev/processes.ts'
import { runningRecord } from '../../dev/run-records.ts'
import { createSupervisor, type Supervisor } from '../../dev/supervisor.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { planNode } from './node-process.ts'

const staysUp = 'ready(); setInterval(() => {}, 1000)'

test('a process that is killed is started again', async () => {
  const { supervisor, dataDir, said } = await setup()
  await supervisor.start(planNode('worker', staysUp))
  const first = runningRecord(dataDir, 'worker')
  process.kill(first?.pid ?? 0, 'SIGKILL')

  await vi.waitFor(() => expect(said).toContain('worker is up again'), waitAtMost)
  const second = runningRecord(dataDir, 'worker')
  expect(second?.pid).not.toBe(first?.pid)
  expect(said[0]).toBe('worker died of signal SIGKILL, starting it again')
})

test('a process that dies five times within a minute is given up, with one line that names its log', async () => {
  const { supervisor, dataDir } = await setup()
  await supervisor.start(planNode('worker', 'ready(); process.exitCode = 3; process.disconnect()'))
  expect(await supervisor.gaveUp).toBe(
    `worker died 5 times within a minute, at last of exit code 3 (log: ${join(dataDir, 'logs/worker.log')})`,
  )
})

test('a process that had settled before it was killed is started again, however often that happens', async () => {
  const { supervisor, dataDir, said } = await setup({ settledAfterMs: 0 })
  await supervisor.start(planNode('worker', staysUp))
  for (let kills = 1; kills <= 6; kills += 1) {
    process.kill(runningRecord(dataDir, 'worker')?.pid ?? 0, 'SIGKILL')
    await vi.waitFor(() => expect(said.filter((line) => line === 'worker is up again')).toHaveLength(kills), waitAtMost)
  }
})

test('a process that does not come up fails the start with what it said last', async () => {
  const { supervisor } = await setup()
  const start = supervisor.start(planNode('api', "console.error('API_PORT is in use'); process.exit(1)"))
  await expect(start).rejects.toThrow(/^api did not start: API_PORT is in use \(log: .*api\.log\)$/)
})

test('a command that is not there fails the start', async () => {
  const { supervisor } = await setup()
  await expect(supervisor.start({ ...planNode('api', ''), command: '/nowhere/node' })).rejects.toThrow('ENOENT')
})

test('processes stop one after the other, in the given order, whichever started first', async () => {
  const { supervisor, dataDir } = await setup()
  const order = join(dataDir, 'order')
  const slow = (name: string) =>
    `process.on('SIGTERM', () => setTimeout(() => { require('fs').appendFileSync('${order}', '${name} '); process.exit() }, 50)); ${staysUp}`
  await Promise.all(['postgres', 'api', 'worker'].map((name) => supervisor.start(planNode(name, slow(name)))))
  await supervisor.stop()
  expect(readFileSync(order, 'utf8')).toBe('api worker postgres ')
})

test('a process that is just starting is stopped too', async () => {
  const { supervisor, dataDir } = await setup()
  const start = supervisor.start(planNode('worker', 'setInterval(() => {}, 1000)'))
  const failure = expect(start).rejects.toThrow('worker did not start')
  const started = await vi.waitFor(
    () => runningRecord(dataDir, 'worker') ?? Promise.reject(new Error('not yet')),
    waitAtMost,
  )
  await supervisor.stop()
  await failure
  expect(isRunning(started)).toBe(false)
})

test('nothing is started once it was told to stop', async () => {
  const { supervisor, dataDir } = await setup()
  await supervisor.stop()
  await expect(supervisor.start(planNode('worker', staysUp))).rejects.toThrow('stopped')
  expect(runningRecord(dataDir, 'worker')).toBeUndefined()
})

test('a process leads a group of its own, so that a Ctrl-C in the terminal does not reach it', async () => {
  const { supervisor, dataDir } = await setup()
  await supervisor.start(planNode('worker', staysUp))
  const { pid = 0 } = runningRecord(dataDir, 'worker') ?? {}
  expect(process.kill(-pid, 0)).toBe(true)
})

const waitAtMost = { timeout: 10_000, interval: 20 }

async function setup(
  changes: { settledAfterMs?: number } = {},
): Promise<{ supervisor: Supervisor; dataDir: string; said: string[] }> {
  const dataDir = await temporaryFolder()
  const said: string[] = []
  const supervisor = createSupervisor({
    dataDir,
    stopOrder: ['api', 'worker', 'postgres'],
    say: (line) => said.push(line),
    restartDelaysMs: [0],
    ...changes,
  })
  onTestFinished(() => supervisor.stop())
  return { supervisor, dataDir, said }
}
