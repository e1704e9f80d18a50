import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { median, readOptions, report } from '../../bench/figures.ts'

let folder: string
let printed: string[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'throughline-figures-'))
  printed = []
  vi.spyOn(console, 'log').mockImplementation((line) => void printed.push(String(line)))
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rm(folder, { recursive: true })
})

test('figures go to the terminal and, by the same names, into the file with seed and machine', async () => {
  const json = join(folder, 'made on demand', 'figures.json')
  report({ title: 'A race', figures: { ratio: 0.8125, historyEvents: 166, memoryMb: Number.NaN }, seed: 7, json })
  expect(JSON.parse(await readFile(json, 'utf8'))).toEqual({
    ratio: 0.8125,
    historyEvents: 166,
    memoryMb: null,
    seed: 7,
    machine: {
      cpus: cpus().length,
      memory: totalmem(),
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
    },
  })
  const said = printed.join('\n')
  expect(said).toContain('A race (seed 7)')
  expect(said).toMatch(/ratio +0\.81\n/)
  expect(said).toMatch(/historyEvents +166\n/)
  expect(said).toMatch(/memoryMb +not told/)
})

test('a command names its scenario, and may name seed and file', () => {
  const scenarios = { campaign: 'the campaign', drip: 'the drip' }
  expect(readOptions(['campaign'], scenarios)).toEqual({ scenario: 'the campaign', seed: 1, json: undefined })
  expect(readOptions(['drip', '--seed', '9', '--json', '/tmp/a.json'], scenarios)).toEqual({
    scenario: 'the drip',
    seed: 9,
    json: '/tmp/a.json',
  })
})

test.each([
  [[], /Give the scenario to run; there are: campaign, drip/],
  [['toString'], /There is no scenario "toString"; there are: campaign, drip/],
  [['campaign', 'drip'], /One scenario at a time: what is "drip"/],
  [['campaign', '--seed', 'x'], /--seed takes a whole number, not "x"/],
  [['campaign', '--fast'], /Unknown option '--fast'/],
])('%j is refused with a line that says why', (args, message) => {
  expect(() => readOptions(args, { campaign: 1, drip: 2 })).toThrow(message)
})

test('the median is the middle, or half way between the two in the middle', () => {
  expect(median([9, 1, 5])).toBe(5)
  expect(median([9, 1, 5, 6])).toBe(5.5)
  expect(() => median([])).toThrow(/nothing/)
})
