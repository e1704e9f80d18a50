import { expect, test } from 'vitest'
import { contactPages } from '../../../activities/analysis/further-pages.ts'
import { analyseSite } from '../../../activities/analysis/site.ts'

const page = (path: string, html: string, responseMs = 9) => ({ url: `https://bakery.test${path}`, html, responseMs })

test('a site is its home page, and what the others add to it', () => {
  const site = analyseSite([
    page(
      '/',
      '<html lang="en"><title>Bakery</title><p>info@bakery.com</p><p>© 2019</p><a href="https://x.com/anna">x</a>',
      40,
    ),
    page(
      '/contact',
      '<html lang="de"><title>Contact</title><meta name="generator" content="WordPress 6.8"><p>jobs@bakery.com, info@bakery.com</p>' +
        '<a href="https://www.x.com/anna/">x</a><a href="https://calendly.com/anna">Book</a>',
    ),
    page(
      '/about',
      '<meta name="generator" content="Joomla!"><p>© 2021</p><script>fbq("init", "638588492963657")</script>',
    ),
  ])
  expect(site).toEqual({
    title: 'Bakery',
    https: true,
    viewport: false,
    emails: ['info@bakery.com', 'jobs@bakery.com'],
    phones: [],
    cms: 'wordpress',
    tracking: ['fb_pixel'],
    booking: ['calendly'],
    socials: [{ network: 'x.com', url: 'https://x.com/anna' }],
    copyrightYear: 2021,
    language: 'en',
    evidence: [
      { name: 'wordpress', quote: '<meta name="generator" content="WordPress 6.8">' },
      { name: 'fb_pixel', quote: 'fbq("init", "638588492963657' },
      { name: 'calendly', quote: '<a href="https://calendly.com/anna">' },
    ],
    responseMs: 40,
    pages: ['https://bakery.test/', 'https://bakery.test/contact', 'https://bakery.test/about'],
  })
})

test('what the home page is made with counts before what others are', () => {
  const generator = (name: string) => `<meta name="generator" content="${name}">`
  expect(analyseSite([page('/', generator('Drupal 10')), page('/blog', generator('WordPress 6'))]).cms).toBe('drupal')
})

const choose = (html: string, path = '/') =>
  contactPages(page(path, html)).map((url) => url.replace('https://bakery.test', ''))

test.each([
  ['<a href="/contact">Write</a>', '/contact'],
  ['<a href="/contact-us.html">Write</a>', '/contact-us.html'],
  ['<a href="/pages/contact/index.php">Write</a>', '/pages/contact/index.php'],
  ['<a href="/p?id=7"> Contact <b>us</b> </a>', '/p?id=7'],
  ['<a href="https://www.bakery.test/kontakt/#form">Schreiben</a>', '/kontakt/'],
  ['<nav><a href="/a">Home</a> <a href="/b">Kontakt</a> <a href="/c">Shop</a></nav>', '/b'],
  ['<a href="/x">Über uns</a>', '/x'],
  ['<a href="/x">À propos</a>', '/x'],
  ['<a href="/%C3%BCber-uns">Wir</a>', '/%C3%BCber-uns'],
  ['<a href="/x">Quiénes somos</a>', '/x'],
  ['<a href="/x">Chi siamo</a>', '/x'],
  ['<a href="/x">Contáctenos</a>', '/x'],
  ['<a href="/impressum">Impressum</a>', '/impressum'],
])('%s leads on', (html, place) => {
  expect(choose(html)).toEqual([place])
})

test.each([
  '<a href="/contact-lenses">Contact lenses</a>',
  '<a href="/shop">Contact us about our new shop and everything in it</a>',
  '<a href="https://butcher.test/contact">Contact</a>',
  '<a href="https://shop.bakery.test/contact">Contact</a>',
  '<a href="#contact">Contact</a>',
  '<a href="/">About us</a>',
  '<a href="mailto:contact@bakery.com">Contact</a>',
  '<a href="tel:+1">Contact</a>',
  '<p>Contact, about us</p>',
])('%s does not', (html) => {
  expect(choose(html)).toEqual([])
})

test('two pages are chosen at most: how to reach a business, then who it is', () => {
  const links = ['about', 'impressum', 'kontakt', 'contact', 'team'].map((name) => `<li><a href="/${name}">x</a></li>`)
  expect(choose(links.join(''))).toEqual(['/kontakt', '/about'])
  expect(choose('<a href="/contact">Contact</a> <a href="/contact">About</a>')).toEqual(['/contact'])
})
