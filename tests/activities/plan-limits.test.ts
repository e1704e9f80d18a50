import { expect, test } from 'vitest'
import { readEntitlements, usedOf, wakeForEntitlements } from '../../db/entitlements.ts'
import { aMessage, type DripRows } from '../support/drip-rows.ts'
import { dripTurns, seatsOf } from '../support/drip-turns.ts'
import { entitle, limitOf } from '../support/entitlement-rows.ts'

const { database, organisationId, as, sandbox, now, later, setClock, drip, advance, taken } = await dripTurns()

const dayMs = 86_400_000
const nextMidnight = (after: Date) => Math.ceil((after.getTime() + 1) / dayMs) * dayMs
/** Each test has a day of its own, so that nobody else's messages count in it. */
let day = Date.parse('2030-01-01T09:00:00Z')
const aDayOfItsOwn = () => {
  day += 40 * dayMs
  setClock(new Date(day))
}
const perDay = (most: number) => entitle(database, organisationId, { limits: [limitOf('messages', most, 'day')] })
const usedToday = async () => {
  const limit = limitOf('messages', 0, 'day')
  return as((tx) => usedOf(tx, limit, now()))
}
const deferredIn = ({ sequenceId }: DripRows) =>
  as(
    (tx) => tx<{ reason: string; until: string | null; people: number }[]>`
      select data ->> 'reason' as reason, data ->> 'until' as until, count(*)::int as people
      from contact_events join enrolments on enrolments.id = enrolment_id
      where sequence_id = ${sequenceId} and type = 'message.deferred' group by 1, 2`,
  )

test('beyond the limit of a day people wait for the next, and are told why', async () => {
  aDayOfItsOwn()
  await perDay(3)
  const rows = await drip({ people: 5 })
  const { outcomes, moves } = await advance(rows)
  const midnight = nextMidnight(now())
  expect(moves).toMatchObject({ sent: { first: 3 }, notSent: { plan_limit: 2 } })
  expect(outcomes.filter((one) => one.now === 'due' && one.dueAt === midnight)).toHaveLength(2)
  expect(await taken()).toHaveLength(3)
  expect(await deferredIn(rows)).toEqual([{ reason: 'plan_limit', until: new Date(midnight).toISOString(), people: 2 }])
  setClock(new Date(midnight))
  await advance(rows, [4, 5])
  expect(await taken()).toHaveLength(5)
  expect(await usedToday()).toBe(2)
})

test('60 cohorts that claim at the same moment never send more than the day has', async () => {
  aDayOfItsOwn()
  await perDay(25)
  const rows = await drip({ people: 60, eachAlone: true })
  const all = await Promise.all(rows.people.map(({ cohortId }) => advance({ ...rows, cohortId }, [1])))
  expect(all.filter(({ moves }) => moves.sent['first'] === 1)).toHaveLength(25)
  expect(all.filter(({ moves }) => moves.notSent['plan_limit'] === 1)).toHaveLength(35)
  expect(await taken()).toHaveLength(25)
  expect(await usedToday()).toBe(25)
})

test('what the provider did not take counts for nothing', async () => {
  aDayOfItsOwn()
  await perDay(3)
  const rows = await drip({ people: 3 })
  await sandbox().addFault({ provider: 'resend', operation: 'emails.batch', kind: 'status', status: 429, count: 1 })
  await advance(rows)
  expect(await usedToday()).toBe(0)
  later(60_000)
  await advance(rows)
  expect(await taken()).toHaveLength(3)
  expect(await usedToday()).toBe(3)
})

test('the limit of a month holds over its days', async () => {
  aDayOfItsOwn()
  const month = { from: day - dayMs, until: day + 2 * dayMs + 1_000 }
  await entitle(database, organisationId, {
    limits: [limitOf('messages', 2, 'day'), limitOf('messages', 3, 'period', month)],
  })
  const rows = await drip({ people: 5 })
  await advance(rows)
  later(dayMs)
  const { outcomes } = await advance(rows, [3, 4, 5])
  expect(await taken()).toHaveLength(3)
  expect(outcomes.filter((one) => one.now === 'due' && one.dueAt === month.until)).toHaveLength(2)
})

test('without access nothing goes until it comes back, and then whoever waited is woken', async () => {
  aDayOfItsOwn()
  await entitle(database, organisationId, { access: 'none' })
  const rows = await drip({ people: 2 })
  const { outcomes, moves } = await advance(rows)
  expect(seatsOf(outcomes, 'asleep')).toEqual([1, 2])
  expect(moves.notSent).toEqual({ no_access: 2 })
  expect(await deferredIn(rows)).toEqual([{ reason: 'no_access', until: null, people: 2 }])
  await entitle(database, organisationId, { access: 'reduced' })
  const woken = await as((tx) => wakeForEntitlements(tx, { requestId: 'paid', now: now() }))
  expect(woken).toContain(`drip/${rows.sequenceId}/${rows.cohortId}`)
  await advance(rows)
  expect(await taken()).toHaveLength(2)
})

test('notices that somebody has asked for are neither limited nor counted', async () => {
  aDayOfItsOwn()
  await entitle(database, organisationId, { access: 'none', limits: [limitOf('messages', 0, 'day')] })
  await advance(await drip({ people: 2, steps: [aMessage('notice')], definition: { purpose: 'transactional' } }))
  expect(await taken()).toHaveLength(2)
  expect(await usedToday()).toBe(0)
})

test('an organisation that pays for nothing is limited by nothing, and nothing of it is counted', async () => {
  aDayOfItsOwn()
  await entitle(database, organisationId, null)
  expect(await as(readEntitlements)).toBeNull()
  await advance(await drip({ people: 5 }))
  expect(await taken()).toHaveLength(5)
  expect(await usedToday()).toBe(0)
})
