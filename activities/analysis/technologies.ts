import { booking, bookingDomains, contentManagement, type Fingerprint, type VendorAddress } from './fingerprints.ts'
import type { PageContent, PageElement } from './page-content.ts'
import { bareHost, codeOf, isCommentedOut, parseAddress, type Reference, references } from './references.ts'
import type { Span } from './tags.ts'
import { trackerAt, trackersInCode } from './trackers.ts'

/** A piece of the page's own markup that proves what was found: verbatim, at most 160 characters, no address or number of a person. */
export type Evidence = {
  name: string
  quote: string
}

export interface Technologies {
  /** What the site is made with. */
  cms: string | null
  tracking: string[]
  /** Where its customers make appointments. */
  booking: string[]
  evidence: Evidence[]
}

/** What a page is made of, in order of appearance. */
export function findTechnologies(content: PageContent, pageHost: string): Technologies {
  const cms = new Findings(content.source)
  const tracking = new Findings(content.source)
  const bookings = new Findings(content.source)
  const own = ownHosts(content, pageHost)

  for (const element of content.elements) {
    for (const name of cmsOfTag(element)) cms.add(name, element, element)
  }
  for (const reference of references(content)) {
    const { quote, element } = reference
    for (const name of namesAt(reference, cmsAddresses)) cms.add(name, quote, element)
    for (const name of cmsOfFile(reference, own)) cms.add(name, quote, element)
    if (reference.use !== 'style')
      for (const name of namesAt(reference, bookingAddresses)) bookings.add(name, quote, element)
    const tracker = trackerAt(reference)
    if (tracker) tracking.add(tracker.name, tracker.quote, tracker.element)
  }
  for (const code of codeOf(content)) {
    for (const { name, code: mark } of contentManagement) {
      const match = mark?.exec(code.text)
      if (match) cms.add(name, code.quote(match.index, match.index + match[0].length), null)
    }
    for (const { name, quote } of trackersInCode(code)) tracking.add(name, quote, null)
    for (const { 0: written, index } of code.text.matchAll(bookingInCode).take(mostInCode)) {
      const address = parseAddress(unescaped(written))
      if (!address || isCommentedOut(code.text, index)) continue
      const quote = code.quote(index, index + written.length)
      const run = { ...address, use: 'run', label: () => '' } as const
      for (const name of namesAt(run, bookingAddresses)) bookings.add(name, quote, null)
    }
  }

  const made = cms.strongest()
  const shown = [...(made ? [made] : []), ...tracking.all(), ...bookings.all()]
  return {
    cms: made?.name ?? null,
    tracking: tracking.all().map(({ name }) => name),
    booking: bookings.all().map(({ name }) => name),
    evidence: shown.map(({ name, quote }) => ({ name, quote })),
  }
}

/** More addresses than any honest script has. */
const mostInCode = 200

const longestQuote = 160

/** What was found, each name with its first proof and how many there are. */
class Findings {
  private readonly source: string
  private readonly found = new Map<string, Evidence & { proofs: number }>()

  constructor(source: string) {
    this.source = source
  }

  /** `quote` is the place that proves it; `whole` the tag around it, which is quoted instead if it is short. */
  add(name: string, quote: Span, whole: Span | null): void {
    const known = this.found.get(name)
    if (known) known.proofs += 1
    else this.found.set(name, { name, quote: this.quoted(quote, whole), proofs: 1 })
  }

  all(): Evidence[] {
    return [...this.found.values()]
  }

  strongest(): Evidence | undefined {
    return [...this.found.values()].sort((a, b) => b.proofs - a.proofs)[0]
  }

  private quoted(quote: Span, whole: Span | null): string {
    if (whole && whole.end - whole.start <= longestQuote) {
      const tag = this.source.slice(whole.start, whole.end)
      if (!personal.test(tag)) return tag
    }
    const text = this.source.slice(quote.start, Math.min(quote.end, quote.start + longestQuote))
    return text.slice(0, personal.exec(text)?.index)
  }
}

/** Where an e-mail address, a telephone number or a person's name may begin. */
const personal =
  /[\w.+%-]{1,64}(?:@|%40)|[?&;](?:e?-?mail|phone|tel|mobile|cell|name|first_?name|last_?name)=|\b(?:tel|sms|mailto):|wa\.me\/|\+\d{6}|\(\d{3}\)|\b\d{2,4}[ .-]\d{3,4}[ .-]\d{3,4}\b|[=/]\d{10,13}\b/i

function* cmsOfTag({ tag, attributes }: PageElement): Generator<string> {
  const generator =
    /^generator$/i.test(attributes.get('name')?.value.trim() ?? '') && attributes.get('content')?.value.trim()
  for (const { name, generator: made, tags = [] } of contentManagement) {
    const isTold = tag === 'meta' && generator && made?.test(generator)
    const isShown = tags.some(
      (mark) => mark.tag === tag && mark.value.test(attributes.get(mark.attribute)?.value ?? ''),
    )
    if (isTold || isShown) yield name
  }
}

function* cmsOfFile({ host, path, use, element }: Reference, own: ReadonlySet<string>): Generator<string> {
  if ((use !== 'run' && use !== 'style') || !own.has(host) || element === null) return
  for (const { name, files } of contentManagement) if (files?.test(path)) yield name
}

interface Marked extends VendorAddress {
  name: string
}

function byDomain(fingerprints: readonly Fingerprint[]): ReadonlyMap<string, Marked[]> {
  const marks = fingerprints.flatMap(({ name, addresses = [] }) => addresses.map((address) => ({ ...address, name })))
  return Map.groupBy(marks, ({ domain }) => domain)
}

const cmsAddresses = byDomain(contentManagement)
const bookingAddresses = byDomain(booking)

function* namesAt(
  { host, path, use, label }: Pick<Reference, 'host' | 'path' | 'use' | 'label'>,
  addresses: ReadonlyMap<string, Marked[]>,
): Generator<string> {
  if (use === 'show') return
  const labels = host.split('.')
  for (let from = Math.max(0, labels.length - 4); from < labels.length - 1; from += 1) {
    const before = labels.slice(0, from).join('.')
    for (const mark of addresses.get(labels.slice(from).join('.')) ?? []) {
      if (!(mark.host ?? /^$/).test(before) || !mark.path.test(path)) continue
      if (mark.runs && use === 'offer') continue
      if (mark.says === undefined || mark.says.test(label())) yield mark.name
    }
  }
}

const bookingInCode = new RegExp(
  `(?:\\\\?/){2}(?:[\\w-]{1,63}\\.){0,3}(?:${bookingDomains.map((domain) => domain.replaceAll('.', '\\.')).join('|')})(?![\\w.-])[^\\s"'\`<>)]{0,300}`,
  'g',
)

function unescaped(written: string): string {
  return written.replaceAll('\\/', '/').replaceAll('\\u0026', '&').replaceAll('&amp;', '&')
}

/** Where the site's own files lie: here, and where the page says it belongs. A copy of a site still names its first home. */
function ownHosts({ elements, metas }: PageContent, pageHost: string): ReadonlySet<string> {
  const own = new Set(['', bareHost(pageHost)])
  const homes = elements.flatMap(({ tag, attributes }) => {
    const isHome =
      tag === 'base' || (tag === 'link' && attributes.get('rel')?.value.trim().toLowerCase() === 'canonical')
    return isHome ? [attributes.get('href')?.value ?? ''] : []
  })
  for (const home of [...homes, metas.get('og:url') ?? '']) {
    const address = parseAddress(home)
    if (address) own.add(address.host)
  }
  return own
}
