import { expect, test } from 'vitest'
import { parseRobots } from '../../../providers/websites/robots.ts'

const allows = (text: string, path: string, agent = 'ThroughlineBot') =>
  parseRobots(text, agent).allows(new URL(path, 'https://bakery.test'))

test.each([
  ['nothing', '', '/', true],
  ['everything', 'User-agent: *\nDisallow: /', '/', false],
  ['an empty rule', 'User-agent: *\nDisallow:', '/a', true],
  ['a rule for us', 'User-agent: ThroughlineBot/0.1\nDisallow: /a', '/a/b', false],
  ['a rule for us, in small letters', 'user-agent: throughlinebot\r\ndisallow: /', '/', false],
  ['a rule for another', 'User-agent: Googlebot\nDisallow: /', '/', true],
  [
    'our own rules before everyone’s',
    'User-agent: *\nDisallow: /\n\nUser-agent: ThroughlineBot\nDisallow: /a',
    '/',
    true,
  ],
  ['no rules of our own', 'User-agent: *\nDisallow: /\n\nUser-agent: ThroughlineBot\nSitemap: x', '/', true],
  ['a group of two', 'User-agent: Googlebot\nUser-agent: ThroughlineBot\nDisallow: /', '/', false],
  [
    'two groups for us',
    'User-agent: ThroughlineBot\nDisallow: /a\nUser-agent: x\nDisallow: /\nUser-agent: ThroughlineBot\nDisallow: /b',
    '/b',
    false,
  ],
  ['other lines in a group', 'User-agent: *\nCrawl-delay: 5\nDisallow: /', '/', false],
  ['comments', '# all\nUser-agent: * # you too\nDisallow: /a # not here', '/a', false],
  ['a rule before any group', 'Disallow: /\nUser-agent: *\nDisallow: /b', '/a', true],
  ['the longer rule', 'User-agent: *\nDisallow: /a\nAllow: /a/b', '/a/b/c', true],
  ['the longer rule, forbidding', 'User-agent: *\nAllow: /a\nDisallow: /a/b', '/a/b/c', false],
  ['two rules alike', 'User-agent: *\nDisallow: /a\nAllow: /a', '/a', true],
  ['a star', 'User-agent: *\nDisallow: /*.php', '/shop/cart.php?x=1', false],
  ['a star in the middle', 'User-agent: *\nDisallow: /a/*/c', '/a/b/b/c', false],
  ['an end', 'User-agent: *\nDisallow: /*.php$', '/cart.php?x=1', true],
  ['an end that is there', 'User-agent: *\nDisallow: /*.php$', '/a.php/b.php', false],
  ['the home page alone', 'User-agent: *\nDisallow: /\nAllow: /$', '/', true],
  ['a query', 'User-agent: *\nDisallow: /*?', '/a?b', false],
  ['letters beyond ASCII', 'User-agent: *\nDisallow: /über', '/%C3%BCber-uns', false],
  ['needless encoding', 'User-agent: *\nDisallow: /%61b', '/ab', false],
  ['robots.txt itself', 'User-agent: *\nDisallow: /', '/robots.txt', true],
  ['another’s page', '<!doctype html><p>User-agent: *\nDisallow: /</p>', '/', true],
])('%s is understood', (_name, text, path, allowed) => {
  expect(allows(text, path)).toBe(allowed)
})

test('no pattern is slow', () => {
  const path = `/${'a'.repeat(2_000)}`
  expect(allows(`User-agent: *\nDisallow: /${'*a'.repeat(900)}*b`, path)).toBe(true)
  expect(allows(`User-agent: *\n${'Disallow: /*a*a*a*b\n'.repeat(20_000)}`, path)).toBe(true)
})
