import { Readable } from 'node:stream'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { readHtml } from '../../../providers/websites/html.ts'

const limit = 100_000
const html = 'text/html'
const latin = (text: string) => Buffer.from(text, 'latin1')

function read(bytes: Buffer, headers: Record<string, string>): Promise<string> {
  return readHtml(headers, Readable.from([bytes]), limit)
}

test.each([
  ['the header', latin('caf\xe9'), 'text/html; charset=ISO-8859-1', 'café'],
  ['the page', latin('<meta charset="windows-1252"><p>\x80 5'), html, '<meta charset="windows-1252"><p>€ 5'],
  ['a meta of old', latin('<meta http-equiv=x content="text/html; charset=latin1">\xfc'), html, /ü$/],
  ['its byte order mark', Buffer.from('\ufeffcafé', 'utf16le'), 'text/html; charset=utf-8', 'café'],
  ['nothing, as UTF-8', Buffer.from('café ☕'), html, 'café ☕'],
  ['nonsense, as UTF-8', Buffer.from('café'), 'text/html; charset=klingon', 'café'],
  ['what it cannot be', Buffer.from('<meta charset="utf-16">café'), html, /café$/],
])('a page is decoded by %s', async (_name, bytes, contentType, expected) => {
  const text = await read(bytes, { 'content-type': contentType })
  if (typeof expected === 'string') expect(text).toBe(expected)
  else expect(text).toMatch(expected)
})

test.each([
  ['gzip', gzipSync],
  ['x-gzip', gzipSync],
  ['br', brotliCompressSync],
  ['deflate', deflateSync],
  ['identity', (bytes: Buffer) => bytes],
])('%s is unpacked', async (encoding, pack) => {
  const packed = pack(Buffer.from('<p>bread'))
  await expect(read(packed, { 'content-type': html, 'content-encoding': encoding })).resolves.toBe('<p>bread')
})

test('a packed page that breaks off is read as far as it goes', async () => {
  const packed = gzipSync(Buffer.from('<p>bread'))
  const cut = packed.subarray(0, packed.length - 4)
  await expect(read(cut, { 'content-type': html, 'content-encoding': 'gzip' })).resolves.toBe('<p>bread')
})

test.each<[string, Buffer, Record<string, string>, string]>([
  ['an image', Buffer.from('GIF'), { 'content-type': 'image/gif' }, 'image/gif'],
  ['plain text', Buffer.from('hello'), { 'content-type': 'text/plain' }, 'text/plain'],
  ['bytes that call themselves a page', Buffer.from([60, 0, 1, 2]), { 'content-type': html }, 'binary'],
  ['text of no type', Buffer.from('{"a":1}'), {}, 'no media type'],
  [
    'an unknown packing',
    Buffer.from('x'),
    { 'content-type': html, 'content-encoding': 'zstd' },
    'unknown content encoding',
  ],
])('%s is not a page', async (_name, bytes, headers, detail) => {
  await expect(read(bytes, headers)).rejects.toMatchObject({ code: 'not_html', detail })
})

test('a page that forgot its media type is known by its look', async () => {
  await expect(read(Buffer.from('\n <!DOCTYPE html><p>hi'), {})).resolves.toContain('<p>hi')
})

test('the limit holds to the byte', async () => {
  await expect(read(Buffer.alloc(limit, 'x'), { 'content-type': html })).resolves.toHaveLength(limit)
  await expect(read(Buffer.alloc(limit + 1, 'x'), { 'content-type': html })).rejects.toMatchObject({
    code: 'too_large',
  })
})
