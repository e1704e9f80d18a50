import { assert, boolean, constant, constantFrom, oneof, option, property, record, string } from 'fast-check'
import { expect, test } from 'vitest'
import { type ProspectFacts, type SiteFacts, scoreProspect } from '../../../workflows/rules/scoring.ts'

const goodSite: SiteFacts = { state: 'read', https: true, viewport: true, title: 'Bakery' }

test('a good site that nobody can be reached at scores nothing', () => {
  expect(scoreProspect({ site: goodSite, hasEmail: false, hasPhone: false })).toEqual({ score: 0, reasons: [] })
})

test('each thing missing and each way to reach the business has its points', () => {
  const site: SiteFacts = { state: 'read', https: false, viewport: false, title: null }
  expect(scoreProspect({ site, hasEmail: true, hasPhone: true })).toEqual({
    score: 90,
    reasons: [
      { text: 'no HTTPS', points: 25 },
      { text: 'no mobile viewport', points: 20 },
      { text: 'no page title', points: 10 },
      { text: 'e-mail address known', points: 20 },
      { text: 'telephone number known', points: 15 },
    ],
  })
})

test('a business without a website needs help most', () => {
  const { score, reasons } = scoreProspect({ site: { state: 'none' }, hasEmail: false, hasPhone: true })
  expect(score).toBe(75)
  expect(reasons[0]).toEqual({ text: 'no website', points: 60 })
})

test.each([
  ['dns_not_found', undefined, 50],
  ['connection_failed', undefined, 50],
  ['timeout', undefined, 50],
  ['bad_certificate', undefined, 50],
  ['http_status', '404', 50],
  ['http_status', '500', 50],
  // Robots are refused where customers are not; what our own rules forbid says nothing about the site.
  ['http_status', '403', 0],
  ['http_status', '429', 0],
  ['address_not_allowed', undefined, 0],
  ['too_large', undefined, 0],
  ['never heard of', undefined, 0],
])('a site that failed with %s %s scores %i', (code, detail, points) => {
  const facts: ProspectFacts = { site: { state: 'failed', code, detail }, hasEmail: false, hasPhone: false }
  expect(scoreProspect(facts)).toEqual({ score: points, reasons: [{ text: expect.any(String), points }] })
})

const anySite = oneof(
  constant<SiteFacts>({ state: 'none' }),
  record({
    state: constant('failed' as const),
    code: oneof(constantFrom('timeout', 'http_status'), string()),
    detail: string(),
  }),
  record({ state: constant('read' as const), https: boolean(), viewport: boolean(), title: option(string()) }),
)
const anyFacts = record({ site: anySite, hasEmail: boolean(), hasPhone: boolean() })

test('a score lies between 0 and 100 and is what its reasons add up to', () => {
  assert(
    property(anyFacts, (facts) => {
      const { score, reasons } = scoreProspect(facts)
      const sum = reasons.reduce((total, { points }) => total + points, 0)
      expect(score).toBe(Math.max(0, Math.min(100, sum)))
      expect(reasons.every(({ text }) => text !== '')).toBe(true)
    }),
  )
})

test('a way to reach a business never lowers its score', () => {
  assert(
    property(anyFacts, (facts) => {
      const { score } = scoreProspect(facts)
      expect(scoreProspect({ ...facts, hasEmail: true }).score).toBeGreaterThanOrEqual(score)
      expect(scoreProspect({ ...facts, hasPhone: true }).score).toBeGreaterThanOrEqual(score)
    }),
  )
})
