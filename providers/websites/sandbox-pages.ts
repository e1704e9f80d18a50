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
  hasBookingLink: boolean
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
    email: email < 0.4 ? 'link' : email < 0.65 ? 'text' : email < 0.8 ? 'contact page' : 'none',
    phone: phone < 0.5 ? 'link' : phone < 0.85 ? 'text' : 'none',
    hasContactLink: chance('contact') < 0.8,
    hasBookingLink: chance('booking') < 0.25,
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
  ]
  const body = [
    `<nav><a href="/">Home</a>${traits.hasContactLink ? ' <a href="/contact">Contact</a>' : ''}</nav>`,
    `<h1>Welcome to ${name}</h1>`,
    `<p>${pick(sentences, `${host}/opening`)}</p>`,
    traits.hasBookingLink ? '<p><a class="button" href="/book">Book an appointment</a></p>' : '',
    `<footer>${contactDetails(host, traits)} <small>&copy; ${traits.copyrightYear} ${name}</small></footer>`,
  ]
  return padded(document(head, body), minimumBytes)
}

export function contactPage(host: string): string {
  const traits = traitsOf(host)
  const email = traits.email === 'none' ? '' : `<p><a href="mailto:${emailOf(host)}">${emailOf(host)}</a></p>`
  const title = `<title>Contact | ${businessName(host)}</title>`
  return document(['<meta charset="utf-8">', title], ['<h1>Contact</h1>', email, `<p>${phoneOf(host)}</p>`])
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

function emailOf(host: string): string {
  return `${pick(['hello', 'info', 'office', 'contact'], `${host}/mailbox`)}@${host}`
}

/** In the range 555-0100 to 555-0199, which belongs to nobody. */
function phoneOf(host: string): string {
  const areaCode = pick(['205', '212', '303', '312', '404', '415', '512', '602', '617', '702'], `${host}/area`)
  return `(${areaCode}) 555-01${String(Math.floor(draw(`${host}/number`) * 100)).padStart(2, '0')}`
}

/** `bright-dental-austin.test` is Bright Dental Austin. */
function businessName(host: string): string {
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
