import { expect, test } from 'vitest'
import { permissions } from '../../api/permissions.ts'
import { burnUse } from '../../db/credit-ledger.ts'
import { claimMeteredUses, recordReports, saveMeteredTypes, unreportedSince } from '../../db/metered-usage.ts'
import { platformOrganisationId } from '../../db/organisations.ts'
import { testApi } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'

const now = new Date('2026-11-21T12:00:00Z')
const { ask, database, organisationId, keyWith, system, stories } = await testApi({ clock: () => now })
const platform = await keyWith(await platformOrganisationId(system), permissions)
const as = <T>(work: Parameters<typeof database.as<T>>[1]) => database.as(organisationId, work)

await as((tx) => saveMeteredTypes(tx, [{ type: 'calls', event: 'calls' }], now))
for (const key of ['call/1', 'call/2', 'call/3']) {
  await as((tx) => burnUse(tx, { key, type: 'calls', amount: 7 }, now))
}
await as((tx) => claimMeteredUses(tx, { limit: 10, knownSince: now, now }))
const refused = ['call/1', 'call/2'].map((key) => ({ key, code: 'invalid_request' }))
await as((tx) => recordReports(tx, { reported: ['call/3'], refused }, now))

const list = async (key?: string) => {
  const path = key ? `/billing/unreported-usage?organisationId=${organisationId}` : '/billing/unreported-usage'
  return (await ask('GET', path, key ? { key } : {})).json()
}
const resolve = (key: string, decided: string, by: string | undefined = platform) =>
  ask('POST', '/billing/unreported-usage/resolve', {
    body: { organisationId, key, as: decided },
    ...(by && { key: by }),
  })

test('what Stripe has refused is listed, to the organisation and to the platform', async () => {
  const use = { type: 'calls', metered: 7, problem: 'invalid_request', at: now.toISOString() }
  const expected = {
    data: [
      { key: 'call/1', ...use },
      { key: 'call/2', ...use },
    ],
  }
  expect([await list(), await list(platform)]).toEqual([expected, expected])
})

test('the platform alone decides of it, once: reported it is over, and else the story reports it again', async () => {
  const own = await keyWith(organisationId, permissions)
  expect((await resolve('call/1', 'reported', own)).status).toBe(403)
  expect((await resolve('call/1', 'reported')).status).toBe(200)
  expect((await resolve('call/1', 'report_again')).status).toBe(404)
  expect((await resolve('call/3', 'report_again')).status).toBe(404)
  expect(await as((tx) => unreportedSince(tx, now))).toBeNull()
  expect((await resolve('call/2', 'report_again')).status).toBe(200)
  expect(await as((tx) => unreportedSince(tx, now))).toEqual(now)
  expect(await list()).toEqual({ data: [] })
  await eventually(() => expect(stories.delivered).toMatchObject([{ signal: 'lookAgain', organisationId }]), {
    timeout: 5_000,
    interval: 20,
  })
  const claim = { limit: 10, knownSince: now, now }
  expect(await as((tx) => claimMeteredUses(tx, claim))).toMatchObject([{ key: 'call/2', metered: 7 }])
})
