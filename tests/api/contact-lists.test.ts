import { expect, test } from 'vitest'
import { z } from 'zod'
import { testApi } from '../support/api.ts'

const { ask, database, organisationId, neighbour } = await testApi()

const Errors = z.array(z.object({ pointer: z.string(), detail: z.string() }))
const Saved = z.object({
  created: z.int(),
  updated: z.int(),
  failed: z.int(),
  lines: z.array(
    z.object({
      index: z.int(),
      id: z.string().optional(),
      created: z.boolean().optional(),
      errors: Errors.optional(),
    }),
  ),
})

const save = async (contacts: unknown[], key?: string) => {
  const response = await ask('POST', '/contacts/list', { body: { contacts }, ...(key && { key }) })
  return Saved.parse(await response.json())
}
const rows = (prefix: string) =>
  database.as(
    organisationId,
    (tx) => tx`
    select external_id, email, properties from contacts where external_id like ${`${prefix}%`} order by external_id`,
  )

test('five thousand contacts are saved by one request, and changed by the next', async () => {
  const people = (seats: number) =>
    Array.from({ length: 5_000 }, (_, n) => ({
      externalId: `large-${n}`,
      email: `person-${n}@large.test`,
      phone: `+1512555${String(n).padStart(4, '0')}`,
      timeZone: 'America/Chicago',
      properties: { first_name: `Person ${n}`, seats },
    }))
  expect(await save(people(1))).toMatchObject({ created: 5_000, updated: 0, failed: 0 })
  const again = await save(people(2))
  expect(again).toMatchObject({ created: 0, updated: 5_000, failed: 0 })
  expect(again.lines.map(({ index }) => index)).toEqual(Array.from({ length: 5_000 }, (_, n) => n))
  const saved = await rows('large-')
  expect(saved).toHaveLength(5_000)
  expect(saved.every(({ properties }) => properties.seats === 2)).toBe(true)
}, 60_000)

test('lines that are wrong are reported where they are, and the others are saved', async () => {
  const { lines, ...sums } = await save([
    { externalId: 'mixed-0', email: 'a@mixed.test' },
    { externalId: 'mixed-1', email: 'no address', country: 'us', colour: 'blue' },
    'text',
    { externalId: 'mixed-3' },
  ])
  expect(sums).toEqual({ created: 2, updated: 0, failed: 2 })
  expect(lines[1]?.errors?.map(({ pointer }) => pointer).sort()).toEqual(['/colour', '/country', '/email'])
  expect(lines[2]?.errors).toHaveLength(1)
  expect((await rows('mixed-')).map((row) => row['externalId'])).toEqual(['mixed-0', 'mixed-3'])
})

test('of several lines with one externalId the last good one counts, and the others say so', async () => {
  const line = (seats: number) => ({ externalId: 'twice', properties: { seats } })
  const { lines } = await save([line(1), line(2), { externalId: 'twice', email: 'wrong' }])
  expect(lines[0]?.errors).toEqual([
    { pointer: '/externalId', detail: 'Line 1 has the same externalId: that one counts.' },
  ])
  expect(lines[1]).toMatchObject({ created: true })
  expect(lines[2]?.errors).toMatchObject([{ pointer: '/email' }])
  expect(await rows('twice')).toMatchObject([{ properties: { seats: 2 } }])
})

test('a line whose properties would become too many is refused by itself', async () => {
  const some = (from: number) => Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`p${from + n}`, n]))
  await save([{ externalId: 'full-0', properties: some(0) }])
  const { lines } = await save([{ externalId: 'full-0', properties: some(60) }, { externalId: 'full-1' }])
  expect(lines).toMatchObject([{ errors: [{ pointer: '/properties' }] }, { created: true }])
})

test('lists and single requests that save the same people at once all succeed, and each person is made once', async () => {
  const people = Array.from({ length: 200 }, (_, n) => n)
  const lists = Array.from({ length: 4 }, (_, by) => {
    const turned = [...people.slice(by * 50), ...people.slice(0, by * 50)]
    return save(turned.map((n) => ({ externalId: `rush-${n}`, properties: { [`list_${by}`]: n } })))
  })
  const singles = people.slice(0, 40).map(async (n) => {
    const response = await ask('POST', '/contacts', { body: { externalId: `rush-${n}`, properties: { single: n } } })
    expect(response.status).toBe(200)
    return z.object({ created: z.boolean() }).parse(await response.json()).created
  })
  const made = (await Promise.all(lists)).reduce((sum, { created }) => sum + created, 0)
  const singly = (await Promise.all(singles)).filter(Boolean).length
  expect(made + singly).toBe(200)
  const saved = await rows('rush-')
  expect(saved).toHaveLength(200)
  expect(saved.filter(({ properties }) => 'list_0' in properties && 'list_3' in properties)).toHaveLength(200)
  expect(saved.filter(({ properties }) => 'single' in properties)).toHaveLength(40)
})

test('a list under its Idempotency-Key is saved once, also lines without an externalId', async () => {
  const contacts = [{ email: 'list-once@once.test' }]
  const send = () => ask('POST', '/contacts/list', { body: { contacts }, headers: { 'idempotency-key': 'list-once' } })
  expect(await (await send()).text()).toBe(await (await send()).text())
  const saved = await database.as(
    organisationId,
    (tx) => tx`select 1 from contacts where email = 'list-once@once.test'`,
  )
  expect(saved).toHaveLength(1)
})

test("a list of another organisation's makes contacts of its own", async () => {
  const { key } = await neighbour()
  await save([{ externalId: 'apart' }])
  expect(await save([{ externalId: 'apart' }], key)).toMatchObject({ created: 1 })
})

test.each([0, 5_001])('a list of %i is refused', async (length) => {
  const contacts = Array.from({ length }, () => ({}))
  const response = await ask('POST', '/contacts/list', { body: { contacts } })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ errors: [{ pointer: '/contacts' }] })
})
