import { expect, test } from 'vitest'
import { analysePage } from '../../../activities/analysis/page.ts'

const url = 'https://bakery.test/'
const analyse = (html: string, country?: string) => analysePage({ url, html }, country)

test('a page is told from its head: title, viewport, HTTPS', () => {
  const html =
    '<title>\n Anna&rsquo;s &amp; Co\n bakery </title><meta name=Viewport content="width=device-width, initial-scale=1">'
  expect(analyse(html)).toMatchObject({ title: 'Anna’s & Co bakery', viewport: true, https: true })
  expect(analysePage({ url: 'http://bakery.test/', html: '' })).toEqual({
    title: null,
    https: false,
    viewport: false,
    emails: [],
    phones: [],
    cms: null,
    tracking: [],
    booking: [],
    socials: [],
    copyrightYear: null,
    language: null,
    evidence: [],
  })
})

test.each([
  ['<p>© 2024 Anna', 2024],
  ['<p>Copyright &copy; 2009-2021 Anna', 2021],
  ['<p>2023 © Anna', 2023],
  ['<p>(c) Anna, 2019', 2019],
  ['<p>© 2018 A picture</p><footer>© 2020 Anna', 2020],
  ['<p>Founded in 1999. All about our copyright', null],
  ['<script>document.write("© " + 2020)</script>', null],
])('%s is the copyright of %s', (html, year) => {
  expect(analyse(html).copyrightYear).toBe(year)
})

test.each([
  ['<html lang="de-at">', 'de-AT'],
  ['<html lang="pt_BR">', 'pt-BR'],
  ['<html><meta property="og:locale" content="fr_FR">', 'fr-FR'],
  ['<html lang="{{ locale }}"><meta property="og:locale" content="it_IT">', 'it-IT'],
  ['<html lang="">', null],
])('%s is in %s', (html, language) => {
  expect(analyse(html).language).toBe(language)
})

test('a viewport as wide as a desktop is none for a phone', () => {
  expect(analyse('<meta name="viewport" content="width=1024">').viewport).toBe(false)
})

test('a picture’s title is not the page’s', () => {
  expect(analyse('<svg><title>Logo</title></svg><title>Bakery</title>').title).toBe('Bakery')
  expect(analyse('<svg><title>Logo</title></svg>').title).toBeNull()
})

test.each([
  ['a link', '<a href="MAILTO:Info@Bakery.com?subject=Bread">write</a>', ['info@bakery.com']],
  ['an encoded link', '<a href="mailto:%69nfo%40bakery.com">write</a>', ['info@bakery.com']],
  ['a link to two', '<a href="mailto:a@bakery.com,b@bakery.com">write</a>', ['a@bakery.com', 'b@bakery.com']],
  ['text', '<p>Write to <b>info@</b>bakery.co.uk.</p>', ['info@bakery.co.uk']],
  ['entities', '<p>&#105;nfo&#64;bakery&period;com', ['info@bakery.com']],
  ['invisible breaks', '<p>info@<wbr>bak\u200bery&shy;.com', ['info@bakery.com']],
  ['a simple disguise', '<p>info [at] bakery [dot] com', ['info@bakery.com']],
  ['another', '<p>Mail: info(at)bakery.com!', ['info@bakery.com']],
  [
    'Cloudflare’s disguise',
    '<a class=x data-cfemail="422b2c242d0220232927303b6c212d2f">[email]</a>',
    ['info@bakery.com'],
  ],
  ['two lines', '<td>info@bakery.com</td><td>jobs@bakery.com</td>', ['info@bakery.com', 'jobs@bakery.com']],
  ['the same twice', '<a href="mailto:info@bakery.com">INFO@BAKERY.COM</a>', ['info@bakery.com']],
])('an e-mail address is found in %s', (_name, html, emails) => {
  expect(analyse(html).emails).toEqual(emails)
})

test.each([
  ['in a script', '<script>var to = "dev@library.com"</script>'],
  ['in a style', '<style>/* font by maker@fonts.com */</style>'],
  ['in a comment', '<!-- written by maker@agency.com -->'],
  ['in a form’s hint', '<input placeholder="me@work.com"><textarea>me@work.com</textarea>'],
  ['of a placeholder', '<p>user@domain.com name@example.com you@yourcompany.com your-email@gmail.com'],
  ['that is a file', '<p>logo@2x.png sprite@3x.min.js'],
  ['that is a version', '<p>react@18.2.0 swup@latest'],
  ['of an error collector', '<p>0123456789abcdef0123456789abcdef@o12.ingest.sentry.io'],
  ['that a line break cuts off', '<p>info@bakery-<br>house.com'],
  ['of who built the site', '<p>© Website by <a href="mailto:hi@agency.com">Agency</a>'],
  ['of who built it, as text', '<p>Designed and developed by Agency: hi@agency.com'],
  ['that shares a page', '<a href="mailto:?body=look@this.com">share</a>'],
])('an address %s is not the business’s', (_name, html) => {
  expect(analyse(html).emails).toEqual([])
})

test('a site’s maker at its own domain is the business itself', () => {
  const page = { url: 'https://www.agency.com/', html: '<p>Designed by us, hi@agency.com' }
  expect(analysePage(page).emails).toEqual(['hi@agency.com'])
})

test.each([
  ['as a link', '<a href="tel:+1-212-555-0123">call</a>', 'US', ['+12125550123']],
  ['as a link without its plus', '<a href="tel:442079460123">call</a>', undefined, ['+442079460123']],
  ['as a WhatsApp link', '<a href="https://wa.me/442079460123?text=hi">chat</a>', undefined, ['+442079460123']],
  ['as text', '<p>Call <span>(212)</span> <span>555.0123</span>', 'US', ['+12125550123']],
  ['in the manner of its country', '<p>Tel: 020 7946 0123', 'GB', ['+442079460123']],
  ['with a plus, wherever', '<p>+49 30 901820', 'US', ['+4930901820']],
  ['two in a line', '<p>01 42 33 58 94 / 06 12 34 56 78', 'FR', ['+33142335894', '+33612345678']],
  ['twice', '<p>212-555-0123</p><a href="tel:2125550123">212 555 0123</a>', 'US', ['+12125550123']],
  ['in order', '<p>212-555-0199 or <a href="tel:2125550123">this</a>', 'US', ['+12125550199', '+12125550123']],
  ['after a fax', '<p>Fax: 212-555-0100<br>Phone: 212-555-0123', 'US', ['+12125550123']],
  ['after a menu', '<li>My account</li><li>212-555-0123</li>', 'US', ['+12125550123']],
  ['to order at', '<p>To order: 212-555-0123', 'US', ['+12125550123']],
  ['that is a fax as well', '<p>Tel/Fax: 212-555-0123', 'US', ['+12125550123']],
])('a number is found %s', (_name, html, country, phones) => {
  expect(analyse(html, country).phones).toEqual(phones)
})

test.each([
  ['the page’s language', '<html lang="de-AT"><p>Tel. 01 5131234', '+4315131234'],
  ['an e-mail’s country', '<html lang=en-US><p>info@bakery.co.uk<p>020 7946 0123', '+442079460123'],
  ['its North American shape', '<p>(212) 555-0123', '+12125550123'],
])('where nobody says the country, %s does', (_name, html, phone) => {
  expect(analyse(html).phones).toEqual([phone])
})

test('where a business was looked for counts first, its site’s own domain next', () => {
  const page = { url: 'https://baeckerei.de/', html: '<p>Tel. 01522 5671429' }
  expect(analysePage(page, 'US').phones).toEqual(['+4915225671429'])
})

test.each([
  ['years', '<p>2009 2010 2011 2012 - 2013'],
  ['dates', '<p>Updated 2024-10-12 10:30, 12/10/2024'],
  ['a place', '<p>40.7127281, -74.0060152'],
  ['a machine', '<p>192.168.100.200'],
  ['money', '<p>$2125550123 or 212 555 0123 €'],
  ['a fax alone', '<table><tr><td>Fax</td><td>212-555-0123</td></tr></table><a href="tel:212">x</a>'],
  ['a company’s number', '<p>ABN 51 824 753 556, VAT No. 212 555 0123, Order no. 2125550123'],
  ['part of a word', '<p>SKU2125550123 A-#2125550123 2125550123_x'],
  ['a template', '<p>123-456-7890 000-000-0000 <a href="tel:+11111111111">x</a>'],
  ['a script', '<script>call("212-555-0123")</script>'],
])('%s is not a telephone number', (_name, html) => {
  expect(analyse(html, 'US').phones).toEqual([])
})

test('an unknown country is no country', () => {
  expect(analyse('<p>+1 212 555 0123', 'XX').phones).toEqual(['+12125550123'])
})
