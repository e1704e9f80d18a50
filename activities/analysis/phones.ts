import {
  type CountryCode,
  findPhoneNumbersInText,
  type PhoneNumber,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/max'
import { type LikelyCountries, supported } from './countries.ts'
import type { PageContent, PageLink } from './page-content.ts'

/** More numbers than any business lists, and more attempts than any honest page needs: an attempt costs some 20 µs. */
const mostPhones = 20
const mostAttempts = 300

/**
 * The telephone numbers a page offers, in E.164, in order of appearance: from links and from visible text, read as the first of
 * the likely countries in which they are valid. Faxes are left out, and so are numbers that are said to be something else.
 */
export function findPhones({ passages }: PageContent, likely: LikelyCountries): string[] {
  const found = new Set<string>()
  const tried = new Set<string>()
  let previous = ''
  for (const { text, links } of passages) {
    const candidates = [...linkedNumbers(links), ...writtenNumbers(text)].sort((a, b) => a.at - b.at)
    for (const candidate of candidates) {
      if (found.size >= mostPhones || tried.size >= mostAttempts) return [...found]
      const label = labelAt(text, candidate.at, previous)
      const key = `${label} ${candidate.written}`
      if (label === 'fax' || (label === 'other' && !candidate.linked) || tried.has(key)) continue
      tried.add(key)
      const numbers = candidate.linked
        ? parseLinked(candidate.written, likely)
        : parseWritten(candidate.written, likely, label)
      for (const number of numbers) if (!isPlaceholder(number)) found.add(number.number)
    }
    if (text !== '') previous = text
  }
  return [...found]
}

/** A number as a search shows it, in E.164 if it is one of the country or has its own code; else as it was written. */
export function asE164(written: string, country: string): string {
  const number = parsePhoneNumberFromString(written, supported(country))
  return number?.isValid() ? number.number : written
}

interface Candidate {
  written: string
  at: number
  linked: boolean
}

const telLink = /^\s*(?:tel|callto|sms):(?:\/\/)?([^;?,]{5,40})/i
const whatsappLink =
  /^https?:\/\/(?:wa\.me\/|(?:api|web)\.whatsapp\.com\/send\/?\?(?:[^#]{0,200}&)?phone=)(?:\+|%2b)?(\d{7,15})\b/i

function* linkedNumbers(links: readonly PageLink[]): Generator<Candidate> {
  for (const { href, at } of links) {
    const whatsapp = whatsappLink.exec(href)?.[1]
    const written = whatsapp === undefined ? telLink.exec(href)?.[1] : `+${whatsapp}`
    if (written !== undefined)
      yield { written: written.replace(/%20|%C2%A0/gi, ' ').replace(/%2b/i, '+'), at, linked: true }
  }
}

/** Digits with little between them. The two character classes share nothing, so the search never backs up. */
const digitRun = /[+(]{0,2}\d(?:[ ()./\-\u2010-\u2015\u00b7]{0,4}\d)+/g
const years = /^(?:(?:19|20)\d\d\D{1,4})+(?:19|20)\d\d$/
const date = /(?:^|[^\d.])(?:(?:19|20)\d\d([./-])\d{1,2}\1\d{1,2}|\d{1,2}([./-])\d{1,2}\2(?:19|20)\d\d)(?!\d)/
const decimal = /^\d{1,3}\.\d{4,}$/
const ipAddress = /^\d{1,3}(?:\.\d{1,3}){3}$/

function* writtenNumbers(text: string): Generator<Candidate> {
  for (const { 0: run, index } of text.matchAll(digitRun)) {
    // Two or three numbers may stand in one run; a longer one is a table of something else.
    const written = run.slice(0, 80)
    if (written.replace(/\D/g, '').length < 7 || /\d{16}/.test(written)) continue
    if (date.test(written) || years.test(written) || decimal.test(written) || ipAddress.test(written)) continue
    if (/[\p{L}\d_#=$€£@]$/u.test(text.slice(Math.max(0, index - 2), index))) continue
    if (/^(?:[\p{L}_@%]| ?[€$£%])/u.test(text.slice(index + run.length, index + run.length + 2))) continue
    yield { written, at: index, linked: false }
  }
}

type Label = 'phone' | 'fax' | 'other' | 'none'

const phoneLabel =
  /(?:^|[^\p{L}])(?:tel|t[eé]l[eé](?:ph|f)ono?e?|telefon|phones?|call|ring|mob|mobile?|cell|ph|text|sms|whats ?app|fon|m[oó]vil|handy|contact|office|t|p|m)(?:[^\p{L}\d]{0,4}(?:no|nr|number|us|now|today|at|on|or text|toll free|and fax|fax)){0,3}[^\p{L}\d]{0,4}$/iu
const faxLabel = /(?:^|[^\p{L}])(?:tele|t[eé]l[eé])?fax(?:imile)?(?:[^\p{L}\d]{0,4}(?:no|nr|number))?[^\p{L}\d]{0,4}$/iu
// Some words mean a number of another kind by themselves; "order" or "company" only with the word number.
const otherLabel =
  /(?:^|[^\p{L}])(?:(?:abn|acn|vat|tva|iva|ust-?id|hrb|siret|siren|iban|kvk|isbn|issn|ein|npi|cif|nif|cvr|gst|cnpj|sku|licen[cs]e|reg(?:istration|istered)?|id|ref(?:erence)?)(?:[^\p{L}\d]{0,4}(?:no|nr|id|code|number|n°))?|(?:company|charity|tax|order|invoice|item|model|part|case|account|acct)[^\p{L}\d]{0,4}(?:no|nr|id|code|number|n°|#))[^\p{L}\d]{0,4}$/iu

/** What the words just before a number say it is. In a table or a list, fax or phone often stands alone in the line before. */
function labelAt(text: string, at: number, previous: string): Label {
  const before = text.slice(Math.max(0, at - 40), at)
  if (phoneLabel.test(before)) return 'phone'
  if (faxLabel.test(before)) return 'fax'
  if (otherLabel.test(before)) return 'other'
  return before.trim() === '' && previous.length <= 20 && faxLabel.test(previous) ? 'fax' : 'none'
}

/** 212-555-0123 in all its spellings. */
const northAmerican = /^\(?[2-9]\d\d\)?[ ./\-\u2010-\u2015]{0,3}\d{3}[ .\-\u2010-\u2015]?\d{4}$/

// Hardly anyone but North America groups like this, so the shape says more than the page's language, which is often its
// template's. Where the business was looked for says more still.
function countriesFor(written: string, { given, hinted }: LikelyCountries): CountryCode[] {
  const first: CountryCode[] = given === undefined ? [] : [given]
  return northAmerican.test(written) ? [...first, 'US', ...hinted] : [...first, ...hinted]
}

function parseLinked(written: string, likely: LikelyCountries): PhoneNumber[] {
  const readings = countriesFor(written, likely).map((country) => parsePhoneNumberFromString(written, country))
  const number = [...readings, parseInternational(written)].find((reading) => reading?.isValid())
  return number === undefined ? [] : [number]
}

// Links often have the country code without its plus; only a number too long to be national is read so.
function parseInternational(written: string): PhoneNumber | undefined {
  const digits = written.replace(/\D/g, '').replace(/^00/, '')
  return digits.length < 11 && !written.startsWith('+') ? undefined : parsePhoneNumberFromString(`+${digits}`)
}

function parseWritten(written: string, likely: LikelyCountries, label: Label): PhoneNumber[] {
  // Bare digits are a number of something: a telephone's if a word before them says so, or if they are many.
  if (label !== 'phone' && /^\d{1,9}$/.test(written)) return []
  for (const country of [...countriesFor(written, likely), undefined]) {
    const numbers = findPhoneNumbersInText(written, country)
    if (numbers.length > 0) return numbers.map(({ number }) => number)
  }
  return []
}

/** 000 000 0000 and 123 456 7890: a template that nobody has filled in. */
function isPlaceholder({ nationalNumber }: PhoneNumber): boolean {
  return /^(\d)\1+$/.test(nationalNumber) || '01234567890'.includes(nationalNumber)
}
