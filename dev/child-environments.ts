import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type Config, childEnvironment, type Environment, providerMode, type Setting } from '../config.ts'
import type { Logins } from '../db/migrate.ts'
import { sandboxCredentialsFile } from '../providers/google/sandbox-token.ts'
import { standInPriceIds } from './stripe-prices.ts'

/**
 * Look-ups of names and decompression share these threads, of which Node makes four: too few for a worker that reads many sites. Under
 * glibc threads take their memory from many pools and give little of it back; two of them save a busy worker 50 MB, and cost nothing. V8 lets
 * young garbage grow with the machine's memory; held to 16 MB it saves 40 MB more, for a tenth of the worker's time (bench/README.md).
 */
const runtime = { UV_THREADPOOL_SIZE: '32', MALLOC_ARENA_MAX: '2', NODE_OPTIONS: '--max-semi-space-size=16' }

/** The environments of our own processes: of the API and the worker, and of the sandbox. */
export function childEnvironments(
  config: Config,
  database: Omit<Logins, 'ownerUrl'>,
  sitesDir: string | undefined,
): { env: Environment; sandboxEnv: Environment } {
  const common = {
    ...standIns(config, database.systemUrl),
    DATA_DIR: config.dataDir,
    ...(sitesDir && { SANDBOX_SITES_DIR: sitesDir }),
  }
  // Empty, not absent: an absent setting would be read from .env.
  const noDatabase = { DATABASE_URL: '', DATABASE_SYSTEM_URL: '', DATABASE_OWNER_URL: '' }
  // A worker that died has a third less to do before it works again.
  const compiled = { NODE_COMPILE_CACHE: join(config.dataDir, 'compiled') }
  const logins = { DATABASE_URL: database.appUrl, DATABASE_SYSTEM_URL: database.systemUrl }
  return {
    env: { ...runtime, ...compiled, ...childEnvironment({ ...common, ...noDatabase, ...logins }) },
    sandboxEnv: { ...runtime, ...compiled, ...childEnvironment({ ...common, ...noDatabase }) },
  }
}

/** Providers without a key are played by the sandbox, and so are the sites under .test. */
function standIns(config: Config, installation: string): Partial<Record<Setting, string>> {
  const { sandbox, sites } = config
  const providers = `http://127.0.0.1:${sandbox.providersPort}`
  return {
    SITES_BASE_URL: sites.baseUrl ?? `http://127.0.0.1:${sandbox.sitesPort}`,
    SITES_TLS_BASE_URL: sites.tlsBaseUrl ?? `https://127.0.0.1:${sandbox.sitesTlsPort}`,
    SITE_ALLOW_ADDRESSES: [
      ...sites.allowAddresses,
      `127.0.0.1:${sandbox.sitesPort}`,
      `127.0.0.1:${sandbox.sitesTlsPort}`,
    ].join(','),
    ...(providerMode(config, 'serpapi') === 'off' && { SERPAPI_BASE_URL: `${providers}/serpapi` }),
    ...(providerMode(config, 'google') === 'off' && {
      GOOGLE_BASE_URL: `${providers}/google`,
      GOOGLE_SHEETS_CREDENTIALS_FILE: sandboxCredentialsFile,
    }),
    ...(providerMode(config, 'resend') === 'off' && {
      RESEND_BASE_URL: `${providers}/resend`,
      RESEND_WEBHOOK_SECRET: config.resend.webhookSecret ?? webhookSecretOf('resend', installation),
    }),
    ...(providerMode(config, 'stripe') === 'off' && {
      STRIPE_BASE_URL: providers,
      STRIPE_WEBHOOK_SECRET: config.stripe.webhookSecret ?? webhookSecretOf('stripe', installation),
      ...standInPriceIds(config.stripe.prices),
    }),
  }
}

/** What the sandbox signs with and the API believes: the same at every start, and no other installation's. */
function webhookSecretOf(provider: string, installation: string): string {
  return `whsec_${createHash('sha256').update(`${provider} webhooks of ${installation}`).digest('base64')}`
}
