import pino from 'pino'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { latestMigration } from '../../db/schema.ts'
import { ownList, testApi } from '../support/api.ts'

const lines: string[] = []
const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
const { ask, url, key, stories, fresh, system, api } = await testApi({ log })

const Problem = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  requestId: z.string(),
  errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })).optional(),
})

async function problemOf(response: Response) {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const problem = Problem.parse(await response.json())
  expect(problem).toMatchObject({ status: response.status, type: `/problems/${problem.code}` })
  expect(problem.requestId).toBe(response.headers.get('x-request-id'))
  return problem
}

const pointersOf = async (response: Response) => (await problemOf(response)).errors?.map(({ pointer }) => pointer)

test('every wrong field is named by a pointer, unknown ones too', async () => {
  const body = {
    name: '',
    colour: 'blue',
    searches: [{ query: 'dentist', location: 'Austin', limit: 1000, page: 2 }],
    websites: ['bakery.com', 'no website', 3],
    export: { formats: [] },
  }
  const pointers = await pointersOf(await ask('POST', '/campaigns', { body }))
  expect(pointers?.sort()).toEqual(
    ['/name', '/colour', '/searches/0/limit', '/searches/0/page', '/websites/2', '/export/formats'].sort(),
  )
})

test.each([
  ['broken JSON', '{"name": ', '', 'invalid_input'],
  ['a bare string', '"hello"', '', 'invalid_input'],
  ['a list', '[]', '', 'invalid_input'],
  ['a NUL character', '{"name": "a\\u0000b", "websites": ["bakery.com"]}', '/name', 'invalid_input'],
  ['half a surrogate pair', '{"name": "\\ud800", "websites": ["bakery.com"]}', '/name', 'invalid_input'],
  [
    'a key called __proto__',
    '{"name": "a", "websites": ["bakery.com"], "__proto__": {}}',
    '/__proto__',
    'invalid_input',
  ],
  [
    'what is nested too deep',
    `{"name": "a", "websites": ${'['.repeat(4000)}${']'.repeat(4000)}}`,
    `/websites${'/0'.repeat(63)}`,
    'invalid_input',
  ],
])('%s is answered 400', async (_, body, pointer, code) => {
  const problem = await problemOf(await ask('POST', '/campaigns', { body }))
  expect(problem).toMatchObject({ status: 400, code, errors: [{ pointer }] })
})

test.each(['null', '"Maple Dental"', '7', 'true', '[]', '[{}]'])(
  'the body %s is no object, and that is said',
  async (body) => {
    const response = await ask('POST', '/campaigns', { body })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      code: 'invalid_input',
      errors: [{ pointer: '', detail: expect.stringContaining('JSON object') }],
    })
  },
)

test('a body that is not said to be JSON is answered 400', async () => {
  const headers = { 'content-type': 'text/plain' }
  const problem = await problemOf(await ask('POST', '/campaigns', { body: '{}', headers }))
  expect(problem).toMatchObject({ code: 'invalid_input', errors: [{ pointer: '/headers/content-type' }] })
})

test('a body that is missing, or not in UTF-8, is answered 400', async () => {
  expect(await problemOf(await ask('POST', '/contacts'))).toMatchObject({
    code: 'invalid_input',
    errors: [{ pointer: '' }],
  })
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const body = Buffer.from('7b226e616d65223a22fffe227d', 'hex') // {"name":"??"}
  const broken = await fetch(`${url}/api/v1/campaigns`, { method: 'POST', headers, body })
  expect((await problemOf(broken)).detail).toContain('UTF-8')
})

test('a body that is too large is answered 413', async () => {
  const body = ownList('bakery.com', 'x'.repeat(2_600_000))
  expect(await problemOf(await ask('POST', '/campaigns', { body }))).toMatchObject({ status: 413, code: 'too_large' })
})

test('at most a hundred errors are listed', async () => {
  const body = ownList(...Array.from({ length: 300 }, () => 'no website'))
  expect((await problemOf(await ask('POST', '/campaigns', { body }))).errors).toHaveLength(100)
})

test('an unknown address is answered 404, a wrong method 405 with those allowed', async () => {
  expect((await problemOf(await ask('GET', '/nothing'))).code).toBe('not_found')
  expect((await problemOf(await fetch(`${url}/nothing`))).code).toBe('not_found')
  const wrong = await ask('DELETE', '/campaigns')
  expect(wrong.headers.get('allow')).toBe('POST, GET')
  expect((await problemOf(wrong)).code).toBe('method_not_allowed')
})

test('an id that is none and an address that cannot be decoded are answered 404', async () => {
  expect((await problemOf(await ask('GET', '/campaigns/17'))).code).toBe('not_found')
  expect((await problemOf(await ask('GET', '/campaigns/%ZZ'))).code).toBe('not_found')
})

test('a plain request id is taken over, any other is replaced', async () => {
  const given = await ask('GET', '/campaigns', { headers: { 'x-request-id': 'order-17.a' } })
  expect(given.headers.get('x-request-id')).toBe('order-17.a')
  const replaced = await ask('GET', '/campaigns', { headers: { 'x-request-id': 'someone@example.com' } })
  expect(z.uuid().safeParse(replaced.headers.get('x-request-id')).success).toBe(true)
})

test('the request id goes along to the workflow', async () => {
  const headers = { 'x-request-id': 'goes-along' }
  const response = await ask('POST', '/campaigns', { body: ownList('bakery.com'), headers })
  expect(response.status).toBe(202)
  const [row] = await system`select request_id from outbox where request_id = 'goes-along'`
  expect(row).toBeDefined()
})

test('each page of a problem code explains it', async () => {
  const response = await fetch(`${url}/problems/idempotency_mismatch`)
  expect(await response.json()).toMatchObject({ code: 'idempotency_mismatch', status: 422 })
  expect((await fetch(`${url}/problems/toString`)).status).toBe(404)
})

test('no log line shows a key, a header or a body', async () => {
  await ask('POST', '/campaigns?token=tell-nobody', { body: ownList('very-private-bakery.com') })
  const logged = lines.join('')
  expect(logged).toContain('"path":"/api/v1/campaigns"')
  for (const secret of [key, key.split('_').slice(2).join('_'), 'very-private-bakery', 'tell-nobody', 'Bearer']) {
    expect(logged).not.toContain(secret)
  }
})

test('an unexpected failure is answered without its message and logged with the request id', async () => {
  const before = stories.change
  stories.change = () => Promise.reject(new Error('the inside of the machine'))
  const { id } = z
    .object({ id: z.string() })
    .parse(await (await ask('POST', '/campaigns', { body: ownList('a.com') })).json())
  const response = await ask('POST', `/campaigns/${id}/pause`)
  stories.change = before
  const problem = await problemOf(response)
  expect(problem.code).toBe('internal')
  expect(JSON.stringify(problem)).not.toContain('the inside')
  expect(lines.join('')).toContain('the inside of the machine')
})

test('ready while Temporal is away, and says so', async () => {
  stories.ping = () => Promise.reject(new Error('away'))
  const response = await fetch(`${url}/readyz`)
  stories.ping = () => Promise.resolve()
  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({
    status: 'degraded',
    checks: { database: 'ok', schema: 'ok', temporal: 'failed' },
  })
  expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ status: 'ready' })
})

test('not ready when the schema is older than this code, nor while stopping; alive throughout, and with a newer schema', async () => {
  const { default: postgres } = await import('postgres')
  const owner = postgres(fresh.ownerUrl, { max: 1 })
  await owner`insert into schema_migrations (version) values ('9999')`
  const ahead = await fetch(`${url}/readyz`)
  await owner`delete from schema_migrations where version >= ${latestMigration()}`
  const behind = await fetch(`${url}/readyz`)
  await owner`insert into schema_migrations (version) values (${latestMigration()})`
  await owner.end()
  expect(ahead.status).toBe(200)
  expect(behind.status).toBe(503)
  expect(await behind.json()).toMatchObject({ status: 'not_ready', checks: { schema: 'failed' } })

  await api.drain()
  expect((await fetch(`${url}/readyz`)).status).toBe(503)
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
})
