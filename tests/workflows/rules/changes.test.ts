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
const read = (changes: Partial<ComparedFacts> = {}): Look => ({ failure: null, analysis: { ...facts, ...changes } })
const failed = (failure: string): Look => ({ failure, analysis: null })
const noSite: Look = { failure: null, analysis: null }

test('a business that nobody has looked at is new', () => {
  expect(compareVisits(null, read())).toEqual({ change: 'new', changed: [] })
})

test.each<[string, Look, Look, string[]]>([
  ['another CMS, and a booking system', read(), read({ cms: 'wix', booking: ['calendly'] }), ['cms', 'booking']],
  ['a site that cannot be read any more', read(), failed('timeout'), ['site']],
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
  ['another reason for not being readable', failed('timeout'), failed('connection_failed')],
  ['no website, as before', noSite, noSite],
])('%s is none', (_, before, after) => {
  expect(compareVisits(before, after)).toEqual({ change: 'same', changed: [] })
})

test('what an earlier version did not look at has not changed', () => {
  const { title, https, viewport, emails, phones } = facts
  expect(compareVisits({ failure: null, analysis: { title, https, viewport, emails, phones } }, read()).change).toBe(
    'same',
  )
})
