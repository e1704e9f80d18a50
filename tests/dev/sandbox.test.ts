import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startTestSandbox, type TestSandbox } from '../support/sandbox.ts'

const search = (sandbox: TestSandbox, query: string) =>
  fetch(`${sandbox.urls.serpapi}/search?engine=google&q=${query}&location=Austin&api_key=secret`)

describe('what the sandbox remembers', () => {
  let stateDir: string
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'throughline-sandbox-'))
  })
  afterEach(() => rm(stateDir, { recursive: true }))
  const journal = () => join(stateDir, 'sandbox.jsonl')

  test('a request is in the journal file before its answer is heard', async () => {
    await using sandbox = await startTestSandbox({ stateDir })
    await search(sandbox, 'dentists')
    expect(JSON.parse(await readFile(journal(), 'utf8'))).toMatchObject({
      kind: 'request',
      operation: 'search',
      billed: true,
    })
  })

  test('ledger, cache, clock and faults are there again after a restart', async () => {
    const before = await startTestSandbox({ stateDir })
    await before.advanceClock(86_400)
    await before.addFault({ provider: 'serpapi', kind: 'status', status: 500, count: 2 })
    expect((await search(before, 'dentists')).status).toBe(500)
    await before.close()

    const after = await startTestSandbox({ stateDir })
    expect((await search(after, 'dentists')).status).toBe(500)
    expect((await search(after, 'dentists')).status).toBe(200)
    await after.close()

    await using last = await startTestSandbox({ stateDir })
    expect((await search(last, 'dentists')).status).toBe(200)
    const requests = await last.requests()
    expect(requests.map(({ seq, billed }) => [seq, billed])).toEqual([
      [1, undefined],
      [2, undefined],
      [3, true],
      [4, false],
    ])
    expect(Date.parse(requests[3]?.at ?? '') - Date.now()).toBeGreaterThan(86_000_000)
  })

  test('a line torn by a kill is dropped, and the next one is whole', async () => {
    const before = await startTestSandbox({ stateDir })
    await search(before, 'dentists')
    await before.close()
    await appendFile(journal(), '{"kind":"request","seq":2,"provi')

    const after = await startTestSandbox({ stateDir })
    await search(after, 'plumbers')
    await after.close()

    await using last = await startTestSandbox({ stateDir })
    expect((await last.requests()).map(({ seq }) => seq)).toEqual([1, 2])
  })

  test('a journal damaged in its middle is named, not ignored', async () => {
    await writeFile(journal(), 'nonsense\n')
    await expect(startTestSandbox({ stateDir })).rejects.toThrow(/sandbox\.jsonl line 1 cannot be read/)
  })

  test('reset forgets everything, the bill included', async () => {
    await using sandbox = await startTestSandbox({ stateDir })
    await search(sandbox, 'dentists')
    await sandbox.advanceClock(60)
    await sandbox.addFault({ provider: 'websites', kind: 'reset' })
    expect((await sandbox.control('DELETE', '/_sandbox')).status).toBe(204)
    expect(await readFile(journal(), 'utf8')).toBe('')
    expect(await (await sandbox.control('GET', '/_sandbox/faults')).json()).toEqual({ data: [] })
    await search(sandbox, 'dentists')
    expect(await sandbox.requests()).toMatchObject([{ seq: 1, billed: true }])
  })
})

describe('in a sandbox', () => {
  let sandbox: TestSandbox
  beforeEach(async () => {
    sandbox = await startTestSandbox()
  })
  afterEach(() => sandbox.close())

  const hits = async () => {
    await sandbox.control('DELETE', '/_sandbox')
    await sandbox.addFault({ provider: 'serpapi', kind: 'status', status: 503, rate: 0.5, seed: 7 })
    const statuses = []
    for (let sent = 0; sent < 40; sent += 1) statuses.push(await status())
    return statuses
  }

  const status = async () => (await search(sandbox, 'dentists')).status

  test('an identical search is free for an hour of its clock', async () => {
    await search(sandbox, 'dentists')
    await sandbox.advanceClock(3599)
    await search(sandbox, 'dentists')
    await sandbox.advanceClock(2)
    await search(sandbox, 'dentists')
    await search(sandbox, 'dentists&no_cache=true')
    expect((await sandbox.requests()).map(({ billed }) => billed)).toEqual([true, false, true, true])
  })

  test('an answer from the cache is the one that was paid, word for word', async () => {
    const answer = async () => (await search(sandbox, 'dentists')).text()
    const paid = await answer()
    await sandbox.advanceClock(60)
    expect(await answer()).toBe(paid)
    await sandbox.advanceClock(3600)
    expect(await answer()).not.toBe(paid)
  })

  test('the account tells how many searches are left', async () => {
    const account = async () => (await fetch(`${sandbox.urls.serpapi}/account?api_key=secret`)).json()
    expect(await account()).toMatchObject({ total_searches_left: 100_000 })
    await search(sandbox, 'dentists')
    await search(sandbox, 'dentists')
    expect(await account()).toMatchObject({ total_searches_left: 99_999 })
  })

  test('accept-then-drop does the work and says nothing', async () => {
    await sandbox.addFault({ provider: 'serpapi', kind: 'accept-then-drop', count: 1 })
    await expect(search(sandbox, 'dentists')).rejects.toThrow()
    await search(sandbox, 'dentists')
    expect(await sandbox.requests()).toMatchObject([
      { billed: true, status: null, fault: 'accept-then-drop' },
      { billed: false, status: 200 },
    ])
  })

  test('a reset or a silent provider has done nothing', async () => {
    await sandbox.addFault({ provider: 'serpapi', kind: 'reset', count: 1 })
    await expect(search(sandbox, 'dentists')).rejects.toThrow()
    expect(await sandbox.requests()).toMatchObject([{ status: null, fault: 'reset' }])
    await search(sandbox, 'dentists')
    expect(await sandbox.requests()).toMatchObject([{}, { billed: true }])
  })

  test('the same seed hits the same requests, about as many as the rate says', async () => {
    const first = await hits()
    expect(await hits()).toEqual(first)
    const failed = first.filter((one) => one === 503).length
    expect(failed).toBeGreaterThan(8)
    expect(failed).toBeLessThan(32)
  })

  test('a fault stays with its operation and provider, and goes when lifted', async () => {
    await sandbox.addFault({ provider: 'serpapi', operation: 'account', kind: 'status', status: 500 })
    await sandbox.addFault({ provider: 'websites', kind: 'status', status: 500 })
    expect(await status()).toBe(200)
    expect((await fetch(`${sandbox.urls.serpapi}/account?api_key=secret`)).status).toBe(500)
    expect((await sandbox.control('DELETE', '/_sandbox/faults')).status).toBe(204)
    expect((await fetch(`${sandbox.urls.serpapi}/account?api_key=secret`)).status).toBe(200)
  })

  test('latency delays the answer by what was asked', async () => {
    await sandbox.addFault({ provider: 'serpapi', kind: 'latency', latencyMs: 60_000, count: 1 })
    const impatient = fetch(`${sandbox.urls.serpapi}/account?api_key=secret`, { signal: AbortSignal.timeout(50) })
    await expect(impatient).rejects.toThrow(/timeout/)
    await sandbox.control('DELETE', '/_sandbox/faults')
    await sandbox.addFault({ provider: 'serpapi', kind: 'latency', latencyMs: 1 })
    expect(await status()).toBe(200)
  })

  test.each([
    ['POST', '/_sandbox/faults', { provider: 'serpapi', kind: 'status' }, '/status'],
    ['POST', '/_sandbox/faults', { provider: 'serpapi', kind: 'reset', rate: 2 }, '/rate'],
    ['POST', '/_sandbox/faults', { provider: 'serpapi', kind: 'explode' }, '/kind'],
    ['POST', '/_sandbox/faults', { provider: 'serp', kind: 'reset' }, '/provider'],
    ['POST', '/_sandbox/faults', { provider: 'serpapi', operation: 'find', kind: 'reset' }, '/operation'],
    ['POST', '/_sandbox/clock', { now: 'tomorrow' }, '/now'],
    ['POST', '/_sandbox/events', { provider: 'serpapi' }, '/type'],
    ['GET', '/_sandbox/requests?limit=0', undefined, '/limit'],
  ])('%s %s with %o is refused, and told where it is wrong', async (method, path, body, pointer) => {
    const response = await sandbox.control(method, path, body)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ errors: [{ pointer }] })
  })

  test('events are refused for a provider that has none', async () => {
    const response = await sandbox.control('POST', '/_sandbox/events', { provider: 'serpapi', type: 'done' })
    expect(response.status).toBe(422)
    expect(await response.json()).toEqual({ error: 'serpapi has no events in this sandbox' })
  })

  test('the ledger is read in pages and by provider and host', async () => {
    for (const name of ['one', 'two', 'one', 'one']) {
      const { body } = await request(sandbox.urls.sites, { headers: { host: `${name}.test` } })
      await body.dump()
    }
    await search(sandbox, 'dentists')
    const page = async (query: string) => (await sandbox.control('GET', `/_sandbox/requests?${query}`)).json()
    expect(await page('host=one.test&limit=2')).toMatchObject({ data: [{ seq: 1 }, { seq: 3 }], nextSince: 3 })
    expect(await page('host=one.test&limit=2&since=3')).toMatchObject({ data: [{ seq: 4 }], nextSince: null })
    expect(await page('provider=serpapi')).toMatchObject({ data: [{ seq: 5 }], nextSince: null })
  })

  test('a port in use is named', async () => {
    const port = new URL(sandbox.urls.control).port
    expect((await sandbox.control('GET', '/elsewhere')).status).toBe(404)
    await expect(startTestSandbox({ controlPort: Number(port) })).rejects.toThrow(`port ${port}, wanted for`)
  })
})
