import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { preparedBundle } from '../../dev/story-bundle.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

test('the stories are built once for the same sources, and what is of others or half written goes', async () => {
  const dataDir = await temporaryFolder()
  let builds = 0
  const build = async () => `script ${(builds += 1)}`
  const file = await preparedBundle(dataDir, build)
  const folder = join(dataDir, 'bundles')
  writeFileSync(join(folder, 'stories-of-others.js'), 'old')
  writeFileSync(`${file}.part`, 'half')
  expect(await preparedBundle(dataDir, build)).toBe(file)
  expect(readFileSync(file, 'utf8')).toBe('script 1')
  expect(globSync('*', { cwd: folder })).toHaveLength(1)
})

test('a build that fails leaves nothing that would be taken for one', async () => {
  const dataDir = await temporaryFolder()
  await expect(preparedBundle(dataDir, () => Promise.reject(new Error('no memory')))).rejects.toThrow('no memory')
  expect(readFileSync(await preparedBundle(dataDir, async () => 'script'), 'utf8')).toBe('script')
})
