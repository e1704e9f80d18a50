import { array, constantFrom, assert as holds, oneof, property } from 'fast-check'
import { expect, test } from 'vitest'
import { type ComparedFacts, compareVisits, type Look } from '../../../workflows/rules/changes.ts'

const facts: ComparedFacts = {
  title: 'Bakery',
  https: true,
  viewport: true,
  emails: ['a@bakery.test', 'b@bakery.test'],
  phones: [],
  cms: 'wordpress',
  tracking: ['ga4'],
  booking: [],
  socials: [{ url: 'https://facebook.com/bakery' }],
}
const looked: Look = { failure: null, failureDetail: null, analysis: null }
const read = (changes: Partial<ComparedFacts> = {}): Look => ({ ...looked, analysis: { ...facts, ...changes } })
const failed = (failure: string, failureDetail: string | null = null): Look => ({ ...looked, failure, failureDetail })
const noSite = looked

test('a business that nobody has looked at is new, whatever the look at it brings', () => {
  for (const after of [read(), noSite, failed('timeout'), failed('dns_not_found', 'ENOTFOUND')]) {
    expect(compareVisits(null, after)).toEqual({ change: 'new', changed: [] })
  }
})

test.each<[string, Look, Look, string[]]>([
  ['another CMS, and a booking system', read(), read({ cms: 'wix', booking: ['calendly'] }), ['cms', 'booking']],
  ['a site whose name is gone', read(), failed('dns_not_found', 'ENOTFOUND'), ['site']],
  ['a site whose home page is gone', read(), failed('http_status', '404'), ['site']],
  ['a site where there was none', noSite, read(), ['site']],
  [
    'a profile more',
    read(),
    read({ socials: [...(facts.socials ?? []), { url: 'https://x.com/bakery' }] }),
    ['socials'],
  ],
])('%s is a change', (_, before, after, changed) => {
  expect(compareVisits(before, after)).toEqual({ change: 'changed', changed })
  expect(compareVisits(after, before)).toEqual({ change: 'changed', changed })
})

test.each<[string, Look, Look]>([
  ['the same again', read(), read()],
  ['another order', read(), read({ emails: ['b@bakery.test', 'a@bakery.test'] })],
  ['another reason for not being readable', failed('dns_not_found'), failed('bad_certificate')],
  ['no website, as before', noSite, noSite],
])('%s is none', (_, before, after) => {
  expect(compareVisits(before, after)).toEqual({ change: 'same', changed: [] })
})

const passing = [
  failed('timeout'),
  failed('dns_failed', 'EAI_AGAIN'),
  failed('network_unreachable', 'ENETUNREACH'),
  failed('connection_failed', 'ECONNREFUSED'),
  failed('http_status', '503'),
  failed('http_status', '429'),
  failed('robots_disallowed', '500'),
  failed('not_understood'),
]

test.each(passing)('a look that failed by $failure, $failureDetail is compared with nothing', (outage) => {
  for (const other of [read(), noSite, failed('dns_not_found'), ...passing]) {
    expect(compareVisits(other, outage)).toEqual({ change: 'same', changed: [] })
    expect(compareVisits(outage, other)).toEqual({ change: 'same', changed: [] })
  }
})

const telling = [read(), read({ cms: 'wix' }), read({ title: null, https: false }), noSite, failed('dns_not_found')]

test('whatever looks fail in between, what the others tell of changes is the same', () => {
  const looks = array(oneof(constantFrom(...telling), constantFrom(...passing)), { maxLength: 12 })
  holds(
    property(constantFrom(...telling), looks, (first, later) => {
      const all = [first, ...later]
      const marks = all.map((look, index) => compareVisits(lastBefore(all, index), look))
      const undisturbed = all.filter(tells)
      expect(marks.filter((_, index) => tells(all[index] ?? first))).toEqual(
        undisturbed.map((look, index) => compareVisits(undisturbed[index - 1] ?? null, look)),
      )
    }),
  )
})

const tells = (look: Look) => telling.includes(look)

/** As the database chooses it. */
function lastBefore(looks: readonly Look[], index: number): Look | null {
  const earlier = looks.slice(0, index)
  return earlier.findLast(tells) ?? earlier.at(-1) ?? null
}

test('what an earlier version did not look at has not changed', () => {
  const { title, https, viewport, emails, phones } = facts
  const before = { ...looked, analysis: { title, https, viewport, emails, phones } }
  expect(compareVisits(before, read()).change).toBe('same')
})
