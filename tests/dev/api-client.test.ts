import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { ApiRefusal, createApiClient } from '../../dev/api-client.ts'
import { freePorts, portOf } from '../support/free-ports.ts'

const signal = new AbortController().signal
const closing: (() => void)[] = []
afterEach(() => closing.splice(0).forEach((close) => close()))

async function serve(answer: RequestListener, port = 0): Promise<string> {
  const server = createServer(answer).listen(port, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => void server.close())
  return `http://127.0.0.1:${portOf(server)}`
}

/** Refuses with the first of these codes, then with the next; nothing is left to refuse with: 200. */
function refusing(...codes: string[]) {
  const keys: (string | undefined)[] = []
  const answer: RequestListener = (request, response) => {
    keys.push(request.headersDistinct['idempotency-key']?.[0])
    const code = codes.shift()
    response.writeHead(code === undefined ? 200 : 409, { 'content-type': 'application/json' })
    response.end(JSON.stringify(code === undefined ? { id: 'made' } : { code, detail: 'No.' }))
  }
  return { answer, keys }
}

test('a request that the API is busy with is made again under its key', async () => {
  const { answer, keys } = refusing('idempotency_in_flight', 'temporarily_unavailable')
  const api = createApiClient(await serve(answer), 'key', signal, { patienceMs: 30_000 })
  expect(await api.post('/senders', {}, 'sample')).toEqual({ id: 'made' })
  expect(keys).toEqual(['sample', 'sample', 'sample'])
})

test('one that the API is not there for waits for it', async () => {
  const [port = 0] = await freePorts(1)
  const api = createApiClient(`http://127.0.0.1:${port}`, 'key', signal, { patienceMs: 30_000 })
  const asked = api.get('/billing')
  await serve(refusing().answer, port)
  expect(await asked).toEqual({ id: 'made' })
})

test('a refusal is final, and says which', async () => {
  const { answer, keys } = refusing('payment_required')
  const api = createApiClient(await serve(answer), 'key', signal, { patienceMs: 30_000 })
  const refused = await api.post('/usage', {}, 'sample').catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(ApiRefusal)
  expect(refused).toMatchObject({ status: 409, code: 'payment_required' })
  expect(String(refused)).toBe('ApiRefusal: POST /usage answered 409: payment_required, No.')
  expect(keys).toHaveLength(1)
})

test('without patience nothing is asked twice', async () => {
  const { answer, keys } = refusing('temporarily_unavailable')
  const api = createApiClient(await serve(answer), 'key', signal)
  await expect(api.get('/billing')).rejects.toThrow('temporarily_unavailable')
  expect(keys).toHaveLength(1)
})
