import { assert, constantFrom, property, array as sequence, string } from 'fast-check'
import { expect, test } from 'vitest'
import { analysePage } from '../../../activities/analysis/page.ts'

const url = 'https://bakery.test/'
const size = 2_000_000
const fill = (piece: string) => piece.repeat(size / piece.length)
const numbered = (piece: (index: number) => string) =>
  Array.from({ length: 50_000 }, (_, index) => piece(index)).join('')

/** Each would take minutes where work grows with the square of the page; all of them together take seconds here. */
const hostile: Record<string, string> = {
  'at signs': fill('@'),
  'at signs with letters': fill('a@'),
  'long local parts': fill(`${'a'.repeat(63)} @`),
  'endless domains': fill('x@a.a.a.a.a.a.a.a.a.a.a.a '),
  dashes: fill(`x@${'a-'.repeat(30)} `),
  brackets: fill(' [at] ('),
  digits: fill('5'),
  'digits and dots': fill('1....'),
  'digits and signs': fill('(+1 '),
  'one number over and over': fill('212-555-0123 '),
  'many numbers': numbered((index) => `<p>212-555-${index}`),
  'many links to call': numbered((index) => `<a href=tel:21255${index}>`),
  'many links to write to': numbered((index) => `<a href=mailto:a${index}@bakery.zz>`),
  'nested tags': fill('<b>'),
  'nested tags, closed by others': `${fill('<b>')}${fill('</i>')}`,
  'nested pictures': fill('<svg>'),
  'opened brackets': fill('<'),
  'opened comments': fill('<!--'),
  'a comment without end': `<!--${fill('-')}`,
  'a script without end': `<script>${fill('</scrip')}`,
  'a link without end': `<a href="${fill('x')}`,
  attributes: `<a ${numbered((index) => `a${index} `)}>`,
  entities: fill('&amp;'),
  ampersands: fill('&'),
  spaces: `1${fill(' ')}`,
  'links to a vendor': fill('<a href="https://anna.square.site">a</a> '),
  'links to share': fill('<a href="https://api.whatsapp.com/send?a&a&a&a&a&a&a&a&a&a">a</a>'),
  'buttons with code': fill('<b onclick="//calendly.com/about">'),
  'small scripts': fill('<script>gtag("config","G-XXXXXXXX")</script>'),
  'a script of slashes': `<script>${fill('/')}</script>`,
  'a script of names': `<script>${fill('//a.a.a.as.me')}</script>`,
  'a script of ids, commented out': `<script>/*${fill('"UA-84810264-1"')}</script>`,
  'a script of almost calls': `<script>${fill("fbq('init','12345")}</script>`,
  'a link upwards': `<a href="${fill('../')}">`,
  'a link of ampersands': `<a href="https://api.whatsapp.com/send?${fill('&')}">`,
  'copyright signs': fill('&copy;'),
}

test.each(Object.entries(hostile))('2 MB of %s are read to their end', (_name, html) => {
  const { title, emails, phones } = analysePage({ url, html }, 'US')
  expect(title).toBeNull()
  expect(emails.length).toBeLessThanOrEqual(50)
  expect(phones.length).toBeLessThanOrEqual(20)
})

test('whatever a page holds, what is found has the form that is promised', () => {
  const piece = constantFrom(
    '<a href="',
    'mailto:',
    'tel:',
    '">',
    '<',
    '>',
    '&',
    ';',
    '@',
    '.com',
    '+1',
    '212',
    ' ',
    '-',
    '[at]',
    '%',
    '#',
  )
  const html = sequence(
    string({ maxLength: 8 }).chain((text) => piece.map((between) => text + between)),
    { maxLength: 60 },
  )
  assert(
    property(html, (pieces) => {
      const { emails, phones } = analysePage({ url, html: pieces.join('') }, 'US')
      for (const email of emails) expect(email).toMatch(/^[^\s@A-Z]+@[^\s@A-Z]+\.[a-z]+$/)
      for (const phone of phones) expect(phone).toMatch(/^\+[1-9]\d{6,14}$/)
    }),
    { numRuns: 500 },
  )
})
