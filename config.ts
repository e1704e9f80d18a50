import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { z } from 'zod'
import {
  addressList,
  count,
  emailAddress,
  oneOf,
  port,
  postgresUrl,
  proxies,
  serviceAccountFile,
  serviceAccountJson,
  stripePrice,
  stripeWebhookSecret,
  text,
  webhookSecret,
  webOrigin,
  webUrl,
} from './setting-kinds.ts'

const repository = fileURLToPath(new URL('.', import.meta.url))
const serpApiUrl = 'https://serpapi.com'
const resendUrl = 'https://api.resend.com'
const stripeUrl = 'https://api.stripe.com'

/** Every setting there is but the prices at Stripe, whose names the catalogue chooses. `.env.example` explains each. */
export const settings = z.object({
  NODE_ENV: oneOf('development', 'production', 'test').default('development'),
  DATA_DIR: text.default('.data'),
  XDG_CACHE_HOME: text.default(resolve(homedir(), '.cache')),
  LOG_LEVEL: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').default('info'),
  SPECS_DIR: text.default(resolve(repository, '../shared/specs')),

  API_HOST: text.default('127.0.0.1'),
  API_PORT: port.default(3000),
  PUBLIC_URL: webUrl.optional(),
  RATE_LIMIT_PER_MINUTE: count.default(600),
  TRUST_PROXY: proxies.optional(),

  DATABASE_URL: postgresUrl.optional(),
  DATABASE_SYSTEM_URL: postgresUrl.optional(),
  DATABASE_OWNER_URL: postgresUrl.optional(),
  POSTGRES_PORT: port.default(5440),

  TEMPORAL_ADDRESS: text.optional(),
  TEMPORAL_NAMESPACE: text.default('default'),
  TEMPORAL_PROFILE: text.optional(),
  TEMPORAL_CONFIG_FILE: text.optional(),
  TEMPORAL_API_KEY: text.optional(),
  TEMPORAL_TLS: text.optional(),
  TEMPORAL_TLS_CLIENT_CERT_PATH: text.optional(),
  TEMPORAL_TLS_CLIENT_CERT_DATA: text.optional(),
  TEMPORAL_TLS_CLIENT_KEY_PATH: text.optional(),
  TEMPORAL_TLS_CLIENT_KEY_DATA: text.optional(),
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: text.optional(),
  TEMPORAL_TLS_SERVER_CA_CERT_DATA: text.optional(),
  TEMPORAL_TLS_SERVER_NAME: text.optional(),
  TEMPORAL_TLS_DISABLE_HOST_VERIFICATION: text.optional(),
  TEMPORAL_PORT: port.default(7233),
  TEMPORAL_UI_PORT: port.default(8233),

  WORKER_METRICS_PORT: port.default(9464),
  WORKER_MAX_CACHED_WORKFLOWS: count.default(500),
  WORKER_SHUTDOWN_GRACE_SECONDS: count.default(10),
  WORKFLOW_BUNDLE: text.optional(),

  SERPAPI_API_KEY: text.optional(),
  SERPAPI_BASE_URL: webUrl.default(serpApiUrl),

  GOOGLE_SHEETS_CREDENTIALS: serviceAccountJson.optional(),
  GOOGLE_SHEETS_CREDENTIALS_FILE: serviceAccountFile.optional(),
  GOOGLE_SHEETS_FOLDER_ID: text.optional(),
  GOOGLE_SHEETS_CHUNK_ROWS: count.default(200),
  GOOGLE_BASE_URL: webUrl.optional(),

  RESEND_API_KEY: text.optional(),
  RESEND_BASE_URL: webUrl.default(resendUrl),
  RESEND_WEBHOOK_SECRET: webhookSecret.optional(),
  RESEND_KEY_LIFETIME_SECONDS: count.default(85_800),

  STRIPE_SECRET_KEY: text.optional(),
  STRIPE_BASE_URL: webOrigin.default(stripeUrl),
  STRIPE_WEBHOOK_SECRET: stripeWebhookSecret.optional(),

  BILLING_PORTAL_URL: webUrl.optional(),
  BILLING_OPERATOR_EMAIL: emailAddress.optional(),
  BILLING_WIN_BACK_SEQUENCE: z.uuid('must be the id of a sequence').optional(),

  DRIP_QUANTUM_SECONDS: count.optional(),
  DRIP_LOOK_UP_AFTER_SECONDS: count.default(60),

  SITE_CONCURRENCY: count.default(10),
  SITE_ALLOW_ADDRESSES: addressList.default([]),
  SITES_BASE_URL: webUrl.optional(),
  SITES_TLS_BASE_URL: webUrl.optional(),

  SANDBOX_PORT: port.default(3001),
  SANDBOX_PROVIDERS_PORT: port.default(3002),
  SANDBOX_SITES_PORT: port.default(3003),
  SANDBOX_SITES_TLS_PORT: port.default(3004),
  SANDBOX_SITES_DIR: text.optional(),
})

/** A price at Stripe, by the setting that a plan names for it: STRIPE_PRICE_SCOUT. */
const priceName = /^STRIPE_PRICE_[A-Z0-9_]+$/

/** A setting's name in the environment. */
export type Setting = keyof z.infer<typeof settings> | `STRIPE_PRICE_${string}`
export type Environment = Readonly<Record<string, string | undefined>>
export type Config = ReturnType<typeof group>

const sandboxSettings: readonly Setting[] = ['SITE_ALLOW_ADDRESSES', 'SITES_BASE_URL', 'SITES_TLS_BASE_URL']

/** Where a provider is, and the key without which it may not be elsewhere in production. */
const standInRules: readonly [url: Setting, key: Setting, itself: string][] = [
  ['SERPAPI_BASE_URL', 'SERPAPI_API_KEY', serpApiUrl],
  ['RESEND_BASE_URL', 'RESEND_API_KEY', resendUrl],
  ['STRIPE_BASE_URL', 'STRIPE_SECRET_KEY', stripeUrl],
]

/** No message quotes the value of these. */
const secretSettings: ReadonlySet<string> = new Set<Setting>([
  'DATABASE_URL',
  'DATABASE_SYSTEM_URL',
  'DATABASE_OWNER_URL',
  'TEMPORAL_API_KEY',
  'TEMPORAL_TLS_CLIENT_CERT_DATA',
  'TEMPORAL_TLS_CLIENT_KEY_DATA',
  'SERPAPI_API_KEY',
  'GOOGLE_SHEETS_CREDENTIALS',
  'RESEND_API_KEY',
  'RESEND_WEBHOOK_SECRET',
  'STRIPE_SECRET_KEY',
  'STRIPE_WEBHOOK_SECRET',
])

/** No print-out of the configuration shows these: `console.log`, `JSON.stringify` and the logger print '[secret]' instead. */
const secretFields: ReadonlySet<string> = new Set([
  'appUrl',
  'systemUrl',
  'ownerUrl',
  'apiKey',
  'variables',
  'privateKey',
  'webhookSecret',
  'secretKey',
])

/** Everything that is wrong with the settings as one readable message. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Reads `.env`, which never overrides what is set, and the environment. Throws ConfigError naming every wrong setting. */
export function loadConfig(env: Environment = ownEnvironment()): Config {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''),
  )
  const parsed = settings.safeParse(given)
  const problems = [...new Set([...wrongValues(parsed.error, given), ...wrongPrices(given), ...contradictions(given)])]
  if (parsed.success && problems.length === 0) return group(parsed.data, given)
  const title = problems.length === 1 ? 'One setting is wrong:' : `${problems.length} settings are wrong:`
  throw new ConfigError([title, ...problems.map((problem) => `  ${problem}`)].join('\n'))
}

/** The environment for a process that we start: ours with `changes` over it. An empty value takes a setting away. */
export function childEnvironment(changes: Partial<Record<Setting, string>> = {}): Environment {
  return { ...ownEnvironment(), ...changes }
}

interface ProviderRow {
  provider: 'serpapi' | 'google' | 'resend' | 'stripe' | 'websites'
  mode: 'live' | 'sandbox' | 'off'
  detail: string
}

/** For each provider, whether calls reach the real one. Shown at start. */
export function providerTable({ serpapi, google, resend, stripe, sites }: Config): ProviderRow[] {
  const farm = sites.baseUrl === undefined ? '' : `; names under .test from the sandbox at ${sites.baseUrl}`
  return [
    searchRow(serpapi),
    sheetRow(google),
    emailRow(resend),
    paymentRow(stripe),
    { provider: 'websites', mode: 'live', detail: `any public site${farm}` },
  ]
}

/** Whether calls to a provider reach the real one, a sandbox, or nobody. */
export function providerMode(config: Config, provider: ProviderRow['provider']): ProviderRow['mode'] {
  return providerTable(config).find((row) => row.provider === provider)?.mode ?? 'off'
}

function searchRow({ baseUrl, apiKey }: Config['serpapi']): ProviderRow {
  if (baseUrl !== serpApiUrl) return { provider: 'serpapi', mode: 'sandbox', detail: baseUrl }
  if (apiKey === undefined) return { provider: 'serpapi', mode: 'off', detail: 'set SERPAPI_API_KEY to search' }
  return { provider: 'serpapi', mode: 'live', detail: baseUrl }
}

function sheetRow({ baseUrl, credentials }: Config['google']): ProviderRow {
  const provider = 'google'
  if (credentials === undefined) {
    return { provider, mode: 'off', detail: 'set GOOGLE_SHEETS_CREDENTIALS or _FILE to export to Google Sheets' }
  }
  if (baseUrl !== undefined) return { provider, mode: 'sandbox', detail: baseUrl }
  return { provider, mode: 'live', detail: credentials.clientEmail }
}

function emailRow({ baseUrl, apiKey, webhookSecret: secret }: Config['resend']): ProviderRow {
  const provider = 'resend'
  if (baseUrl !== resendUrl) return { provider, mode: 'sandbox', detail: baseUrl }
  if (apiKey === undefined) return { provider, mode: 'off', detail: 'set RESEND_API_KEY to send e-mail' }
  const deafness = secret === undefined ? '; set RESEND_WEBHOOK_SECRET to hear of bounces, complaints and replies' : ''
  return { provider, mode: 'live', detail: `${baseUrl}${deafness}` }
}

function paymentRow({ baseUrl, secretKey, webhookSecret: secret }: Config['stripe']): ProviderRow {
  const provider = 'stripe'
  if (baseUrl !== stripeUrl) return { provider, mode: 'sandbox', detail: baseUrl }
  if (secretKey === undefined) return { provider, mode: 'off', detail: 'set STRIPE_SECRET_KEY to take payments' }
  const deafness = secret === undefined ? '; set STRIPE_WEBHOOK_SECRET to hear of payments at once' : ''
  return { provider, mode: 'live', detail: `${baseUrl}${deafness}` }
}

function ownEnvironment(): Environment {
  const file = resolve(repository, '.env')
  // A test run must not depend on what a developer keeps in .env, least of all on live keys.
  if (process.env.NODE_ENV !== 'test' && existsSync(file)) process.loadEnvFile(file)
  return process.env
}

function wrongValues(error: z.ZodError | undefined, given: Environment): string[] {
  return (error?.issues ?? []).map(({ path, message }) => {
    const name = String(path[0])
    return secretSettings.has(name) ? `${name} ${message}` : `${name} ${message}; it is "${given[name]}"`
  })
}

function wrongPrices(given: Environment): string[] {
  const prices = Object.entries(stripePrices(given))
  return prices.flatMap(([name, id], index) => {
    const { error } = stripePrice.safeParse(id)
    if (error) return error.issues.map(({ message }) => `${name} ${message}; it is "${id}"`)
    const twin = prices.slice(0, index).find(([, other]) => other === id)
    return twin ? [`${name} and ${twin[0]} are both "${id}": each price has an id of its own`] : []
  })
}

function stripePrices(given: Environment): Record<string, string> {
  const entries = Object.entries(given).filter((entry): entry is [string, string] => priceName.test(entry[0]))
  return Object.fromEntries(entries)
}

function contradictions(given: Environment): string[] {
  const problems: string[] = []
  if (given.DATABASE_URL ?? given.DATABASE_SYSTEM_URL ?? given.DATABASE_OWNER_URL) {
    for (const name of ['DATABASE_URL', 'DATABASE_SYSTEM_URL']) {
      if (given[name] === undefined) problems.push(`${name} is missing: a database of your own needs both logins`)
    }
  }
  if (given.GOOGLE_SHEETS_CREDENTIALS !== undefined && given.GOOGLE_SHEETS_CREDENTIALS_FILE !== undefined) {
    problems.push('GOOGLE_SHEETS_CREDENTIALS and GOOGLE_SHEETS_CREDENTIALS_FILE are both set: keep one of them')
  }
  if (given.NODE_ENV === 'production') {
    for (const name of sandboxSettings) {
      if (given[name] !== undefined) problems.push(`${name} is for the sandbox and tests, production refuses it`)
    }
    for (const [urlName, keyName, url] of standInRules) {
      if ((webUrl.safeParse(given[urlName]).data ?? url) === url || given[keyName] !== undefined) continue
      problems.push(`${keyName} is missing: production refuses a stand-in for a provider without its key`)
    }
  }
  return problems
}

function group(values: z.infer<typeof settings>, given: Environment) {
  return sealed({
    environment: values.NODE_ENV,
    dataDir: resolve(values.DATA_DIR),
    /** For what was downloaded or built once and serves every project folder; may not be writable. */
    cacheDir: resolve(values.XDG_CACHE_HOME, 'throughline'),
    logLevel: values.LOG_LEVEL,
    specsDir: resolve(values.SPECS_DIR),
    api: {
      host: values.API_HOST,
      port: values.API_PORT,
      rateLimitPerMinute: values.RATE_LIMIT_PER_MINUTE,
      trustProxy: values.TRUST_PROXY ?? (false as const),
    },
    /** Where the outside reaches the API: links to unsubscribe lead there, and webhooks. */
    publicUrl: values.PUBLIC_URL ?? `http://127.0.0.1:${values.API_PORT}`,
    /** Undefined: the embedded server is meant. */
    database: databaseLogins(values),
    postgres: { port: values.POSTGRES_PORT },
    temporal: {
      /** Undefined: the dev server is meant, unless `usesProfile`. */
      address: values.TEMPORAL_ADDRESS,
      namespace: values.TEMPORAL_NAMESPACE,
      port: values.TEMPORAL_PORT,
      uiPort: values.TEMPORAL_UI_PORT,
      /** Whether envconfig may read its TOML file: only on request, so that a default profile for a cloud is no surprise. */
      usesProfile: values.TEMPORAL_PROFILE !== undefined || values.TEMPORAL_CONFIG_FILE !== undefined,
      /** The standard variables of @temporalio/envconfig as given, for its `overrideEnvVars`. */
      variables: temporalVariables(given),
    },
    worker: {
      metricsPort: values.WORKER_METRICS_PORT,
      maxCachedWorkflows: values.WORKER_MAX_CACHED_WORKFLOWS,
      shutdownGraceSeconds: values.WORKER_SHUTDOWN_GRACE_SECONDS,
      /** Undefined: the worker builds one at its start. */
      bundlePath: values.WORKFLOW_BUNDLE && resolve(values.WORKFLOW_BUNDLE),
    },
    serpapi: { apiKey: values.SERPAPI_API_KEY, baseUrl: values.SERPAPI_BASE_URL },
    google: {
      credentials: values.GOOGLE_SHEETS_CREDENTIALS ?? values.GOOGLE_SHEETS_CREDENTIALS_FILE,
      folderId: values.GOOGLE_SHEETS_FOLDER_ID,
      chunkRows: values.GOOGLE_SHEETS_CHUNK_ROWS,
      /** Undefined: Google's own hosts. */
      baseUrl: values.GOOGLE_BASE_URL,
    },
    resend: {
      apiKey: values.RESEND_API_KEY,
      baseUrl: values.RESEND_BASE_URL,
      /** Undefined: nothing that comes to the webhook can be believed. */
      webhookSecret: values.RESEND_WEBHOOK_SECRET,
      keyLifetimeMs: values.RESEND_KEY_LIFETIME_SECONDS * 1000,
    },
    stripe: {
      /** Ids of prices by the name of their setting. */
      prices: stripePrices(given),
      secretKey: values.STRIPE_SECRET_KEY,
      /** An origin: the SDK takes no path. */
      baseUrl: values.STRIPE_BASE_URL,
      /** Undefined: nothing that comes to the webhook can be believed. */
      webhookSecret: values.STRIPE_WEBHOOK_SECRET,
    },
    billing: {
      portalUrl: values.BILLING_PORTAL_URL,
      operatorEmail: values.BILLING_OPERATOR_EMAIL,
      winBackSequenceId: values.BILLING_WIN_BACK_SEQUENCE,
    },
    drips: {
      quantumMs: (values.DRIP_QUANTUM_SECONDS ?? (values.NODE_ENV === 'production' ? 15 : 1)) * 1000,
      lookUpAfterMs: values.DRIP_LOOK_UP_AFTER_SECONDS * 1000,
    },
    sites: {
      concurrency: values.SITE_CONCURRENCY,
      allowAddresses: values.SITE_ALLOW_ADDRESSES,
      baseUrl: values.SITES_BASE_URL,
      tlsBaseUrl: values.SITES_TLS_BASE_URL,
    },
    sandbox: {
      port: values.SANDBOX_PORT,
      providersPort: values.SANDBOX_PROVIDERS_PORT,
      sitesPort: values.SANDBOX_SITES_PORT,
      sitesTlsPort: values.SANDBOX_SITES_TLS_PORT,
      /** Its HTML files are sites of the farm. */
      sitesDir: values.SANDBOX_SITES_DIR,
    },
  })
}

/** The owner's address is for migrations alone: other processes need not, and should not, have it. */
function databaseLogins(values: z.infer<typeof settings>) {
  const { DATABASE_URL: appUrl, DATABASE_SYSTEM_URL: systemUrl, DATABASE_OWNER_URL: ownerUrl } = values
  return appUrl && systemUrl ? { appUrl, systemUrl, ownerUrl } : undefined
}

function temporalVariables(given: Environment): Record<string, string> {
  const entries = Object.entries(given).filter((entry): entry is [string, string] => entry[0].startsWith('TEMPORAL_'))
  return Object.fromEntries(entries)
}

/** Freezes an object and what it holds, and has every printer show its secrets as '[secret]'. */
function sealed<T extends object>(value: T): Readonly<T> {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) sealed(inner)
  if (!Array.isArray(value)) {
    const printable = () =>
      Object.fromEntries(
        Object.entries(value).map(([key, inner]) => [
          key,
          secretFields.has(key) && inner !== undefined ? '[secret]' : inner,
        ]),
      )
    Object.defineProperty(value, 'toJSON', { value: printable })
    Object.defineProperty(value, inspect.custom, { value: printable })
  }
  return Object.freeze(value)
}
