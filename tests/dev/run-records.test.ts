import { expect, test } from 'vitest'
import { isRunning } from '../../dev/processes.ts'
import { runningRecord, stopLeftovers, writeRecord } from '../../dev/run-records.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { idleProcess } from './node-process.ts'

const stopSignal = 'SIGTERM'

test('what an earlier start left running is stopped, in order', async () => {
  const dataDir = await temporaryFolder()
  const [worker, postgres] = [await idleProcess(), await idleProcess()]
  writeRecord(dataDir, 'postgres', { ...postgres, stopSignal })
  writeRecord(dataDir, 'worker', { ...worker, stopSignal })

  expect(await stopLeftovers(dataDir, ['worker', 'postgres'])).toEqual(['worker', 'postgres'])
  expect([isRunning(worker), isRunning(postgres)]).toEqual([false, false])
})

test('a process that was given the number of a dead one is left alone', async () => {
  const dataDir = await temporaryFolder()
  const stranger = await idleProcess()
  writeRecord(dataDir, 'worker', { ...stranger, startedAt: 'at another time', stopSignal })

  expect(await stopLeftovers(dataDir, ['worker'])).toEqual([])
  expect(isRunning(stranger)).toBe(true)
  expect(runningRecord(dataDir, 'worker')).toBeUndefined()
})
