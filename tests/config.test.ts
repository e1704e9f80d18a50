import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import express from 'express'
import { expect, test } from 'vitest'
import { ConfigError, loadConfig, providerMode, settings } from '../config.ts'
import { seededPlans } from '../db/seeded-plans.ts'

const databaseUrls = {
  DATABASE_URL: 'postgres://app:app-password@db/throughline',
  DATABASE_SYSTEM_URL: 'postgres://system:system-password@db/throughline',
  DATABASE_OWNER_URL: 'postgres://owner:owner-password@db/throughline',
}

test('an empty environment is a complete configuration, and an empty value is no value', () => {
  const config = loadConfig({ API_PORT: '', SERPAPI_API_KEY: ' ' })
  expect(config.api).toEqual({ host: '127.0.0.1', port: 3000, rateLimitPerMinute: 600, trustProxy: false })
  expect(config.serpapi.apiKey).toBeUndefined()
  expect(config.database).toBeUndefined()
})

test('all wrong settings are reported at once, each by name', () => {
  const message = errorOf({
    API_PORT: '70000',
    LOG_LEVEL: 'loud',
    SITE_ALLOW_ADDRESSES: 'here, there',
    SITES_BASE_URL: 'ftp://x',
  })
  expect(message).toMatch(/^4 settings are wrong:/)
  for (const name of ['API_PORT', 'LOG_LEVEL', 'SITE_ALLOW_ADDRESSES', 'SITES_BASE_URL'])
    expect(message).toContain(name)
})

test('a wrong secret is named but not quoted', () => {
  const message = errorOf({ ...databaseUrls, DATABASE_URL: 'mysql://app:hunter2@db/throughline' })
  expect(message).toContain('DATABASE_URL must be a postgres:// address')
  expect(message).not.toContain('hunter2')
})

test('no print-out of the configuration shows a secret', () => {
  const config = loadConfig({ ...databaseUrls, SERPAPI_API_KEY: 'serp-key', TEMPORAL_API_KEY: 'temporal-key' })
  for (const printed of [inspect(config, { depth: 9 }), JSON.stringify(config), inspect(config.database)]) {
    expect(printed).not.toMatch(/password|serp-key|temporal-key/)
    expect(printed).toContain('[secret]')
  }
  expect(config.database?.appUrl).toBe(databaseUrls.DATABASE_URL)
  expect(config.serpapi.apiKey).toBe('serp-key')
})

test('the configuration is frozen through and through', () => {
  const config = loadConfig({ SITE_ALLOW_ADDRESSES: '127.0.0.1:80' })
  for (const part of [config, config.api, config.sites.allowAddresses]) expect(Object.isFrozen(part)).toBe(true)
})

test('the logins of the app and the system come together; the owner is needed only to migrate', () => {
  const { DATABASE_OWNER_URL: owner, ...pair } = databaseUrls
  expect(loadConfig(databaseUrls).database?.ownerUrl).toBe(owner)
  expect(loadConfig(pair).database).toEqual({ appUrl: pair.DATABASE_URL, systemUrl: pair.DATABASE_SYSTEM_URL })
  expect(errorOf({ DATABASE_URL: pair.DATABASE_URL })).toContain('DATABASE_SYSTEM_URL is missing')
  expect(errorOf({ DATABASE_OWNER_URL: owner })).toMatch(/DATABASE_URL is missing.*\n.*DATABASE_SYSTEM_URL is missing/)
})

test('production refuses what is for the sandbox and tests', () => {
  const forSandbox = {
    SITE_ALLOW_ADDRESSES: '127.0.0.1:8080',
    SITES_BASE_URL: 'http://127.0.0.1:3003',
    SITES_TLS_BASE_URL: 'https://127.0.0.1:3004',
    SERPAPI_BASE_URL: 'http://localhost:3002/serpapi',
    RESEND_BASE_URL: 'http://localhost:3002/resend',
    STRIPE_BASE_URL: 'http://localhost:3002',
  }
  expect(() => loadConfig(forSandbox)).not.toThrow()
  const message = errorOf({ ...forSandbox, NODE_ENV: 'production' })
  for (const name of [
    ...Object.keys(forSandbox).slice(0, 3),
    'SERPAPI_API_KEY',
    'RESEND_API_KEY',
    'STRIPE_SECRET_KEY',
  ]) {
    expect(message).toContain(name)
  }
})

test('Stripe is told as an origin, since its SDK takes no path', () => {
  expect(loadConfig({ STRIPE_BASE_URL: 'http://127.0.0.1:3002/' }).stripe.baseUrl).toBe('http://127.0.0.1:3002')
  expect(errorOf({ STRIPE_BASE_URL: 'http://127.0.0.1:3002/stripe' })).toContain('STRIPE_BASE_URL must be')
})

test.each(['http://127.0.0.1:3002/serpapi', 'https://serpapi.example.com'])(
  'production refuses %s for SerpAPI without its key',
  (url) => {
    const production = { NODE_ENV: 'production', SERPAPI_BASE_URL: url }
    expect(errorOf(production)).toContain('SERPAPI_API_KEY is missing')
    expect(() => loadConfig({ ...production, SERPAPI_API_KEY: 'serp-key' })).not.toThrow()
    expect(() => loadConfig({ ...production, SERPAPI_BASE_URL: 'https://serpapi.com/' })).not.toThrow()
  },
)

test.each([
  ['2', 2],
  ['10.0.0.0/8, fd00::/8,192.0.2.1', ['10.0.0.0/8', 'fd00::/8', '192.0.2.1']],
  ['loopback', ['loopback']],
])('the proxies %s are trusted as Express takes them', (given, taken) => {
  const { trustProxy } = loadConfig({ TRUST_PROXY: given }).api
  expect(trustProxy).toEqual(taken)
  expect(() => express().set('trust proxy', trustProxy)).not.toThrow()
})

test.each(['true', '-1', '10.0.0.0/33', '10.0.0.0/0', 'proxy.example.com', '::1/129', '1.2.3.4/8/9'])(
  'the proxies %s are refused',
  (given) => expect(errorOf({ TRUST_PROXY: given })).toContain('TRUST_PROXY'),
)

test.each([
  [{}, 'off'],
  [{ SERPAPI_BASE_URL: 'http://127.0.0.1:3002/serpapi' }, 'sandbox'],
  [{ SERPAPI_API_KEY: 'serp-key' }, 'live'],
  [{ SERPAPI_API_KEY: 'serp-key', SERPAPI_BASE_URL: 'https://serpapi.com/' }, 'live'],
])('with %o searches are %s', (env, mode) => {
  expect(providerMode(loadConfig(env), 'serpapi')).toBe(mode)
})

test.each([
  [{}, 'off'],
  [{ RESEND_BASE_URL: 'http://127.0.0.1:3002/resend' }, 'sandbox'],
  [{ RESEND_API_KEY: 're_1' }, 'live'],
])('with %o e-mail is %s', (env, mode) => {
  expect(providerMode(loadConfig(env), 'resend')).toBe(mode)
})

test('the API is reached at its own port unless somebody says where', () => {
  expect(loadConfig({ API_PORT: '3100' }).publicUrl).toBe('http://127.0.0.1:3100')
  expect(loadConfig({ PUBLIC_URL: 'https://app.example.com/' }).publicUrl).toBe('https://app.example.com')
})

test("a webhook's secret is one that can be signed with, and is not printed", () => {
  const secret = `whsec_${Buffer.from('hunter2 hunter2 hunter2').toString('base64')}`
  const config = loadConfig({ RESEND_WEBHOOK_SECRET: secret })
  expect(config.resend.webhookSecret).toBe(secret)
  expect(inspect(config, { depth: 9 }) + JSON.stringify(config)).not.toContain(secret)
  for (const wrong of ['hunter2', 'whsec_hunter2', `${secret}x`]) {
    expect(errorOf({ RESEND_WEBHOOK_SECRET: wrong })).toMatch(
      /RESEND_WEBHOOK_SECRET must be a signing secret, whsec_\.\.\.$/m,
    )
  }
})

const keyFile = fileURLToPath(new URL('../providers/google/sandbox-credentials.json', import.meta.url))
const keyJson = readFileSync(keyFile, 'utf8')

test('the service account comes as JSON or by file, is not printed, and not from both', () => {
  const byText = loadConfig({ GOOGLE_SHEETS_CREDENTIALS: keyJson })
  expect(byText.google.credentials?.clientEmail).toMatch(/gserviceaccount\.com$/)
  expect(loadConfig({ GOOGLE_SHEETS_CREDENTIALS_FILE: keyFile }).google).toEqual(byText.google)
  expect(inspect(byText, { depth: 9 }) + JSON.stringify(byText)).not.toContain('PRIVATE KEY')
  expect(errorOf({ GOOGLE_SHEETS_CREDENTIALS: keyJson, GOOGLE_SHEETS_CREDENTIALS_FILE: keyFile })).toContain('both set')
})

test.each([
  [
    { GOOGLE_SHEETS_CREDENTIALS: 'hunter2' },
    /GOOGLE_SHEETS_CREDENTIALS must be a service account's key file, as JSON$/m,
  ],
  [{ GOOGLE_SHEETS_CREDENTIALS: '{"client_email":"a@b.test","private_key":"hunter2"}' }, /as JSON: see private_key$/m],
  [
    { GOOGLE_SHEETS_CREDENTIALS_FILE: '/nowhere.json' },
    /GOOGLE_SHEETS_CREDENTIALS_FILE cannot be read; it is "\/nowhere.json"/,
  ],
])('of the credentials %o it is said what is wrong, and no more', (env, message) => {
  expect(errorOf(env)).toMatch(message)
  expect(errorOf(env)).not.toContain('hunter2')
})

test.each([
  [{}, 'off'],
  [{ GOOGLE_BASE_URL: 'http://127.0.0.1:3002/google' }, 'off'],
  [{ GOOGLE_BASE_URL: 'http://127.0.0.1:3002/google', GOOGLE_SHEETS_CREDENTIALS_FILE: keyFile }, 'sandbox'],
  [{ GOOGLE_SHEETS_CREDENTIALS_FILE: keyFile }, 'live'],
])('with %o spreadsheets are %s', (env, mode) => {
  expect(providerMode(loadConfig(env), 'google')).toBe(mode)
})

test("a profile of Temporal's file counts only when it is asked for", () => {
  expect(loadConfig({ TEMPORAL_API_KEY: 'temporal-key' }).temporal.usesProfile).toBe(false)
  expect(loadConfig({ TEMPORAL_PROFILE: 'cloud' }).temporal.usesProfile).toBe(true)
})

test("prices at Stripe are read by whatever settings plans name, and one that is no price's id is refused", () => {
  const prices = { STRIPE_PRICE_SCOUT: 'price_1Scout', STRIPE_PRICE_OWN_2: 'price_2' }
  expect(loadConfig({ ...prices, STRIPE_PRICE_HUNTER_149: ' ' }).stripe.prices).toEqual(prices)
  expect(errorOf({ STRIPE_PRICE_SCOUT: 'prod_1' })).toMatch(
    /STRIPE_PRICE_SCOUT must be a price's id at Stripe, price_\.\.\.; it is "prod_1"$/m,
  )
  expect(errorOf({ ...prices, STRIPE_PRICE_TWIN: 'price_2' })).toContain(
    'STRIPE_PRICE_TWIN and STRIPE_PRICE_OWN_2 are both "price_2"',
  )
})

test('.env.example names exactly the settings there are, and those of the plans that come with Throughline', () => {
  const example = readFileSync(new URL('../.env.example', import.meta.url), 'utf8')
  const named = [...example.matchAll(/^# ([A-Z_\d]+)=/gm)].map(([, name]) => name)
  const prices = seededPlans().flatMap((plan) => plan.prices.map(({ setting }) => setting))
  expect(new Set(named)).toEqual(new Set([...Object.keys(settings.shape), ...prices]))
})

function errorOf(env: Record<string, string>): string {
  try {
    loadConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  throw new Error('the configuration was accepted')
}
