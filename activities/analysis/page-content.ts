import { Tokenizer, type TokenizerCallbacks } from 'htmlparser2'

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

/** What a page says, in its own order, without its markup: every question about a page is asked of this. */
export interface PageContent {
  title: string | null
  /** The `lang` of the page, as written. */
  language: string | null
  /** `<meta>` contents by lower-case name or property; the first one counts. */
  metas: ReadonlyMap<string, string>
  passages: readonly Passage[]
}

type Attributes = ReadonlyMap<string, string>

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

/** Characters that show nothing, put into addresses and numbers to break lines or to confuse collectors. */
const invisible = /[\u00ad\u200b-\u200f\u2060\ufeff]/g
const whitespace = /\s+/g

/**
 * Reads a page in one pass, in time proportional to its length whatever it holds. The tokenizer is used without htmlparser2's
 * parser, whose stack of open elements makes half a million nested tags cost minutes; nothing here needs tags to balance.
 */
export function readPageContent(html: string): PageContent {
  const content = new ContentBuilder()
  const tokenizer = new Tokenizer({ decodeEntities: true }, tagEvents(html, content))
  tokenizer.write(html)
  tokenizer.end()
  return content.finish()
}

class ContentBuilder {
  private title: string | null = null
  private language: string | null = null
  private readonly metas = new Map<string, string>()
  private readonly passages: Passage[] = []
  private text = ''
  private endsInSpace = true
  private links: PageLink[] = []
  private inTitle = false
  private titleText = ''
  private unseenTag: string | null = null
  private unseenDepth = 0

  open(tag: string, attributes: Attributes, selfClosing: boolean): void {
    if (this.unseenTag !== null) {
      if (tag === this.unseenTag && !selfClosing) this.unseenDepth += 1
      return
    }
    if (breaking.has(tag)) this.breakLine()
    if (tag === 'title') this.inTitle = true
    else if (tag === 'html') this.language ??= attributes.get('lang') ?? null
    else if (tag === 'meta') this.meta(attributes)
    this.link(attributes)
    // HTML knows no self-closing script or style: only inside SVG does the slash mean anything.
    if (unseen.has(tag) && !(selfClosing && tag === 'svg')) {
      this.unseenTag = tag
      this.unseenDepth = 1
    }
  }

  close(tag: string): void {
    if (this.unseenTag !== null) {
      if (tag === this.unseenTag) this.unseenDepth -= 1
      if (this.unseenDepth === 0) this.unseenTag = null
      return
    }
    if (tag === 'title' && this.inTitle) {
      this.inTitle = false
      this.title ??= this.titleText.replace(whitespace, ' ').trim() || null
      this.titleText = ''
    }
    if (breaking.has(tag)) this.breakLine()
  }

  write(text: string): void {
    if (this.unseenTag !== null) return
    if (this.inTitle) this.titleText += text
    else this.append(text.replace(invisible, '').replace(whitespace, ' '))
  }

  finish(): PageContent {
    this.breakLine()
    return { title: this.title, language: this.language, metas: this.metas, passages: this.passages }
  }

  private meta(attributes: Attributes): void {
    const name = (attributes.get('name') ?? attributes.get('property'))?.trim().toLowerCase()
    const value = attributes.get('content')
    if (name && value !== undefined && !this.metas.has(name)) this.metas.set(name, value)
  }

  private link(attributes: Attributes): void {
    const href = attributes.get('href')
    const protectedEmail = attributes.get('data-cfemail')
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

const ignore = () => {}

/** Turns the tokenizer's offsets into whole tags. */
function tagEvents(html: string, content: ContentBuilder): TokenizerCallbacks {
  let tag = ''
  let attributes = new Map<string, string>()
  let attribute = ''
  let value = ''
  const open = (selfClosing: boolean) => {
    content.open(tag, attributes, selfClosing)
    attributes = new Map()
  }
  return {
    onopentagname(start, end) {
      tag = html.slice(start, end).toLowerCase()
    },
    onopentagend: () => open(false),
    onselfclosingtag: () => open(true),
    onclosetag: (start, end) => content.close(html.slice(start, end).toLowerCase()),
    onattribname(start, end) {
      attribute = html.slice(start, end).toLowerCase()
    },
    onattribdata(start, end) {
      value += html.slice(start, end)
    },
    onattribentity(codePoint) {
      value += String.fromCodePoint(codePoint)
    },
    onattribend() {
      if (!attributes.has(attribute)) attributes.set(attribute, value)
      value = ''
    },
    ontext: (start, end) => content.write(html.slice(start, end)),
    ontextentity: (codePoint) => content.write(String.fromCodePoint(codePoint)),
    oncdata: ignore,
    oncomment: ignore,
    ondeclaration: ignore,
    onend: ignore,
    onprocessinginstruction: ignore,
  }
}
