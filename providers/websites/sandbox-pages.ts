import { createHash } from 'node:crypto'

/** What is special about a business's site. It follows from the host name, so a host never changes. */
interface Traits {
  movesToHttps: boolean
  movesToWww: boolean
  hasTitle: boolean
  hasViewport: boolean
  email: 'link' | 'text' | 'contact page' | 'none'
  phone: 'link' | 'text' | 'none'
  hasContactLink: boolean
  hasAboutLink: boolean
  /** A link to a page that is not there: such a site takes no bookings. */
  hasBookingLink: boolean
  hasProfile: boolean
  /** What it is made with, is counted by and is booked through: markup, empty where there is none. */
  cms: string
  tracking: string
  booking: string
  bookingPage: 'home' | 'contact' | 'about'
  copyrightYear: number
}

export function traitsOf(host: string): Traits {
  const chance = (trait: string) => draw(`${host}/${trait}`)
  const email = chance('email')
  const phone = chance('phone')
  return {
    movesToHttps: chance('https') < 0.04,
    movesToWww: chance('www') < 0.12,
    hasTitle: chance('title') < 0.96,
    hasViewport: chance('viewport') < 0.72,
    email:
      email < 0.4 || mailWord(host) !== undefined
        ? 'link'
        : email < 0.65
          ? 'text'
          : email < 0.8
            ? 'contact page'
            : 'none',
    phone: phone < 0.5 ? 'link' : phone < 0.85 ? 'text' : 'none',
    hasContactLink: chance('contact') < 0.8,
    hasAboutLink: chance('about') < 0.6,
    hasBookingLink: chance('booking') < 0.25,
    hasProfile: chance('profile') < 0.5,
    cms: chance('made') < 0.7 ? pick(systems, `${host}/cms`) : '',
    tracking: chance('tracked') < 0.6 ? pick(trackers, `${host}/tracker`) : '',
    booking: chance('booked') < 0.3 ? pick(bookings, `${host}/booker`)(account(host)) : '',
    bookingPage: pick(['home', 'contact', 'about'], `${host}/booking page`),
    copyrightYear: 2012 + Math.floor(chance('year') * 15),
  }
}

/** The home page, padded with text to `minimumBytes`. */
export function homePage(host: string, minimumBytes: number): string {
  const traits = traitsOf(host)
  const name = businessName(host)
  const head = [
    '<meta charset="utf-8">',
    traits.hasTitle ? `<title>${name}</title>` : '',
    traits.hasViewport ? '<meta name="viewport" content="width=device-width, initial-scale=1">' : '',
    `<meta name="description" content="${name}: friendly, local, since ${traits.copyrightYear - 9}.">`,
    traits.cms,
    traits.tracking,
  ]
  const body = [
    menu(traits),
    `<h1>Welcome to ${name}</h1>`,
    `<p>${pick(sentences, `${host}/opening`)}</p>`,
    traits.hasBookingLink ? '<p><a class="button" href="/book">Book an appointment</a></p>' : '',
    bookingOn('home', traits),
    traits.hasProfile ? `<p><a href="https://www.facebook.com/${account(host)}">Follow us</a></p>` : '',
    `<footer>${contactDetails(host, traits)} <small>&copy; ${traits.copyrightYear} ${name}</small></footer>`,
  ]
  return padded(document(head, body), minimumBytes)
}

export function contactPage(host: string): string {
  const traits = traitsOf(host)
  const email = traits.email === 'none' ? '' : `<p><a href="mailto:${emailOf(host)}">${emailOf(host)}</a></p>`
  const title = `<title>Contact | ${businessName(host)}</title>`
  const body = [menu(traits), '<h1>Contact</h1>', email, `<p>${phoneOf(host)}</p>`, bookingOn('contact', traits)]
  return document(['<meta charset="utf-8">', title, traits.cms, traits.tracking], body)
}

export function aboutPage(host: string): string {
  const traits = traitsOf(host)
  const title = `<title>About | ${businessName(host)}</title>`
  const body = [
    menu(traits),
    '<h1>About us</h1>',
    `<p>${pick(sentences, `${host}/about us`)}</p>`,
    bookingOn('about', traits),
  ]
  return document(['<meta charset="utf-8">', title, traits.cms, traits.tracking], body)
}

/** What products put on the pages that are made with them: WordPress, Wix, Squarespace, Shopify. */
const systems = [
  '<meta name="generator" content="WordPress 6.8.1"><link rel="https://api.w.org/" href="/wp-json/">',
  '<meta name="generator" content="Wix.com Website Builder"><script type="application/json" id="wix-viewer-model">{}</script>',
  '<script data-name="static-context">Static = {}; Static.SQUARESPACE_CONTEXT = {"siteId":"1"};</script>',
  '<script>var Shopify = Shopify || {}; Shopify.shop = "local.myshopify.com";</script>',
]

/** Google Analytics, Google Tag Manager, Facebook Pixel. */
const trackers = [
  "<script>window.dataLayer = []; function gtag(){dataLayer.push(arguments)} gtag('config', 'G-5ANDB0X1AB');</script>",
  '<noscript><iframe src="https://www.googletagmanager.com/ns.html?id=GTM-SB0X123"></iframe></noscript>',
  "<script>fbq('init', '638588492963657'); fbq('track', 'PageView');</script>",
]

const bookings = [
  (of: string) => `<div class="calendly-inline-widget" data-url="https://calendly.com/${of}/visit"></div>`,
  (of: string) => `<a href="https://${of}.setmore.com/">Book with Setmore</a>`,
  (of: string) => `<a href="https://www.vagaro.com/${of}/book-now">Book on Vagaro</a>`,
]

function bookingOn(page: Traits['bookingPage'], { booking, bookingPage }: Traits): string {
  return bookingPage === page ? booking : ''
}

function menu({ hasContactLink, hasAboutLink }: Traits): string {
  const contact = hasContactLink ? ' <a href="/contact">Contact</a>' : ''
  return `<nav><a href="/">Home</a>${contact}${hasAboutLink ? ' <a href="/about">About us</a>' : ''}</nav>`
}

function account(host: string): string {
  return host.replace(/\.test$/, '').replaceAll('.', '-')
}

function contactDetails(host: string, traits: Traits): string {
  const email = {
    link: `<a href="mailto:${emailOf(host)}">Write to us</a>`,
    text: `E-mail: ${emailOf(host)}`,
    'contact page': '',
    none: '',
  }[traits.email]
  const phone = {
    link: `<a href="tel:+1${phoneOf(host).replace(/\D/g, '')}">${phoneOf(host)}</a>`,
    text: `Call ${phoneOf(host)}`,
    none: '',
  }[traits.phone]
  return [email, phone].filter((detail) => detail !== '').join(' | ')
}

export function emailOf(host: string): string {
  const word = mailWord(host)
  return `${word === undefined ? '' : `${word}+`}${pick(['hello', 'info', 'office', 'contact'], `${host}/mailbox`)}@${host}`
}

/** Of `bounce-bakery.test`: by it the sandbox of the mail provider knows what comes of a message to such an address. */
function mailWord(host: string): string | undefined {
  return /^(?:www\.)?(bounce|soft-bounce|complaint|open|click|reply|autoreply|delay|silent)-/.exec(host)?.[1]
}

/** In the range 555-0100 to 555-0199, which belongs to nobody. */
export function phoneOf(host: string): string {
  const areaCode = pick(['205', '212', '303', '312', '404', '415', '512', '602', '617', '702'], `${host}/area`)
  return `(${areaCode}) 555-01${String(Math.floor(draw(`${host}/number`) * 100)).padStart(2, '0')}`
}

/** `bright-dental-austin.test` is Bright Dental Austin. */
export function businessName(host: string): string {
  const label = host.replace(/\.test$/, '')
  return label.replaceAll(/[-.]+/g, ' ').replace(/(^| )\p{Ll}/gu, (letter) => letter.toUpperCase())
}

const sentences = [
  'We have looked after our neighbours for years, and we would love to meet you.',
  'Open six days a week, with early and late hours for people who work.',
  'Ask us anything: the first consultation costs nothing.',
  'Family owned, fully insured, and rated by hundreds of happy customers.',
  'Fair prices, told before we begin, and no surprises afterwards.',
]

function document(head: string[], body: string[]): string {
  return `<!doctype html>\n<html lang="en">\n<head>\n${lines(head)}\n</head>\n<body>\n${lines(body)}\n</body>\n</html>\n`
}

const lines = (parts: string[]) => parts.filter((part) => part !== '').join('\n')

/** Text, not a comment, so that a padded page costs its reader what a real one of the size would. */
function padded(page: string, minimumBytes: number): string {
  const missing = minimumBytes - Buffer.byteLength(page)
  if (missing <= 0) return page
  const paragraph = `<div class="text"><p>${sentences.join(' ')}</p></div>\n`
  const padding = paragraph.repeat(Math.floor(missing / paragraph.length)) + ' '.repeat(missing % paragraph.length)
  return page.replace('<footer>', () => `${padding}<footer>`)
}

/** A number from 0 up to 1 that depends on the seed alone. */
function draw(seed: string): number {
  return createHash('sha256').update(seed).digest().readUInt32BE(0) / 2 ** 32
}

function pick<Item>(items: readonly Item[], seed: string): Item {
  const item = items[Math.floor(draw(seed) * items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}
