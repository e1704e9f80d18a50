import { expect, test } from 'vitest'
import { z } from 'zod'
import { permissions } from '../../api/permissions.ts'
import { closeReconciliation, insertReconciliation, recordDifference } from '../../db/billing-reconciliations.ts'
import { platformOrganisationId } from '../../db/organisations.ts'
import { testApi } from '../support/api.ts'

const { ask, keyWith, database, system, organisationId } = await testApi()
const platformId = await platformOrganisationId(system)
const platform = await keyWith(platformId, permissions)
const now = new Date('2026-01-05T12:00:00Z')
const later = new Date('2026-01-05T18:00:00Z')

const Page = z.object({ data: z.array(z.looseObject({ id: z.string() })), nextCursor: z.string().nullable() })
const list = async (path: string) => Page.parse(await (await ask('GET', `/billing/${path}`, { key: platform })).json())

const [first, second] = await database.as(platformId, async (tx) => {
  const begin = (begunBy: string) => insertReconciliation(tx, { begunBy, now })
  const found = (reconciliationId: string, customerId: string, about: string | null) => {
    const what = about === null ? ['unknown_customer'] : ['subscriptions', 'card']
    return recordDifference(tx, { reconciliationId, customerId, organisationId: about, what, now })
  }
  const whole = await begin('1')
  await found(whole, 'cus_ours', organisationId)
  await found(whole, 'cus_lost', null)
  await closeReconciliation(tx, { id: whole, problem: null, now: later })
  const running = await begin('2')
  await found(running, 'cus_lost', null)
  return [whole, running]
})

test('the platform is told of each comparison, also while it runs, and keeps what an earlier one came to', async () => {
  const { data } = await list('reconciliations')
  const beganAt = now.toISOString()
  expect(data).toEqual([
    {
      id: second,
      status: 'running',
      problem: null,
      customers: 0,
      differences: 0,
      unknownCustomers: 1,
      beganAt,
      endedAt: null,
    },
    {
      id: first,
      status: 'completed',
      problem: null,
      customers: 0,
      differences: 1,
      unknownCustomers: 1,
      beganAt,
      endedAt: later.toISOString(),
    },
  ])
  const page = await list('reconciliations?limit=1')
  expect(await list(`reconciliations?limit=1&cursor=${page.nextCursor}`)).toMatchObject({ data: [{ id: first }] })
})

test('a difference that stays is one, and those that are over are told apart', async () => {
  const { data } = await list('differences')
  expect(data).toMatchObject([
    { customerId: 'cus_lost', organisationId: null, what: ['unknown_customer'], repairedAt: null },
    { customerId: 'cus_ours', organisationId, what: ['subscriptions', 'card'], repairedAt: null },
  ])
  await database.as(platformId, (tx) => closeReconciliation(tx, { id: second ?? '', problem: null, now: later }))
  expect((await list('differences?open=true')).data).toMatchObject([{ customerId: 'cus_lost' }])
  expect((await list('differences?open=false')).data).toMatchObject([
    { customerId: 'cus_ours', repairedAt: later.toISOString() },
  ])
})

test.each(['reconciliations', 'differences'])('%s are shown to nobody but the platform', async (path) => {
  const response = await ask('GET', `/billing/${path}`)
  expect(response.status).toBe(403)
  expect(await response.json()).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('platform') })
})
