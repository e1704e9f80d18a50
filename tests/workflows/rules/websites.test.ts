import { assert, constantFrom, domain, oneof, property, string, tuple, webUrl } from 'fast-check'
import { expect, test } from 'vitest'
import { directoryBrands, directoryDomains } from '../../../workflows/rules/directories.ts'
import { businessKeys, exclusionOf, homePageOf, isDirectory, parseWebsite } from '../../../workflows/rules/websites.ts'

test.each([
  ['bakery.com', 'bakery.com', 'https://bakery.com/'],
  [' Bakery.com/ ', 'bakery.com', 'https://bakery.com/'],
  ['bakery.com/menu?day=1#top', 'bakery.com/menu?day=1', 'https://bakery.com/menu?day=1'],
  ['http://bakery.com/x', 'http://bakery.com/x', 'http://bakery.com/x'],
  ['HTTPS://WWW.Bakery.com', 'https://www.bakery.com/', 'https://www.bakery.com/'],
  ['bakery.com.', 'bakery.com', 'https://bakery.com/'],
  ['bakery.com:8080', 'bakery.com:8080', 'https://bakery.com:8080/'],
  ['bäckerei.de', 'xn--bckerei-5wa.de', 'https://xn--bckerei-5wa.de/'],
  ['127.0.0.1:3003', '127.0.0.1:3003', 'https://127.0.0.1:3003/'],
  ['http://localhost', 'http://localhost/', 'http://localhost/'],
])('%s is a website', (text, website, url) => {
  expect(parseWebsite(text)).toMatchObject({ website, url })
})

test.each([
  ['', /such as bakery\.com/],
  ['none', /this is not one/],
  ['N/A', /this is not one/],
  ['-', /this is not one/],
  ['bakery com', /this is not one/],
  ['bakery,com', /this is not one/],
  ['http://', /this is not one/],
  ['http://a..b.com', /this is not one/],
  [`${'a'.repeat(64)}.com`, /this is not one/],
  ['anna@bakery.com', /without an e-mail address/],
  ['https://anna:secret@bakery.com', /without an e-mail address, user name or password/],
  ['ftp://bakery.com', /begins with http:\/\/ or https:\/\//],
  ['javascript:alert(1)', /begins with http/],
  ['mailto:anna@bakery.com', /begins with http/],
  [`bakery.com/${'x'.repeat(2_048)}`, /at most 2048 characters/],
])('%s is refused with advice', (text, problem) => {
  expect(parseWebsite(text)).toEqual({ problem: expect.stringMatching(problem) })
})

test('what was understood once is understood the same again, and any text gets an answer', () => {
  assert(
    property(oneof(webUrl(), domain(), string()), (text) => {
      const parsed = parseWebsite(text)
      if (!('problem' in parsed)) expect(parseWebsite(parsed.website)).toEqual(parsed)
    }),
    { numRuns: 1_000 },
  )
})

const keysOf = (website: string | null, placeId: string | null = null) => businessKeys({ website, placeId })

const place = { kind: 'place', value: 'place-1' }

test.each([
  ['https://www.bakery.com/menu', 'bakery.com'],
  ['shop.bakery.co.uk', 'bakery.co.uk'],
  ['BÄCKEREI.de.', 'xn--bckerei-5wa.de'],
  ['bakery.com:8080', 'bakery.com'],
  ['annas-bakery.wixsite.com/home', 'annas-bakery.wixsite.com'],
  ['annas-bakery.github.io', 'annas-bakery.github.io'],
  ['07-weebly-salon.test', '07-weebly-salon.test'],
  ['http://127.0.0.1:3003/', '127.0.0.1:3003'],
  ['[::1]:3003', '[::1]:3003'],
  ['http://intranet/', 'intranet'],
])('%s belongs to the business of %s', (website, value) => {
  expect(keysOf(website, 'place-1')).toEqual([{ kind: 'domain', value }, place])
})

test('where there is no website of its own, a business is told by its place', () => {
  expect(keysOf(null, 'place-1')).toEqual([place])
  expect(keysOf('not a website', 'place-1')).toEqual([place])
  expect(keysOf('https://www.facebook.com/annasbakery', 'place-1')).toEqual([place])
  expect(keysOf('https://www.facebook.com/annasbakery')).toEqual([])
  expect(keysOf(null)).toEqual([])
})

test('one business has one key, however its website is written', () => {
  const scheme = constantFrom('', 'http://', 'https://', 'HTTPS://')
  const name = constantFrom('', 'www.', 'shop.', 'WWW.')
  const path = constantFrom('', '/', '/menu?x=1', '/#contact')
  assert(
    property(tuple(scheme, name, path), ([before, sub, after]) => {
      expect(keysOf(`${before}${sub}Bakery.co.uk${after}`)).toEqual([{ kind: 'domain', value: 'bakery.co.uk' }])
    }),
  )
})

test.each([
  'yelp.com',
  'm.yelp.co.uk',
  'yelp.de',
  'https://www.facebook.com/bakery',
  'de.tripadvisor.ch',
  'linkedin.com',
])('%s is a directory', (website) => expect(isDirectory(website)).toBe(true))

test.each([
  'bakery.com',
  'notyelp.com',
  'yelp.bakery',
  'facebook-marketing.com',
  'netflix.com',
  'intranet',
  '127.0.0.1',
])('%s is not a directory', (website) => expect(isDirectory(website)).toBe(false))

test('every entry of the directory list is found by itself and under it', () => {
  const entries = [...directoryBrands.map((brand) => `${brand}.com`), ...directoryDomains]
  expect(entries.length).toBeGreaterThan(200)
  expect(new Set(entries).size).toBe(entries.length)
  expect(entries.filter((entry) => !isDirectory(entry) || !isDirectory(`www.${entry}`))).toEqual([])
})

test('an exclusion covers a domain with everything under it, and nothing beside it', () => {
  expect(exclusionOf(['bakery.com'])('https://shop.bakery.com/x')).toBe(true)
  expect(exclusionOf(['https://www.Bakery.com/about'])('bakery.com')).toBe(true)
  expect(exclusionOf(['*.bakery.com'])('www.bakery.com')).toBe(true)
  expect(exclusionOf(['shop.bakery.com'])('bakery.com')).toBe(false)
  expect(exclusionOf(['bakery.com'])('notbakery.com')).toBe(false)
  expect(exclusionOf(['', 'nonsense', '*.'])('bakery.com')).toBe(false)
  expect(exclusionOf(['not a website'])('not a website')).toBe(false)
})

test('the home page of a site is its root, whatever page of it a search shows', () => {
  expect(homePageOf('https://www.bakery.com/blog/2019/cake?utm=x#top')).toBe('https://www.bakery.com/')
  expect(homePageOf('bakery.com/about')).toBe('bakery.com')
  expect(homePageOf('http://127.0.0.1:8080/x')).toBe('http://127.0.0.1:8080/')
  expect(homePageOf('not a website')).toBe('not a website')
})
