import { once } from 'node:events'
import { flushCompileCache } from 'node:module'
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker'
import { type BusinessSearch, type EmailChannel, ProviderError, type SheetExport } from '../activities/ports.ts'
import { type Config, loadConfig, providerMode } from '../config.ts'
import { connectDatabase, connectSystem } from '../db/client.ts'
import { assertSchemaIsCurrent } from '../db/schema.ts'
import { createLogger, type Logger } from '../log.ts'
import { createGoogleSheets } from '../providers/google/client.ts'
import { createResend } from '../providers/resend/client.ts'
import { createSerpapi } from '../providers/serpapi/client.ts'
import { createSiteReader } from '../providers/websites/client.ts'
import { applyTemporalConfig } from '../temporal-config/apply.ts'
import { connectionSettings, connectTemporal } from '../temporal-config/connection.ts'
import { createStories } from '../temporal-config/stories.ts'
import { builtInBillingPolicy } from '../workflows/contracts/subscriptions.ts'
import { billingOrRefusal, checkPrices } from './billing-provider.ts'
import { buildBundle } from './build-bundle.ts'
import { siteSettings } from './site-settings.ts'
import { createWorkers } from './workers.ts'

const applyMs = 20_000
const stickyTimeoutMs = 1_000

/** The composition root: settings become providers, providers activities, activities workers. */
async function main(): Promise<void> {
  const config = loadConfig()
  const log = createLogger({ name: 'worker', level: config.logLevel })
  if (!config.database) throw new Error('Set DATABASE_URL and DATABASE_SYSTEM_URL')
  installRuntime(config, log)

  const system = connectSystem(config.database.systemUrl, { name: 'worker', poolSize: 3 })
  await assertSchemaIsCurrent(system)
  const { connectionOptions, namespace } = connectionSettings(config.temporal)
  const connection = await NativeConnection.connect(connectionOptions)
  const database = connectDatabase(config.database.appUrl, { name: 'worker', poolSize: 20 })
  const client = connectTemporal(config.temporal)
  await client.withDeadline(Date.now() + applyMs, () => applyTemporalConfig(client))
  const sites = createSiteReader(siteSettings(config))
  const billing = billingOrRefusal(config)
  await checkPrices(config, billing, log)

  const workers = await createWorkers(
    {
      database,
      system,
      stories: createStories(client),
      search: businessSearch(config),
      sites,
      sheets: sheetExport(config),
      email: emailChannel(config),
      billing,
      prices: config.stripe.prices,
      billingPolicy: builtInBillingPolicy,
      notices: config.billing,
      winBackSequenceId: config.billing.winBackSequenceId ?? null,
      clock: () => new Date(),
      drips: { ...config.drips, publicUrl: config.publicUrl },
      siteConcurrency: config.sites.concurrency,
      sheetChunkRows: config.google.chunkRows,
      logUnexpected: (error) => log.error({ err: error }, 'an activity failed unexpectedly'),
    },
    {
      connection,
      namespace: namespace ?? config.temporal.namespace,
      workflows: { workflowBundle: await bundledStories(config.worker) },
      maxCachedWorkflows: config.worker.maxCachedWorkflows,
      shutdownGraceMs: config.worker.shutdownGraceSeconds * 1000,
      stickyTimeoutMs,
    },
  )

  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.once(signal, () => stop.abort())
  const running = Promise.all(workers.map((worker) => worker.run()))
  process.send?.({ kind: 'ready' })
  log.info('polling')
  flushCompileCache() // else it is written at the end only, which a killed worker never comes to
  await Promise.race([running, once(stop.signal, 'abort')])
  for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown()
  await running
  // Workers first: what they still record needs the connections.
  await Promise.all([database.close(), system.end({ timeout: 5 }), client.connection.close()])
  await connection.close()
  log.info('stopped')
}

/** Temporal's native core: its log becomes ours, its metrics are served for Prometheus under the names of Temporal's dashboards. */
function installRuntime({ worker }: Config, log: Logger): void {
  const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const
  Runtime.install({
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => log[levels[level]](meta ?? {}, message)),
    telemetryOptions: {
      logging: { forward: {}, filter: 'WARN' },
      metrics: {
        prometheus: {
          bindAddress: `127.0.0.1:${worker.metricsPort}`,
          countersTotalSuffix: true,
          unitSuffix: true,
          useSecondsForDurations: true,
        },
      },
    },
    shutdownSignals: [], // main() stops the workers in order
  })
}

/** A bundle that lies there already has a worker back at once after its death; building one takes seconds. */
async function bundledStories({ bundlePath }: Config['worker']) {
  return bundlePath === undefined ? { code: await buildBundle() } : { codePath: bundlePath }
}

/** Without a key a search is refused, and its campaign waits until there is one. */
function businessSearch(config: Config): BusinessSearch {
  const { apiKey, baseUrl } = config.serpapi
  if (providerMode(config, 'serpapi') !== 'off') return createSerpapi({ apiKey: apiKey ?? 'sandbox', baseUrl })
  return {
    searchPage: () => Promise.reject(new ProviderError('serpapi', 'rejected', 'no_key')),
  }
}

/** Without credentials a spreadsheet is refused, and its campaign waits until there are some. */
function sheetExport({ google }: Config): SheetExport {
  const { credentials, folderId, baseUrl } = google
  if (credentials !== undefined) {
    return createGoogleSheets({ ...credentials, ...(folderId && { folderId }), ...(baseUrl && { baseUrl }) })
  }
  const refuse = () => Promise.reject(new ProviderError('google', 'rejected', 'no_credentials'))
  return {
    findSpreadsheet: refuse,
    createSpreadsheet: refuse,
    prepare: refuse,
    readKeys: refuse,
    appendRows: refuse,
    share: refuse,
  }
}

/** Without a key no e-mail leaves. */
function emailChannel(config: Config): EmailChannel {
  const { apiKey, baseUrl, keyLifetimeMs } = config.resend
  const channel = createResend({ apiKey: apiKey ?? 'sandbox', baseUrl, keyLifetimeMs })
  if (providerMode(config, 'resend') !== 'off') return channel
  const refuse = () => Promise.reject(new ProviderError('resend', 'rejected', 'no_key'))
  return { ...channel, send: refuse, lookUp: refuse }
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`The worker cannot run: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  },
)
