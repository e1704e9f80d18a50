import { expect, test } from 'vitest'
import { permissions } from '../../api/permissions.ts'
import { testApi } from '../support/api.ts'

const { ask, keyWith, organisationId } = await testApi({ requestsPerMinute: 4 })

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

test("an organisation's keys share a limit, so that more keys are not more requests", async () => {
  const statuses: number[] = []
  for (let n = 0; n < 30; n += 1) {
    statuses.push((await ask('GET', '/campaigns', { key: await keyWith(organisationId, permissions) })).status)
  }
  expect(statuses.at(-1)).toBe(429)
})

test('an address that guesses keys is refused after a while, before any look-up', async () => {
  const guess = () => ask('GET', '/campaigns', { key: `tl_${'0'.repeat(32)}_${'a'.repeat(43)}` })
  const statuses: number[] = []
  for (let n = 0; n < 320 && statuses.at(-1) !== 429; n += 1) statuses.push((await guess()).status)
  expect(statuses.at(0)).toBe(401)
  expect(statuses.at(-1)).toBe(429)
})
