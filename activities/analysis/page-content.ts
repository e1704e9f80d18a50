import { type Attributes, readTags, type Span, type TagReader } from './tags.ts'

/** A run of visible text that the page does not break, with the links that begin inside it. */
export interface Passage {
  text: string
  links: PageLink[]
}

export interface PageLink {
  href: string
  /** Where in the passage's text the link begins. */
  at: number
}

/** An opened tag that points somewhere, runs something or says something of the whole page. */
export interface PageElement extends Span {
  tag: string
  attributes: Attributes
  /** Where the text after it begins: how many passages there are before, and how much text of its own. */
  passage: number
  at: number
}

/** Code in the page itself; `start` is where its text begins in the source. */
interface InlineScript {
  text: string
  start: number
}

/** What a page says and does, in its own order: every question about a page is asked of this. */
export interface PageContent {
  source: string
  title: string | null
  /** The `lang` of the page, as written. */
  language: string | null
  /** `<meta>` contents by lower-case name or property; the first one counts. */
  metas: ReadonlyMap<string, string>
  passages: readonly Passage[]
  elements: readonly PageElement[]
  scripts: readonly InlineScript[]
}

/** Tags that begin or end a line: text on both sides does not belong together. */
const breaking = new Set(
  (
    'address article aside blockquote body br button caption center dd details div dl dt fieldset figcaption figure footer form ' +
    'h1 h2 h3 h4 h5 h6 head header hr html iframe img label legend li main nav ol optgroup option p pre section select summary ' +
    'table tbody td tfoot th thead tr ul'
  ).split(' '),
)

/** Tags whose text nobody reads on the page. */
const unseen = new Set(['script', 'style', 'template', 'textarea', 'svg', 'iframe', 'noembed', 'noframes', 'object'])

const telling = new Set('a area base embed form frame html iframe img link meta object script source'.split(' '))

/** More than any honest page has. */
const mostElements = 20_000

/** Scripts that are data for search engines, or markup that nothing has put on the page yet. */
const notCode = /^\s*(?:application\/ld\+json|text\/(?:html|template|x-\S+)|speculationrules)/i

/** Characters that show nothing, put into addresses and numbers to break lines or to confuse collectors. */
const invisible = /[\u00ad\u200b-\u200f\u2060\ufeff]/g
const whitespace = /\s+/g

const known = new WeakMap<object, PageContent>()

/** The content of a page: a home page is asked for its links first, and for what it shows once those have been followed. */
export function contentOf(page: { html: string }): PageContent {
  const content = known.get(page) ?? readPageContent(page.html)
  known.set(page, content)
  return content
}

/** Reads a page in one pass, in time proportional to its length whatever it holds. */
export function readPageContent(html: string): PageContent {
  const content = new ContentBuilder(html)
  readTags(html, content)
  return content.finish()
}

class ContentBuilder implements TagReader {
  private readonly source: string
  private title: string | null = null
  private language: string | null = null
  private readonly metas = new Map<string, string>()
  private readonly passages: Passage[] = []
  private readonly elements: PageElement[] = []
  private readonly scripts: InlineScript[] = []
  private script: Span | null = null
  private text = ''
  private endsInSpace = true
  private links: PageLink[] = []
  private inTitle = false
  private titleText = ''
  private unseenTag: string | null = null
  private unseenDepth = 0

  constructor(source: string) {
    this.source = source
  }

  open(tag: string, attributes: Attributes, { start, end }: Span, selfClosing: boolean): void {
    if (this.unseenTag !== null) {
      if (tag === this.unseenTag && !selfClosing) this.unseenDepth += 1
      return
    }
    if (breaking.has(tag)) this.breakLine()
    if (tag === 'title') this.inTitle = true
    else if (tag === 'html') this.language ??= attributes.get('lang')?.value ?? null
    else if (tag === 'meta') this.meta(attributes)
    if (this.elements.length < mostElements && (telling.has(tag) || pointsSomewhere(attributes))) {
      this.elements.push({ tag, attributes, start, end, passage: this.passages.length, at: this.text.length })
    }
    this.link(attributes)
    if (tag === 'script' && !notCode.test(attributes.get('type')?.value ?? '')) this.script = { start: end, end }
    // HTML knows no self-closing script or style: only inside SVG does the slash mean anything.
    if (unseen.has(tag) && !(selfClosing && tag === 'svg')) {
      this.unseenTag = tag
      this.unseenDepth = 1
    }
  }

  close(tag: string): void {
    if (this.unseenTag !== null) {
      if (tag === this.unseenTag) this.unseenDepth -= 1
      if (this.unseenDepth > 0) return
      this.unseenTag = null
      if (this.script && this.script.end > this.script.start) this.scripts.push(this.codeOf(this.script))
      this.script = null
      return
    }
    if (tag === 'title' && this.inTitle) {
      this.inTitle = false
      this.title ??= this.titleText.replace(whitespace, ' ').trim() || null
      this.titleText = ''
    }
    if (breaking.has(tag)) this.breakLine()
  }

  write(text: string, end: number): void {
    if (this.script) this.script.end = end
    if (this.unseenTag !== null) return
    if (this.inTitle) this.titleText += text
    else this.append(text.replace(invisible, '').replace(whitespace, ' '))
  }

  finish(): PageContent {
    this.breakLine()
    const { source, title, language, metas, passages, elements, scripts } = this
    return { source, title, language, metas, passages, elements, scripts }
  }

  private codeOf({ start, end }: Span): InlineScript {
    return { text: this.source.slice(start, end), start }
  }

  private meta(attributes: Attributes): void {
    const name = (attributes.get('name') ?? attributes.get('property'))?.value.trim().toLowerCase()
    const value = attributes.get('content')?.value
    if (name && value !== undefined && !this.metas.has(name)) this.metas.set(name, value)
  }

  private link(attributes: Attributes): void {
    const href = attributes.get('href')?.value
    const protectedEmail = attributes.get('data-cfemail')?.value
    const at = this.text.length
    if (href !== undefined) this.links.push({ href, at })
    if (protectedEmail !== undefined) this.links.push({ href: `/cdn-cgi/l/email-protection#${protectedEmail}`, at })
  }

  // Keeps one space where the page has several. Whether the text ends in one is remembered, not looked up: looking at a string
  // under construction copies it, and a page of entities arrives one character at a time.
  private append(text: string): void {
    const added = this.endsInSpace && text.startsWith(' ') ? text.slice(1) : text
    if (added === '') return
    this.text += added
    this.endsInSpace = added.endsWith(' ')
  }

  private breakLine(): void {
    if (this.links.length > 0 || this.text !== '') this.passages.push({ text: this.text.trimEnd(), links: this.links })
    this.text = ''
    this.endsInSpace = true
    this.links = []
  }
}

/** Any tag may be made a button: by code of its own, or by an address that a script looks for. */
function pointsSomewhere(attributes: Attributes): boolean {
  for (const [name, { value }] of attributes) {
    if (/^(?:on[a-z]|data-)/.test(name) && value.includes('//')) return true
  }
  return false
}
