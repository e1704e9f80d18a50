import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'

/** What a bench or chaos command is asked for: `SCENARIO [--seed N] [--json FILE]`. */
export interface RunOptions<Scenario> {
  scenario: Scenario
  /** Everything that is left to chance follows from it. */
  seed: number
  /** Where the figures go besides the terminal. */
  json: string | undefined
}

/** By plain names, each with its unit where it has one: `workerMemoryMb`. NaN is what this machine does not tell; in JSON that is null. */
export type Figures = Readonly<Record<string, number>>

export interface Report {
  title: string
  figures: Figures
  seed: number
  json: string | undefined
}

/** Throws, with a line for whoever typed it, on what it does not know. */
export function readOptions<Scenario>(
  args: readonly string[],
  scenarios: Readonly<Record<string, Scenario>>,
): RunOptions<Scenario> {
  const { values, positionals } = parse(args)
  const [name, ...rest] = positionals
  const there = `there are: ${Object.keys(scenarios).join(', ')}`
  if (name === undefined) throw new Error(`Give the scenario to run; ${there}`)
  const scenario = Object.hasOwn(scenarios, name) ? scenarios[name] : undefined
  if (scenario === undefined) throw new Error(`There is no scenario "${name}"; ${there}`)
  if (rest.length > 0) throw new Error(`One scenario at a time: what is "${rest.join(' ')}"?`)
  if (!/^\d{1,9}$/.test(values.seed)) throw new Error(`--seed takes a whole number, not "${values.seed}"`)
  return { scenario, seed: Number(values.seed), json: values.json === undefined ? undefined : resolve(values.json) }
}

/** Prints the figures as a table and, where asked for, writes them as JSON together with the seed and the machine. */
export function report({ title, figures, seed, json }: Report): void {
  const width = Math.max(...Object.keys(figures).map((name) => name.length))
  const lines = Object.entries(figures).map(
    ([name, figure]) => `  ${name.padEnd(width)}  ${shown(figure).padStart(10)}`,
  )
  console.log(`\n${title} (seed ${seed})\n\n${lines.join('\n')}`)
  if (json === undefined) return
  mkdirSync(dirname(json), { recursive: true })
  writeFileSync(json, `${JSON.stringify({ ...figures, seed, machine: machine() }, undefined, 2)}\n`)
}

/** The middle one; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)]
  const lower = sorted[Math.floor((sorted.length - 1) / 2)]
  if (upper === undefined || lower === undefined) throw new Error('there is no median of nothing')
  return (upper + lower) / 2
}

/** The smallest of the values that this share of them does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Number.NaN
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: { seed: { type: 'string', default: '1' }, json: { type: 'string' } },
    allowPositionals: true,
  })
}

function shown(figure: number): string {
  if (Number.isNaN(figure)) return 'not told'
  return Number.isInteger(figure) ? String(figure) : figure.toPrecision(figure < 1 ? 2 : 3)
}

/** `memory` is in bytes. */
function machine() {
  const { platform, arch, version: node } = process
  return { cpus: cpus().length, memory: totalmem(), node, platform: `${platform}-${arch}` }
}
