import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lockDataDir, removeStale } from '../../dev/lock.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

test('a second start on the same data directory is refused with one line', async () => {
  const dataDir = await temporaryFolder()
  const first = await lockDataDir(dataDir, ignore)
  await expect(lockDataDir(dataDir, ignore)).rejects.toThrow(
    `Throughline already runs on ${dataDir} (process ${process.pid}): stop it, or choose another DATA_DIR`,
  )
  first.release()
  const second = await lockDataDir(dataDir, ignore)
  second.release()
})

test('of two starts at the same moment one gets the data directory', async () => {
  const dataDir = await temporaryFolder()
  const starts = await Promise.allSettled([lockDataDir(dataDir, ignore), lockDataDir(dataDir, ignore)])
  expect(starts.map(({ status }) => status).sort(byName)).toEqual(['fulfilled', 'rejected'])
})

test('the lock of a start that was killed is taken over', async () => {
  const dataDir = await temporaryFolder()
  await lockDataDir(dataDir, ignore)
  writeFileSync(join(dataDir, 'run/start.json'), JSON.stringify({ pid: process.pid, startedAt: 'at another time' }))
  await expect(lockDataDir(dataDir, ignore)).resolves.toBeDefined()
})

test('of two starts that find the same dead holder, the slower one leaves the lock of the faster one alone', async () => {
  const folder = await temporaryFolder()
  const file = join(folder, 'start.json')
  writeFileSync(file, 'the lock of the faster one')
  removeStale(file, 'the dead holder')
  expect(readFileSync(file, 'utf8')).toBe('the lock of the faster one')
  expect(readdirSync(folder)).toEqual(['start.json'])
  removeStale(file, 'the lock of the faster one')
  removeStale(file, 'what somebody else has removed')
  expect(readdirSync(folder)).toEqual([])
})

test('a start waits for an earlier one that is stopping', async () => {
  const dataDir = await temporaryFolder()
  const first = await lockDataDir(dataDir, ignore)
  first.markStopping()
  const said: string[] = []
  const second = lockDataDir(dataDir, (line) => {
    said.push(line)
    first.release()
  })
  await expect(second).resolves.toBeDefined()
  expect(said).toEqual([`Waiting for process ${process.pid} to stop ...`])
})

function ignore(): void {}

function byName(a: string, b: string): number {
  return a.localeCompare(b)
}
