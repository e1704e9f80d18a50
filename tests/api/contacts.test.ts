import { expect, test } from 'vitest'
import { z } from 'zod'
import { testApi } from '../support/api.ts'

const { ask, neighbour } = await testApi()

const Contact = z.looseObject({ id: z.string(), properties: z.record(z.string(), z.unknown()) })
const Saved = z.object({ contact: Contact, created: z.boolean() })
const Page = z.object({ data: z.array(Contact), nextCursor: z.string().nullable() })
const Problem = z.object({ code: z.string(), errors: z.array(z.object({ pointer: z.string(), detail: z.string() })) })

const save = async (body: unknown) => Saved.parse(await (await ask('POST', '/contacts', { body })).json())
const change = (id: string, body: unknown) => ask('POST', `/contacts/${id}`, { body })
const list = async (query: string, key?: string) =>
  Page.parse(await (await ask('GET', `/contacts?${query}`, key ? { key } : {})).json())
const refusal = async (response: Response) => {
  expect(response.status).toBe(400)
  return Problem.parse(await response.json()).errors
}
const properties = (from: number, count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`p${from + n}`, n]))
const ids = ({ data }: z.infer<typeof Page>) => data.map(({ id }) => id)

test('a contact is kept as it can be used: number as E.164, zone and language by their own names', async () => {
  const body = {
    externalId: 'kept',
    email: ' Ann@Example.com ',
    phone: '(512) 555-0100',
    country: 'US',
    timeZone: 'asia/kolkata',
    language: 'de-at',
    properties: { first_name: 'Ann', seats: 3, trial: true },
  }
  const { contact, created } = await save(body)
  expect(created).toBe(true)
  expect(contact).toMatchObject({
    ...body,
    email: 'Ann@Example.com',
    phone: '+15125550100',
    timeZone: 'Asia/Kolkata',
    language: 'de-AT',
  })
  expect(await (await ask('GET', `/contacts/${contact.id}`)).json()).toEqual(contact)
})

test('what is given replaces, what is left out stays, null clears, and properties are merged name by name', async () => {
  const first = await save({ externalId: 'merge', email: 'a@b.test', country: 'US', properties: { a: 1, b: 2 } })
  const second = await save({ externalId: 'merge', country: null, properties: { b: null, c: 'x' } })
  expect(second.created).toBe(false)
  expect(second.contact).toMatchObject({
    id: first.contact.id,
    email: 'a@b.test',
    country: null,
    properties: { a: 1, c: 'x' },
  })
  const third = await change(first.contact.id, { email: null, properties: null })
  expect(await third.json()).toMatchObject({ externalId: 'merge', email: null, properties: {} })
})

test.each([
  ['no address', { email: 'no address' }, '/email', /such as ann@/],
  ['an address that is too long', { email: `${'a'.repeat(250)}@b.test` }, '/email', /254/],
  ['a national number', { phone: '512 555 0100' }, '/phone', /add the country/],
  ['a number that is too short', { phone: '+1512' }, '/phone', /such as \+1512/],
  ['an extension', { phone: '+15125550100 ext. 5' }, '/phone', /without an extension/],
  ['a country in small letters', { country: 'us' }, '/country', /such as US/],
  ['a country that is none', { country: 'ZZ' }, '/country', /such as US/],
  ['an offset', { timeZone: '+05:00' }, '/timeZone', /IANA/],
  ['a zone that is none', { timeZone: 'Mars/Olympus' }, '/timeZone', /IANA/],
  ['a language that is none', { language: 'no_language' }, '/language', /tag/],
  ['a property that no template can name', { properties: { 'first name': 1 } }, '/properties/first name', /letters/],
  ['a list as a property', { properties: { list: [1] } }, '/properties/list', /text, a number/],
  ['a property that is too long', { properties: { long: 'x'.repeat(16_000) } }, '/properties', /16000 bytes/],
  ['too many properties', { properties: properties(0, 101) }, '/properties', /at most 100/],
  ['no externalId', { externalId: '' }, '/externalId', />=1/],
  ['a field that there is not', { colour: 'blue' }, '/colour', /no such field/],
])('%s is refused where it is, with what to do', async (_, body, pointer, detail) => {
  expect(await refusal(await ask('POST', '/contacts', { body }))).toEqual([
    { pointer, detail: expect.stringMatching(detail) },
  ])
})

test('a name that readers would drop in silence is refused', async () => {
  const body = '{"properties": {"__proto__": 1, "a\\u0000": 2}}'
  expect(await refusal(await ask('POST', '/contacts', { body }))).toMatchObject([
    { pointer: '/properties/__proto__' },
    { pointer: '/properties/a\0' },
  ])
})

test('properties beyond the limit are refused also when they come bit by bit, and the contact stays as it was', async () => {
  const { contact } = await save({ externalId: 'many', properties: properties(0, 60) })
  const more = { externalId: 'many', email: 'a@b.test', properties: properties(60, 60) }
  expect(await refusal(await ask('POST', '/contacts', { body: more }))).toMatchObject([{ pointer: '/properties' }])
  expect(await refusal(await change(contact.id, more))).toMatchObject([{ pointer: '/properties' }])
  expect(await (await ask('GET', `/contacts/${contact.id}`)).json()).toEqual(contact)
})

test('twenty that save one externalId at once make one contact, and no field of any is lost', async () => {
  const saved = await Promise.all(
    Array.from({ length: 20 }, (_, n) => save({ externalId: 'crowd', properties: { [`p${n}`]: n } })),
  )
  expect(saved.filter(({ created }) => created)).toHaveLength(1)
  expect(new Set(saved.map(({ contact }) => contact.id)).size).toBe(1)
  const { data } = await list('externalId=crowd')
  expect(Object.keys(data[0]?.properties ?? {})).toHaveLength(20)
})

test('a contact is found by externalId, by e-mail in any case and by number, also by one of before the change no more', async () => {
  const { contact } = await save({ externalId: 'find', email: 'Find@Me.test', phone: '+15125550123' })
  const { contact: twin } = await save({ email: 'find@me.test' })
  expect(ids(await list('externalId=find'))).toEqual([contact.id])
  expect(ids(await list('email=FIND@me.test'))).toEqual([twin.id, contact.id])
  expect(ids(await list('phone=%2B15125550123'))).toEqual([contact.id])
  expect(ids(await list('phone=+15125550123'))).toEqual([contact.id])
  await change(contact.id, { email: 'moved@me.test', phone: null })
  expect(ids(await list('email=find@me.test'))).toEqual([twin.id])
  expect(ids(await list('phone=%2B15125550123'))).toEqual([])
  expect(ids(await list('email=moved@me.test'))).toEqual([contact.id])
  expect(await refusal(await ask('GET', '/contacts?phone=5125550123'))).toMatchObject([{ pointer: '/query/phone' }])
})

test('pages show everyone once, the newest first', async () => {
  for (let n = 0; n < 5; n += 1) await save({ email: 'pages@pages.test', externalId: `page-${n}` })
  const seen: unknown[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = await list(`email=pages@pages.test&limit=2${cursor && `&cursor=${cursor}`}`)
    seen.push(...page.data.map(({ externalId }) => externalId))
    cursor = page.nextCursor
  }
  expect(seen).toEqual(['page-4', 'page-3', 'page-2', 'page-1', 'page-0'])
})

test('an externalId that another contact has is refused, one that nobody has is taken on', async () => {
  await save({ externalId: 'taken' })
  const { contact } = await save({ email: 'x@taken.test' })
  const refused = await change(contact.id, { externalId: 'taken' })
  expect(refused.status).toBe(409)
  expect(await refused.json()).toMatchObject({ code: 'conflict', detail: 'Another contact has this externalId.' })
  expect(await (await change(contact.id, { externalId: 'free' })).json()).toMatchObject({ externalId: 'free' })
  expect((await save({ externalId: 'free' })).created).toBe(false)
  expect((await save({ externalId: null, email: 'none@taken.test' })).contact).toMatchObject({ externalId: null })
})

test("a neighbour's externalId is another one, and their contacts are not seen", async () => {
  const { key } = await neighbour()
  await save({ externalId: 'shared', email: 'ours@shared.test' })
  const theirs = await ask('POST', '/contacts', { key, body: { externalId: 'shared', email: 'ours@shared.test' } })
  expect(Saved.parse(await theirs.json()).created).toBe(true)
  expect(ids(await list('externalId=shared'))).toHaveLength(1)
  expect(ids(await list('email=ours@shared.test', key))).toHaveLength(1)
})

test('a repeated request makes no second contact', async () => {
  const once = () =>
    ask('POST', '/contacts', { body: { email: 'once@once.test' }, headers: { 'idempotency-key': 'once' } })
  const first = await (await once()).text()
  const again = await once()
  expect(await again.text()).toBe(first)
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  expect((await list('email=once@once.test')).data).toHaveLength(1)
})

test('no refusal quotes an address, ours or theirs', async () => {
  const canary = 'canary@secret.test'
  await save({ externalId: 'canary', email: canary, phone: '+15125550199' })
  const { contact } = await save({ email: 'other@secret.test' })
  const refused = await Promise.all([
    change(contact.id, { externalId: 'canary', email: canary }),
    ask('POST', '/contacts', { body: { externalId: 'canary', email: 'canary@secret@test' } }),
    ask('POST', '/suppressions', { body: { channel: 'sms', contactId: contact.id } }),
    ask('POST', '/suppressions', { body: { channel: 'email', address: 'canary@secret@test' } }),
  ])
  for (const response of refused) {
    expect([400, 409]).toContain(response.status)
    expect(await response.text()).not.toMatch(/canary@|secret|5125550199/)
  }
})
