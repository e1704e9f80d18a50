import { expect, test } from 'vitest'
import { permissions } from '../../api/permissions.ts'
import { testApi } from '../support/api.ts'

const { ask, keyWith, organisationId, neighbour } = await testApi({ requestsPerMinute: 4, trustProxy: 1 })

test('a key that asks too often is told when to come back; others go on', async () => {
  const eager = await keyWith(organisationId, permissions)
  for (let n = 0; n < 4; n += 1) {
    const response = await ask('GET', '/campaigns', { key: eager })
    expect(response.status).toBe(200)
    expect(response.headers.get('ratelimit')).toMatch(new RegExp(`"key"; r=${3 - n}; t=\\d+`))
    expect(response.headers.get('ratelimit-policy')).toMatch(/"key"; q=4; w=60/)
  }
  const refused = await ask('GET', '/campaigns', { key: eager })
  expect(refused.status).toBe(429)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await refused.json()).toMatchObject({ code: 'rate_limited' })
  expect((await ask('GET', '/campaigns')).status).toBe(200)
})

test("what is refused to one key is not counted against its organisation's others", async () => {
  const { organisationId: theirs, key: other } = await neighbour()
  const eager = await keyWith(theirs, permissions)
  for (let n = 0; n < 30; n += 1) await ask('GET', '/campaigns', { key: eager })
  expect((await ask('GET', '/campaigns', { key: eager })).status).toBe(429)
  expect((await ask('GET', '/campaigns', { key: other })).status).toBe(200)
})

test("an organisation's keys share a limit, so that more keys are not more requests", async () => {
  const statuses: number[] = []
  for (let n = 0; n < 30; n += 1) {
    statuses.push((await ask('GET', '/campaigns', { key: await keyWith(organisationId, permissions) })).status)
  }
  expect(statuses.at(-1)).toBe(429)
})

test('an address that guesses keys is told to stop after a while; valid keys of it, and other addresses, are not', async () => {
  const { key } = await neighbour()
  const from = (address: string) => ({ 'x-forwarded-for': address })
  const guess = (address: string) =>
    ask('GET', '/campaigns', { key: `tl_${'0'.repeat(32)}_${'a'.repeat(43)}`, headers: from(address) })
  for (let n = 0; n < 300; n += 1) expect((await guess('192.0.2.1')).status).toBe(401)
  const refused = await guess('192.0.2.1')
  expect(refused.status).toBe(429)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await ask('GET', '/campaigns', { key, headers: from('192.0.2.1') })).status).toBe(200)
  expect((await ask('GET', '/campaigns', { key: null, headers: from('192.0.2.1') })).status).toBe(401)
  expect((await guess('192.0.2.2')).status).toBe(401)
})

test('requests without a key are answered 401 however many they are, and bar nobody', async () => {
  const headers = { 'x-forwarded-for': '192.0.2.3' }
  for (let n = 0; n < 310; n += 1) expect((await ask('GET', '/campaigns', { key: null, headers })).status).toBe(401)
  expect((await ask('GET', '/campaigns', { key: 'wrong', headers })).status).toBe(401)
})
