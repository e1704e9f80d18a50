import { type Config, loadConfig, providerTable } from '../config.ts'
import { serveFolder } from '../providers/websites/sandbox.ts'
import { type Booted, boot, stopOrder } from './boot.ts'
import { interruption } from './interrupts.ts'
import { lockDataDir } from './lock.ts'
import { parseOptions, type StartOptions, usage } from './main-options.ts'
import { ownVersions, type Report, serverVersions, writeReport } from './report.ts'
import { runSamples } from './samples.ts'
import { createStages, type Stages } from './stages.ts'
import type { Urls } from './stories.ts'
import { createSupervisor, type Supervisor } from './supervisor.ts'

/** What `npm start` runs: boots everything, plays the sample stories, stays up until asked to stop. Returns the exit code. */
async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) {
    say(usage)
    return 0
  }
  const report: Report = { versions: ownVersions(), bootSeconds: {}, stories: [] }
  if (options.report !== undefined) writeReport(options.report, report) // A place that takes none is known before the work is done.
  try {
    await assertHasSites(options)
    return await startAndStop(developmentConfig(), options, report)
  } catch (error) {
    report.error = messageOf(error)
    throw error
  } finally {
    if (options.report !== undefined) writeReport(options.report, report)
  }
}

async function assertHasSites({ sitesDir }: StartOptions): Promise<void> {
  if (sitesDir === undefined) return
  const files = await serveFolder(sitesDir).catch((error: unknown) => {
    throw new Error(`--sites: ${messageOf(error)}`, { cause: error })
  })
  if (files.size === 0) throw new Error(`--sites: there are no HTML files in ${sitesDir}`)
}

function developmentConfig(): Config {
  const config = loadConfig()
  if (config.environment !== 'production') return config
  throw new Error('npm start is for trying things out: in production run api/main.ts and workers/main.ts')
}

async function startAndStop(config: Config, options: StartOptions, report: Report): Promise<number> {
  const lock = await lockDataDir(config.dataDir, say)
  const supervisor = createSupervisor({ dataDir: config.dataDir, stopOrder, say })
  const interrupted = interruption(() => void supervisor.kill().finally(() => process.exit(1)))
  const leaving = new AbortController()
  const session = run(config, options, report, supervisor, leaving.signal)
  try {
    const end = await Promise.race([
      session,
      interrupted.then(() => 'interrupted' as const),
      failWhenGivenUp(supervisor),
    ])
    if (end === 'completed' || !options.once) return 0
    report.error = 'interrupted'
    return exitCodeOfInterrupt
  } finally {
    leaving.abort()
    session.catch(() => {}) // What is under way fails now, since all that it stands on goes.
    lock.markStopping()
    say('Stopping ...')
    await supervisor.stop()
    lock.release()
  }
}

/** Ends when the stories are completed and nothing is to stay up. */
async function run(
  config: Config,
  options: StartOptions,
  report: Report,
  supervisor: Supervisor,
  signal: AbortSignal,
): Promise<'completed'> {
  const stages = createStages(say)
  const booted = await bootAndReport(config, options, report, supervisor, stages)
  showProviders(booted.config)
  if (!options.serve) {
    const samples = runSamples({ ...booted, sitesDir: options.sitesDir, say, signal })
    report.stories = await (options.once ? samples : samples.catch(tellAndGoOn))
  }
  if (options.once) return 'completed'
  if (options.report !== undefined) writeReport(options.report, report)
  showLinks(booted.urls)
  return new Promise(() => {}) // Stays up.
}

/** A sample that did not end well, one that was cancelled for instance, is no reason to take everything down with it. */
function tellAndGoOn(error: unknown): [] {
  say(`\nThe sample did not complete: ${messageOf(error)}`)
  return []
}

async function bootAndReport(
  config: Config,
  { sitesDir }: StartOptions,
  report: Report,
  supervisor: Supervisor,
  stages: Stages,
): Promise<Booted> {
  try {
    const booted = await boot({ config, supervisor, stages, sitesDir, say })
    report.urls = booted.urls
    Object.assign(report.versions, await serverVersions(booted))
    return booted
  } finally {
    report.bootSeconds = stages.seconds()
  }
}

async function failWhenGivenUp(supervisor: Supervisor): Promise<never> {
  throw new Error(await supervisor.gaveUp)
}

function showProviders(config: Config): void {
  say('\nProviders')
  for (const { provider, mode, detail } of providerTable(config))
    say(`  ${provider.padEnd(12)} ${mode.padEnd(8)} ${detail}`)
}

function showLinks({ api, docs, temporalUi, sandbox }: Urls): void {
  say(`\nAPI             ${api}`)
  say(`API reference   ${docs}`)
  if (temporalUi !== undefined) say(`Temporal Web UI ${temporalUi}`)
  say(`Sandbox         ${sandbox}`)
  say('\nCtrl-C stops everything.')
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** What a shell shows for a command that Ctrl-C ended. */
const exitCodeOfInterrupt = 130

// Whoever read our output may be gone before us; that must not keep us from stopping in order.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`\n${messageOf(error)}\n`)
  process.exitCode = 1
}
process.exit()
