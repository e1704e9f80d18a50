// All static checks; each is run even when one before it failed.
import { spawnSync } from 'node:child_process'
import { modernNode, prepare, repository } from './bootstrap.mjs'

const checks = [
  { name: 'types', script: 'tsc', args: [] },
  { name: 'format', script: 'biome', args: ['ci', '--colors=off'] },
  { name: 'lint', script: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
  { name: 'unused code', script: 'knip', args: [] },
]

prepare()
const node = modernNode()
const failed = checks.filter(({ name, script, args }) => {
  const begun = Date.now()
  const { status, stdout, stderr } = spawnSync(node, [`node_modules/.bin/${script}`, ...args], {
    cwd: repository,
    encoding: 'utf8',
  })
  if (status !== 0) console.log(`${stdout}${stderr}`.trim())
  console.log(`${name.padEnd(12)} ${status === 0 ? 'ok' : 'FAILED'} (${((Date.now() - begun) / 1000).toFixed(1)} s)`)
  return status !== 0
})
if (failed.length > 0) console.log(`Failed: ${failed.map(({ name }) => name).join(', ')}`)
process.exit(failed.length === 0 ? 0 : 1)
