import { pipeline, type Readable, type Transform } from 'node:stream'
import { TextDecoder } from 'node:util'
import { createBrotliDecompress, createGunzip, createInflate, constants as zlib } from 'node:zlib'
import { SiteFailure } from '../../activities/ports.ts'

type Headers = Record<string, string | string[] | undefined>

const htmlTypes = new Set(['text/html', 'application/xhtml+xml'])

/** Reads a response as an HTML text of at most `maxBytes` once unpacked; throws SiteFailure when it is none, or is larger. */
export async function readHtml(headers: Headers, body: Readable, maxBytes: number): Promise<string> {
  const announced = Number(first(headers['content-length']) ?? 0)
  if (announced > maxBytes) throw tooLarge(announced)
  const { type, charset } = parseContentType(first(headers['content-type']))
  if (type !== undefined && !htmlTypes.has(type)) throw new SiteFailure('not_html', type)

  const bytes = await readAtMost(unpacked(body, first(headers['content-encoding'])), maxBytes)
  const text = decode(bytes, charset)
  if (text.slice(0, 1024).includes('\0')) throw new SiteFailure('not_html', 'binary')
  if (type === undefined && !looksLikeHtml.test(text.slice(0, 1024))) throw new SiteFailure('not_html', 'no media type')
  return text
}

export function tooLarge(bytes?: number): SiteFailure {
  return new SiteFailure('too_large', bytes === undefined ? undefined : `${bytes} bytes`)
}

const looksLikeHtml =
  /^\s*<(?:!doctype html|!--|(?:html|head|body|title|meta|link|script|style|div|table|p|a|h1|b|br|font|iframe)[\s/>])/i

function first(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}

function parseContentType(header: string | undefined): { type: string | undefined; charset: string | undefined } {
  const type = /^\s*([\w.+-]{1,40}\/[\w.+-]{1,80})/.exec(header ?? '')?.[1]?.toLowerCase()
  const charset = /;\s*charset\s*=\s*"?([\w.:-]{1,40})/i.exec(header ?? '')?.[1]
  return { type, charset }
}

/** What was compressed, uncompressed piece by piece: a bomb goes off only as far as its reader reads. */
function unpacked(body: Readable, encoding = 'identity'): Readable {
  const name = encoding.trim().toLowerCase()
  if (name === 'identity' || name === '') return body
  const unpacker = createUnpacker(name)
  // An error reaches the reader through the unpacker, which pipeline destroys with it.
  pipeline(body, unpacker, () => {})
  return unpacker
}

// Browsers show what arrived of a truncated page; so do we.
function createUnpacker(encoding: string): Transform {
  const lenient = { finishFlush: zlib.Z_SYNC_FLUSH }
  if (encoding === 'gzip' || encoding === 'x-gzip') return createGunzip(lenient)
  if (encoding === 'br') return createBrotliDecompress({ finishFlush: zlib.BROTLI_OPERATION_FLUSH })
  if (encoding === 'deflate') return createInflate(lenient)
  throw new SiteFailure('not_html', 'unknown content encoding')
}

/** The beginning of a text in UTF-8, whatever it calls itself; what comes after `maxBytes` is left unread. */
export async function readStart(headers: Headers, body: Readable, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let total = 0
  try {
    for await (const chunk of unpacked(body, first(headers['content-encoding'])) as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      total += chunk.length
      if (total >= maxBytes) break
    }
  } catch (error) {
    // What cannot be unpacked ends where it is broken.
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (!(error instanceof SiteFailure) && !/^(?:Z_|ERR__|ERR_BR)/.test(code)) throw error
  }
  return Buffer.concat(chunks).toString('utf8', 0, maxBytes)
}

async function readAtMost(stream: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let total = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    total += chunk.length
    if (total > maxBytes) throw tooLarge() // Leaving the loop destroys the stream and, with it, the connection.
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** In the order of the HTML standard: byte order mark, header, the page's own word for it; else UTF-8. */
function decode(bytes: Buffer, charset: string | undefined): string {
  const declared = /<meta[^>]{1,300}?charset\s*=\s*["']?\s*([\w.:-]{1,40})/i
  // A page whose declaration can be read byte by byte is not in UTF-16, whatever it says.
  const inPage = declared.exec(bytes.toString('latin1', 0, 1024))?.[1]?.replace(/^utf-?16.*/i, 'utf-8')
  const decoder = markedDecoder(bytes) ?? decoderFor(charset) ?? decoderFor(inPage) ?? new TextDecoder()
  return decoder.decode(bytes)
}

function markedDecoder(bytes: Buffer): TextDecoder | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return new TextDecoder('utf-8')
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be')
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le')
  return undefined
}

function decoderFor(label: string | undefined): TextDecoder | undefined {
  if (label === undefined) return undefined
  try {
    return new TextDecoder(label)
  } catch {
    return undefined // Nothing that anyone knows: as if it had not been said.
  }
}
