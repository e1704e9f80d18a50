import {
  type Arbitrary,
  array,
  assert,
  boolean,
  constant,
  constantFrom,
  integer,
  nat,
  oneof,
  option,
  property,
  record,
  string,
  subarray,
} from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bookingNames,
  cmsNames,
  siteFailureCodes,
  socialNetworks,
  trackingNames,
} from '../../../workflows/contracts/detections.ts'
import { ScoringRules } from '../../../workflows/contracts/scoring-rules.schema.ts'
import {
  booleanFields,
  builtInRules,
  type Condition,
  numberFields,
  type ScoringRule,
  siteStates,
} from '../../../workflows/contracts/scoring-rules.ts'
import { scoreProspect, type VisitFindings } from '../../../workflows/rules/scoring.ts'

const unreachable: VisitFindings = {
  url: 'bakery.test',
  failure: null,
  failureDetail: null,
  analysis: null,
  hasPhone: false,
  runsAds: false,
  sightings: 1,
}

const goodSite: NonNullable<VisitFindings['analysis']> = {
  https: true,
  viewport: true,
  title: 'Bakery',
  emails: [],
  phones: [],
  cms: 'wordpress',
  tracking: ['ga4'],
  booking: ['calendly'],
  socials: [{ network: 'facebook.com' }],
  copyrightYear: 2024,
  language: 'de-AT',
  responseMs: 100,
}

const read = (changes: Partial<typeof goodSite> = {}): VisitFindings => ({
  ...unreachable,
  analysis: { ...goodSite, ...changes },
})
const failed = (failure: string, failureDetail: string | null = null) => ({ ...unreachable, failure, failureDetail })

describe('by the rules that come with Throughline', () => {
  const score = (visit: VisitFindings) => scoreProspect(visit, builtInRules)

  test('the rules are ones that users could save', () => {
    expect(ScoringRules.parse(builtInRules)).toEqual(builtInRules)
  })

  test('a good site that nobody can be reached at scores nothing', () => {
    expect(score(read())).toEqual({ score: 0, reasons: [] })
  })

  test('each thing missing and each way to reach the business has its points', () => {
    const missing = { https: false, viewport: false, title: null, emails: ['a@bakery.test'], phones: ['+15125550123'] }
    expect(score(read(missing))).toEqual({
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

  test('advertising without a way to book counts, a slow answer too', () => {
    expect(score({ ...read({ booking: [], responseMs: 3_000 }), runsAds: true })).toEqual({
      score: 30,
      reasons: [
        { text: 'answers slowly', points: 10 },
        { text: 'runs ads but has no booking system', points: 20 },
      ],
    })
    expect(score({ ...read(), runsAds: true }).score).toBe(0)
    expect(score(read({ booking: [] })).score).toBe(0)
  })

  test('a business without a website needs help most', () => {
    expect(score({ ...unreachable, url: null, hasPhone: true })).toEqual({
      score: 75,
      reasons: [
        { text: 'no website', points: 60 },
        { text: 'telephone number known', points: 15 },
      ],
    })
  })

  test.each([
    ['dns_not_found', null, 50],
    ['connection_failed', null, 50],
    ['timeout', null, 50],
    ['too_many_redirects', null, 50],
    ['bad_certificate', null, 50],
    ['http_status', '404', 50],
    ['http_status', '500', 50],
    // Robots are refused where customers are not; what our own rules forbid says nothing about the site.
    ['http_status', '403', 0],
    ['http_status', '429', 0],
    ['address_not_allowed', null, 0],
    ['robots_disallowed', null, 0],
    ['too_large', '5000000', 0],
    ['not_understood', null, 0],
  ])('a site that failed with %s %s scores %s, with one reason', (failure, detail, points) => {
    expect(score(failed(failure, detail))).toEqual({
      score: points,
      reasons: [{ text: expect.any(String), points }],
    })
  })
})

describe('a condition', () => {
  const holds = (condition: Condition, visit: VisitFindings) =>
    scoreProspect(visit, [{ reason: 'it holds', points: 1, when: [condition] }]).score === 1

  const noSite: VisitFindings = { ...unreachable, url: null }
  const bare = read({
    cms: null,
    tracking: [],
    booking: [],
    socials: [],
    copyrightYear: null,
    language: null,
  })

  test.each<[condition: Condition, holdsFor: VisitFindings, not: VisitFindings]>([
    [{ field: 'site', is: 'none' }, noSite, read()],
    [{ field: 'site', is: 'failed' }, failed('timeout'), noSite],
    [{ field: 'site', is: 'read' }, read(), failed('timeout')],
    [{ field: 'https', is: true }, read(), read({ https: false })],
    [{ field: 'hasTitle', is: false }, read({ title: null }), read()],
    [{ field: 'hasEmail', is: true }, read({ emails: ['a@b.test'] }), read()],
    [{ field: 'hasPhone', is: true }, read({ phones: ['+15125550123'] }), read()],
    [{ field: 'hasPhone', is: true }, { ...noSite, hasPhone: true }, noSite],
    [{ field: 'runsAds', is: true }, { ...noSite, runsAds: true }, noSite],
    [{ field: 'cms', in: ['wordpress', 'wix'] }, read(), read({ cms: 'shopify' })],
    [{ field: 'cms', notIn: ['wordpress'] }, bare, read()],
    [{ field: 'cms', in: ['none'] }, bare, read()],
    [{ field: 'cms', notIn: ['none'] }, read(), bare],
    [{ field: 'language', in: ['de'] }, read(), read({ language: 'den' })],
    [{ field: 'language', in: ['DE-at'] }, read(), read({ language: 'de-DE' })],
    [{ field: 'language', notIn: ['en', 'none'] }, read(), bare],
    [{ field: 'failure', in: ['timeout'] }, failed('timeout'), failed('too_large')],
    [{ field: 'failure', notIn: ['timeout'] }, failed('too_large'), read()],
    [{ field: 'httpStatus', in: [404, 410] }, failed('http_status', '404'), failed('http_status', '500')],
    [{ field: 'httpStatus', notIn: [404] }, failed('http_status', '500'), failed('too_large', '500')],
    [{ field: 'booking', has: 'calendly' }, read(), read({ booking: ['acuity'] })],
    [{ field: 'booking', has: 'any' }, read(), bare],
    [{ field: 'booking', has: 'none' }, bare, read()],
    [{ field: 'tracking', has: 'ga4' }, read(), bare],
    [{ field: 'socials', has: 'facebook.com' }, read(), bare],
    [{ field: 'copyrightYear', atMost: 2024 }, read(), read({ copyrightYear: 2025 })],
    [{ field: 'copyrightYear', atMost: 2024 }, read(), bare],
    [{ field: 'responseMs', atLeast: 100, atMost: 200 }, read(), read({ responseMs: 99 })],
    [{ field: 'sightings', atLeast: 3 }, { ...noSite, sightings: 3 }, noSite],
  ])('%j holds where it should', (condition, holdsFor, not) => {
    expect([holds(condition, holdsFor), holds(condition, not)]).toEqual([true, false])
  })

  test('never holds of what an earlier version did not look at', () => {
    const { https, viewport, title, emails, phones } = goodSite
    const early: VisitFindings = { ...unreachable, analysis: { https, viewport, title, emails, phones } }
    for (const field of ['booking', 'tracking', 'socials'] as const)
      expect(holds({ field, has: 'none' }, early)).toBe(false)
    expect(holds({ field: 'cms', in: ['none'] }, early)).toBe(false)
    expect(holds({ field: 'cms', notIn: ['wix'] }, early)).toBe(false)
    expect(holds({ field: 'responseMs', atLeast: 0 }, early)).toBe(false)
  })

  test('of a site that was not read holds nothing but that, what searches told and what is not known of it', () => {
    const ofSites = ['cms', 'language', 'booking', 'tracking', 'socials', 'https', 'viewport', 'hasTitle', 'responseMs']
    assert(
      property(anyCondition, constantFrom(noSite, failed('timeout')), (condition, visit) => {
        if (ofSites.includes(condition.field)) expect(holds(condition, visit)).toBe(false)
      }),
    )
  })
})

const among = <Value>(value: Arbitrary<Value>) => {
  const values = array(value, { minLength: 1, maxLength: 3 })
  return oneof(record({ in: values }), record({ notIn: values }), record({ in: values, notIn: values }))
}
const some = <Name>(names: readonly Name[]) => constantFrom<Name | 'any' | 'none'>(...names, 'any', 'none')
const anyCondition: Arbitrary<Condition> = oneof(
  record({ field: constant('site' as const), is: constantFrom(...siteStates) }),
  record({ field: constantFrom(...booleanFields), is: boolean() }),
  among(constantFrom(...cmsNames, 'none' as const)).map((names): Condition => ({ field: 'cms', ...names })),
  among(constantFrom('en', 'de-AT', 'none')).map((tags): Condition => ({ field: 'language', ...tags })),
  among(constantFrom(...siteFailureCodes)).map((codes): Condition => ({ field: 'failure', ...codes })),
  among(integer({ min: 100, max: 599 })).map((statuses): Condition => ({ field: 'httpStatus', ...statuses })),
  record({ field: constant('booking' as const), has: some(bookingNames) }),
  record({ field: constant('tracking' as const), has: some(trackingNames) }),
  record({ field: constant('socials' as const), has: some(socialNetworks) }),
  record({ field: constantFrom(...numberFields), atLeast: nat(5_000) }),
)
const anyRules: Arbitrary<ScoringRule[]> = array(
  record({
    reason: constantFrom('one', 'another'),
    points: integer({ min: -100, max: 100 }),
    when: array(anyCondition, { minLength: 1, maxLength: 2 }),
  }),
  { minLength: 1, maxLength: 20 },
)

const anyAnalysis = record({
  https: boolean(),
  viewport: boolean(),
  title: option(string()),
  emails: subarray(['a@b.test']),
  phones: subarray(['+15125550123']),
  cms: option(constantFrom(...cmsNames)),
  tracking: subarray([...trackingNames]),
  booking: subarray([...bookingNames]),
  socials: subarray(socialNetworks.map((network) => ({ network }))),
  copyrightYear: option(integer({ min: 1990, max: 2030 })),
  language: option(constantFrom('en', 'en-US', 'de')),
  responseMs: nat(10_000),
})
const anyVisit: Arbitrary<VisitFindings> = record({
  url: option(constant('bakery.test')),
  failure: option(constantFrom(...siteFailureCodes)),
  failureDetail: option(oneof(constant('404'), string())),
  analysis: option(anyAnalysis),
  hasPhone: boolean(),
  runsAds: boolean(),
  sightings: integer({ min: 1, max: 20 }),
})

test('whatever the rules, they are ones that can be saved, and a score is what its reasons add up to, from 0 to 100', () => {
  assert(
    property(anyVisit, anyRules, (visit, rules) => {
      expect(ScoringRules.safeParse(rules).success).toBe(true)
      const { score, reasons } = scoreProspect(visit, rules)
      const sum = reasons.reduce((total, { points }) => total + points, 0)
      expect(score).toBe(Math.max(0, Math.min(100, sum)))
    }),
  )
})

test('the order of the rules does not change a score', () => {
  assert(
    property(anyVisit, anyRules, (visit, rules) => {
      expect(scoreProspect(visit, rules.toReversed()).score).toBe(scoreProspect(visit, rules).score)
    }),
  )
})

test('a further condition never makes a rule hold', () => {
  assert(
    property(anyVisit, anyCondition, anyCondition, (visit, first, second) => {
      const reasons = (...when: Condition[]) => scoreProspect(visit, [{ reason: 'x', points: 1, when }]).reasons.length
      expect(reasons(first, second)).toBe(Math.min(reasons(first), reasons(second)))
    }),
  )
})
