import { expect, onTestFinished, test, vi } from 'vitest'
import { loadConfig } from '../../config.ts'
import { childEnvironments } from '../../dev/child-environments.ts'
import { standInPrices } from '../../dev/stripe-prices.ts'

const logins = {
  appUrl: 'postgres://app@db/throughline',
  systemUrl: 'postgres://system@db/throughline',
  ownerUrl: 'postgres://owner@db/throughline',
}

test('no child gets the address of the owner, nor the sandbox any of the database', () => {
  onTestFinished(() => void vi.unstubAllEnvs())
  vi.stubEnv('DATABASE_OWNER_URL', logins.ownerUrl)
  vi.stubEnv('DATABASE_URL', logins.appUrl)
  const { env, sandboxEnv } = childEnvironments(loadConfig({}), logins, undefined)
  expect(loadConfig(env).database).toEqual({ appUrl: logins.appUrl, systemUrl: logins.systemUrl })
  expect(loadConfig(sandboxEnv).database).toBeUndefined()
  for (const value of [...Object.values(env), ...Object.values(sandboxEnv)]) expect(value).not.toContain('//owner@')
  for (const value of Object.values(sandboxEnv)) expect(value).not.toContain('postgres://')
  // Absent ones would be read from .env.
  for (const name of ['DATABASE_URL', 'DATABASE_SYSTEM_URL', 'DATABASE_OWNER_URL']) expect(sandboxEnv[name]).toBe('')
})

test('children read many names at a time, as many as somebody says', () => {
  onTestFinished(() => void vi.unstubAllEnvs())
  vi.stubEnv('UV_THREADPOOL_SIZE', undefined)
  expect(childEnvironments(loadConfig({}), logins, undefined).env.UV_THREADPOOL_SIZE).toBe('32')
  vi.stubEnv('UV_THREADPOOL_SIZE', '64')
  expect(childEnvironments(loadConfig({}), logins, undefined).env.UV_THREADPOOL_SIZE).toBe('64')
})

test('the sandbox sells each plan at the price that the API and the worker name, whatever is set already', () => {
  const config = loadConfig({ STRIPE_PRICE_SCOUT: 'price_own' })
  const { env, sandboxEnv } = childEnvironments(config, logins, undefined)
  const { prices } = loadConfig(env).stripe
  expect(prices).toMatchObject({ STRIPE_PRICE_SCOUT: 'price_own', STRIPE_PRICE_HUNTER_149: 'price_hunter_149' })
  const sold = standInPrices(loadConfig(sandboxEnv).stripe.prices)
  expect(sold.map(({ id }) => id).toSorted()).toEqual(Object.values(prices).toSorted())
  expect(sold).toContainEqual({
    id: 'price_own',
    product: 'Scout',
    unitAmount: 9_900,
    currency: 'usd',
    interval: 'month',
  })
})

test('the sandbox signs its webhooks as the API expects, at every start, unlike in any other installation', () => {
  const secrets = (systemUrl: string) => {
    const { env, sandboxEnv } = childEnvironments(loadConfig({}), { ...logins, systemUrl }, undefined)
    return [env, sandboxEnv].map((one) => loadConfig(one).resend.webhookSecret)
  }
  const [api, sandbox] = secrets(logins.systemUrl)
  expect(api).toMatch(/^whsec_/)
  expect(sandbox).toBe(api)
  expect(secrets(logins.systemUrl)).toEqual([api, sandbox])
  expect(secrets('postgres://system@elsewhere/throughline')).not.toContain(api)
})
