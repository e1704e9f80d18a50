import { getDomain, parse as parseHost } from 'tldts'
import { directoryBrands, directoryDomains } from './directories.ts'

export interface Website {
  /** As it is read: with a scheme only where one was given, so that a reader may find out which the site answers. */
  website: string
  /** The same with a scheme, HTTPS if none was given. */
  url: string
  /** Lower case, internationalised names in punycode; with the port if it is not the scheme's own. */
  host: string
}

const longestWebsite = 2_048

/** Understands a website as people write it. A `problem` is a sentence that tells its writer what to do. */
export function parseWebsite(text: string): Website | { problem: string } {
  const written = text.trim()
  if (written === '') return { problem: 'Give the address of a website, such as bakery.com.' }
  if (written.length > longestWebsite) return { problem: `Give an address of at most ${longestWebsite} characters.` }
  const scheme = /^([a-z][a-z\d+.-]*):(?!\d)/i.exec(written)?.[1]?.toLowerCase()
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') {
    return { problem: 'Give an address that begins with http:// or https://, or just the name, such as bakery.com.' }
  }
  const url = URL.parse(scheme === undefined ? `https://${written}` : written)
  if (url === null) return { problem: nonsense }
  if (url.username !== '' || url.password !== '') {
    return { problem: 'Give the address of a website without an e-mail address, user name or password in it.' }
  }
  url.hostname = url.hostname.replace(/\.$/, '')
  url.hash = ''
  if (!isHost(url.hostname, scheme !== undefined || url.port !== '')) return { problem: nonsense }
  if (url.href.length > longestWebsite) return { problem: `Give an address of at most ${longestWebsite} characters.` }
  const website = scheme === undefined ? url.href.slice('https://'.length).replace(/^([^/]+)\/$/, '$1') : url.href
  return { website, url: url.href, host: url.host }
}

const nonsense = 'Give the address of a website, such as bakery.com or https://www.bakery.com/about: this is not one.'

// A name of one word is a website only to someone who says so by a scheme or a port.
function isHost(hostname: string, single: boolean): boolean {
  if (hostname.startsWith('[')) return true
  const labels = hostname.split('.')
  if (hostname.length > 253 || (labels.length < 2 && !single)) return false
  return labels.every((label) => /^[a-z\d_](?:[a-z\d_-]{0,61}[a-z\d_])?$/.test(label))
}

/** The home page of the site that a page belongs to; what cannot be read as an address stays as it is. */
export function homePageOf(page: string): string {
  const parsed = parseWebsite(page)
  if ('problem' in parsed) return page
  return parsed.website === parsed.url ? `${new URL(parsed.url).origin}/` : parsed.host
}

export type BusinessKey = { kind: 'domain' | 'place'; value: string }

/**
 * What tells one business from another, the stronger first: its own registrable domain (`shop.bakery.co.uk` is bakery.co.uk, but every
 * shop on a hosting platform counts for itself), and the place it is at. A page on a directory says nothing about whose it is.
 */
export function businessKeys({ website, placeId }: { website: string | null; placeId: string | null }): BusinessKey[] {
  const keys: BusinessKey[] = []
  const parsed = website === null ? null : parseWebsite(website)
  if (parsed !== null && !('problem' in parsed) && !isDirectory(parsed.host)) {
    keys.push({ kind: 'domain', value: ownDomain(parsed) })
  }
  if (placeId) keys.push({ kind: 'place', value: placeId })
  return keys
}

// Addresses, names of one word and bare public suffixes have no registrable domain: there the port belongs to the identity.
function ownDomain({ host, url }: Website): string {
  return getDomain(url, { allowPrivateDomains: true }) ?? host
}

const brands = new Set(directoryBrands)
const domains = new Set(directoryDomains)

/** Whether a website or a host (`m.facebook.com`) is one where many businesses are listed rather than one is at home. */
export function isDirectory(website: string): boolean {
  const { hostname, domain, domainWithoutSuffix, publicSuffix } = parseHost(website)
  if (!hostname || !domain) return false
  if (domains.has(domain)) return true
  // A brand's own domains end in .com or a country's; yelp.bakery would be somebody else's.
  return brands.has(domainWithoutSuffix ?? '') && /^(?:com|(?:[a-z]+\.)?[a-z]{2})$/.test(publicSuffix ?? '')
}

/** Tells of a website whether it is, or lies under, one of the domains that a user wants left out. Quick however many they are. */
export function exclusionOf(exclusions: readonly string[]): (website: string) => boolean {
  const hosts = exclusions.map((exclusion) => bareHost(exclusion.trim().replace(/^\*\./, '')))
  const excluded = new Set(hosts.filter((host) => host !== null))
  return (website) => {
    const labels = bareHost(website)?.split('.') ?? []
    return labels.some((_, index) => excluded.has(labels.slice(index).join('.')))
  }
}

function bareHost(website: string): string | null {
  const parsed = parseWebsite(website)
  return 'problem' in parsed ? null : new URL(parsed.url).hostname.replace(/^www\./, '')
}
