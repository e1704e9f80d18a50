import { Tokenizer, type TokenizerCallbacks } from 'htmlparser2'

/** A place in the page's source. */
export interface Span {
  start: number
  end: number
}

interface Attribute extends Span {
  value: string
}

/** By lower-case name, entities decoded; the first of a name counts. */
export type Attributes = ReadonlyMap<string, Attribute>

/** Is told of a page's tags and text in their order. */
export interface TagReader {
  open(tag: string, attributes: Attributes, span: Span, selfClosing: boolean): void
  close(tag: string): void
  /** A piece of text, which ends at an offset of the source. */
  write(text: string, end: number): void
}

/**
 * The tokenizer is used without htmlparser2's parser, whose stack of open elements makes half a million nested tags cost minutes;
 * nothing here needs tags to balance.
 */
export function readTags(html: string, reader: TagReader): void {
  const tokenizer = new Tokenizer({ decodeEntities: true }, tagEvents(html, reader))
  tokenizer.write(html)
  tokenizer.end()
}

const ignore = () => {}

/** Turns the tokenizer's offsets into whole tags. */
function tagEvents(html: string, reader: TagReader): TokenizerCallbacks {
  let tag = ''
  let tagAt = 0
  let attributes = new Map<string, Attribute>()
  let attribute = ''
  let attributeAt = 0
  let value = ''
  const open = (end: number, selfClosing: boolean) => {
    reader.open(tag, attributes, { start: tagAt, end: end + 1 }, selfClosing)
    attributes = new Map()
  }
  return {
    onopentagname(start, end) {
      tag = html.slice(start, end).toLowerCase()
      tagAt = start - 1
    },
    onopentagend: (end) => open(end, false),
    onselfclosingtag: (end) => open(end, true),
    onclosetag: (start, end) => reader.close(html.slice(start, end).toLowerCase()),
    onattribname(start, end) {
      attribute = html.slice(start, end).toLowerCase()
      attributeAt = start
    },
    onattribdata(start, end) {
      value += html.slice(start, end)
    },
    onattribentity(codePoint) {
      value += String.fromCodePoint(codePoint)
    },
    onattribend(_quote, end) {
      if (!attributes.has(attribute)) attributes.set(attribute, { value, start: attributeAt, end })
      value = ''
    },
    ontext: (start, end) => reader.write(html.slice(start, end), end),
    ontextentity: (codePoint, end) => reader.write(String.fromCodePoint(codePoint), end),
    oncdata: ignore,
    oncomment: ignore,
    ondeclaration: ignore,
    onend: ignore,
    onprocessinginstruction: ignore,
  }
}
