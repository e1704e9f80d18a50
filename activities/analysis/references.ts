import type { PageContent, PageElement } from './page-content.ts'
import type { Span } from './tags.ts'

/** What a page does with an address. */
type ReferenceUse = 'run' | 'style' | 'offer' | 'show'

/** An address on a page, with the place that proves it. */
export interface Reference {
  /** Lower case, without `www.`; empty for the site's own. */
  host: string
  /** Path and query; whatever follows the address where it stands in code. */
  path: string
  use: ReferenceUse
  /** What the page says from there on. */
  label: () => string
  quote: Span
  element: Span | null
}

const uses = new Map<string, ReferenceUse>([
  ['script', 'run'],
  ['iframe', 'run'],
  ['frame', 'run'],
  ['embed', 'run'],
  ['object', 'run'],
  ['a', 'offer'],
  ['area', 'offer'],
  ['form', 'offer'],
])

/** More than any honest page has. */
const mostReferences = 20_000

/** Every address a page runs, offers or shows, except those in its code. */
export function* references(content: PageContent): Generator<Reference> {
  let given = 0
  for (const element of content.elements) {
    for (const [name, { value, start, end }] of element.attributes) {
      const use = useOf(element, name)
      const address = use && parseAddress(value)
      if (!use || !address) continue
      given += 1
      if (given > mostReferences) return
      yield { ...address, use, label: () => labelOf(element, content), quote: { start, end }, element }
    }
  }
}

function useOf({ tag, attributes }: PageElement, attribute: string): ReferenceUse | undefined {
  const late = attribute.startsWith('data-')
  if (!late && !/^(?:href|src|action|formaction|data)$/.test(attribute)) return undefined
  if (tag === 'link') return useOfLink(attributes.get('rel')?.value ?? '', attributes.get('as')?.value ?? '')
  if (tag === 'img' || tag === 'source') return 'show'
  // Scripts look for addresses in data attributes of any tag.
  return uses.get(tag) ?? (late ? 'offer' : 'show')
}

// What is fetched early to be run is run: some frameworks put their scripts on the page only then.
function useOfLink(rel: string, as: string): ReferenceUse | undefined {
  if (/\bstylesheet\b/i.test(rel)) return 'style'
  return /\bpreload\b/i.test(rel) && /^script$/i.test(as) ? 'run' : undefined
}

function labelOf({ passage, at }: PageElement, { passages }: PageContent): string {
  return passages[passage]?.text.slice(at, at + 40) || (passages[passage + 1]?.text.slice(0, 40) ?? '')
}

const absolute = /^\s*(?:https?:)?\/\/(?:[^/?#@\s]{0,200}@)?([^/?#:\s]{1,253})(?::\d{1,5})?([^#\s]{0,2000})/i
/** As programs that copy sites write them: `../../assets.calendly.com/widget.js`. */
const copied = /^(?:\.\.\/){1,9}((?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,10})(\/[^#\s]{0,2000})/i

export function parseAddress(text: string): { host: string; path: string } | undefined {
  const [, host, path = ''] = absolute.exec(text) ?? copied.exec(text) ?? []
  if (host !== undefined) return { host: bareHost(host), path: path === '' || path.startsWith('?') ? `/${path}` : path }
  if (/^\s*(?:[a-z][a-z0-9+.-]{0,20}:|#|$)/i.test(text)) return undefined
  return {
    host: '',
    path: `/${text
      .trim()
      .slice(0, 2_000)
      .replace(/^(?:\.{0,2}\/)+/, '')}`,
  }
}

export function bareHost(host: string): string {
  return host.toLowerCase().replace(/^www\.|\.$/g, '')
}

export interface Code {
  text: string
  /** The place that proves what stands in the code from one offset to another. */
  quote(from: number, to: number): Span
}

/** Everything on a page that is code: its scripts, what its buttons do, what its links run. */
export function* codeOf({ scripts, elements }: PageContent): Generator<Code> {
  for (const { text, start } of scripts) yield { text, quote: (from, to) => ({ start: start + from, end: start + to }) }
  for (const { attributes } of elements) {
    for (const [name, attribute] of attributes) {
      const runs = name.startsWith('on') || (name === 'href' && /^\s*javascript:/i.test(attribute.value))
      // Decoded, so that offsets in it say nothing about the source.
      if (runs) yield { text: attribute.value, quote: () => attribute }
    }
  }
}

/** Whether code at a place has been switched off by a comment. */
export function isCommentedOut(code: string, at: number): boolean {
  const before = code.slice(Math.max(0, at - 2_000), at)
  if (before.lastIndexOf('/*') > before.lastIndexOf('*/')) return true
  return /(?:^|[\s;{}])\/\//.test(before.slice(before.lastIndexOf('\n') + 1))
}
