import { parse } from 'tldts'
import type { PageContent, Passage } from './page-content.ts'

/** More addresses than any business lists on one page: what comes after them is a directory's, or an attack. */
const mostEmails = 50
const mostCandidates = 2_000

/**
 * The e-mail addresses a page offers to its reader, lower-cased, in order of appearance: from links, visible text and the
 * simple disguises. Those of fonts, scripts and placeholders are not offered, nor is that of whoever built the site.
 */
export function findEmails({ passages }: PageContent, pageHost: string): string[] {
  const found = new Set<string>()
  let candidates = 0
  for (const passage of passages) {
    for (const { address, before } of addressesIn(passage)) {
      candidates += 1
      if (found.size >= mostEmails || candidates > mostCandidates) return [...found]
      if (isOffered(address) && !isCredit(before, address, pageHost)) found.add(address)
    }
  }
  return [...found]
}

interface Candidate {
  address: string
  /** What the page says just before it. */
  before: string
}

function* addressesIn({ text, links }: Passage): Generator<Candidate> {
  for (const { href, at } of links) {
    const before = text.slice(Math.max(0, at - 60), at)
    for (const { address } of addressesInText(linkedText(href))) yield { address, before }
  }
  yield* addressesInText(undisguised(text))
}

/** The part of a link that may hold addresses: a mailto's recipients, or what Cloudflare hid behind its own page. */
function linkedText(href: string): string {
  const mailto = /^\s*mailto:([^?]{0,2048})/i.exec(href)?.[1]
  if (mailto !== undefined) return decodeUri(mailto)
  const hidden = /\/cdn-cgi\/l\/email-protection#([0-9a-f]{6,600})$/i.exec(href)?.[1]
  return hidden === undefined ? '' : decodeCloudflare(hidden)
}

function decodeUri(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // A stray % that encodes nothing: the address may still be there.
  }
}

/** Cloudflare's e-mail protection: the first byte is the key to the others. */
function decodeCloudflare(hex: string): string {
  const [key = 0, ...hidden] = Buffer.from(hex, 'hex')
  return Buffer.from(hidden.map((byte) => byte ^ key)).toString('utf8')
}

const disguisedAt = / ?[[({<] ?(?:at|@|ät) ?[\])}>] ?/gi
const disguisedDot = / ?[[({<] ?(?:dot|\.|punkt|punto) ?[\])}>] ?/gi

function undisguised(text: string): string {
  const opened = text.replace(disguisedAt, '@')
  return opened === text ? text : opened.replace(disguisedDot, '.')
}

const localPart = /[a-z0-9._%+'&-]{1,64}$/i
const domainPart = /^(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}(?![a-z0-9-]|\.[a-z0-9])/i

// Looks left and right of each @ within fixed bounds, so that no text makes it slow.
function* addressesInText(text: string): Generator<Candidate> {
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
    const local = localPart.exec(text.slice(Math.max(0, at - 64), at))?.[0].replace(/^[._%+'&-]+/, '')
    const domain = domainPart.exec(text.slice(at + 1, at + 254))?.[0]
    if (!local || domain === undefined) continue
    const start = at - local.length
    yield { address: `${local}@${domain}`.toLowerCase(), before: text.slice(Math.max(0, start - 60), start) }
  }
}

const placeholderDomains = new Set(
  (
    'example.com example.org example.net domain.com domain.co.uk yourdomain.com mydomain.com email.com mail.com address.com ' +
    'website.com yourwebsite.com mywebsite.com site.com yoursite.com mysite.com company.com yourcompany.com mycompany.com ' +
    'yourbusiness.com business.com acme.com test.com doe.com sample.com sentry.io wixpress.com sentry-next.wixpress.com ' +
    'godaddy.com squarespace.com latofonts.com'
  ).split(' '),
)
const placeholderLocals =
  /^(?:(?:your|my|the)?[._-]?(?:user)?(?:name|email|mail|e-mail|address)|user|someone|john\.?doe|jane\.?doe|xx+|[0-9a-f]{20,})$/

/** Whether a person at a business may read what is sent there. */
function isOffered(address: string): boolean {
  const [local = '', host = ''] = address.split('@')
  if (local.includes('..') || local.endsWith('.')) return false
  const { domain, isIcann } = parse(host)
  if (domain === null || placeholderDomains.has(domain) || placeholderLocals.test(local)) return false
  // A real top-level domain, else it is a file (logo@2x.png) or a version; .test is where sandboxes live.
  return isIcann === true || host.endsWith('.test')
}

const credit =
  /\b(?:web ?sites?|web|sites?|design(?:ed)?|develop(?:ed|ment)?|built|made|powered|created|crafted|hosted|theme|template)(?: (?:and|&) [a-z]{1,20})?(?: with .{1,10})? by\b[\w .,:&']{0,30}$/i

/** "Website by ...": the address of the site's maker. One at the site's own domain is the business's, whatever stands before. */
function isCredit(before: string, address: string, pageHost: string): boolean {
  const host = address.slice(address.indexOf('@') + 1)
  return credit.test(before) && parse(host).domain !== parse(pageHost).domain
}
