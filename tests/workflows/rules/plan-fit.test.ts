import { expect, test } from 'vitest'
import { fitPlans } from '../../../workflows/rules/plan-fit.ts'

const plan = (contacts: number | null, ...features: string[]) => ({
  features,
  limits: [
    { act: 'searches', most: 10, per: 'period' } as const,
    ...(contacts === null ? [] : [{ act: 'contacts', most: contacts, per: 'total' } as const]),
  ],
})
const use = (contacts: number, ...features: string[]) => ({ total: { contacts }, features })
const fit = (
  then: ReturnType<typeof plan>[],
  now: ReturnType<typeof use>,
  before = [plan(null, 'reports', 'exports')],
) => fitPlans(before, then, now)

test('a plan fits up to the last contact that it allows', () => {
  expect(fit([plan(100)], use(100)).over).toEqual([])
  expect(fit([plan(100)], use(101)).over).toEqual([{ what: 'contacts', used: 101, most: 100 }])
})

test('what is used up of a period keeps nobody, nor does what is not limited', () => {
  expect(fit([plan(null)], use(1_000_000)).over).toEqual([])
})

test('the limits of several plans add up, and one that does not limit makes room for all', () => {
  expect(fit([plan(100), plan(50)], use(150)).over).toEqual([])
  expect(fit([plan(100), plan(50)], use(151)).over).toEqual([{ what: 'contacts', used: 151, most: 150 }])
  expect(fit([plan(100), plan(null)], use(151)).over).toEqual([])
})

test('a feature that gets lost is told, and keeps from the plan only who uses it', () => {
  expect(fit([plan(null, 'reports')], use(0, 'reports'))).toEqual({ over: [], losesFeatures: ['exports'] })
  expect(fit([plan(null, 'reports')], use(0, 'exports'))).toEqual({
    over: [{ what: 'feature', feature: 'exports' }],
    losesFeatures: ['exports'],
  })
  // It never had that, and goes on without.
  expect(fit([plan(null)], use(0, 'sequences'), []).over).toEqual([])
})

test('who is above the limit of today already may still have a higher one', () => {
  expect(fit([plan(100)], use(500), [plan(50)]).over).toEqual([])
  expect(fit([plan(100)], use(500), [plan(100)]).over).toEqual([])
  expect(fit([plan(100)], use(500), [plan(101)]).over).toHaveLength(1)
})
