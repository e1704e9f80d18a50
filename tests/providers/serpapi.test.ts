import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ProviderError, type SearchPageQuery } from '../../activities/ports.ts'
import { createSerpapi } from '../../providers/serpapi/client.ts'
import { startTestSandbox, type TestSandbox } from '../support/sandbox.ts'

const apiKey = 'top-secret-key'
const neverAborted = new AbortController().signal
const dentists: SearchPageQuery = {
  engine: 'google',
  query: 'dentists',
  location: 'Austin, Texas, United States',
  country: 'US',
  page: 0,
}
const dentistsOnMaps: SearchPageQuery = { ...dentists, engine: 'google_maps' }

describe('against the sandbox', () => {
  let sandbox: TestSandbox
  beforeEach(async () => {
    sandbox = await startTestSandbox()
  })
  afterEach(() => sandbox.close())

  function client(settings: { apiKey?: string; timeoutMs?: number } = {}) {
    return createSerpapi({ apiKey, baseUrl: sandbox.urls.serpapi, ...settings })
  }

  const search = () => client().searchPage(dentists, neverAborted)
  const failure = () =>
    client({ timeoutMs: 50 })
      .searchPage(dentists, neverAborted)
      .catch((error: unknown) => error)

  async function everyPage(query: SearchPageQuery) {
    const pages = []
    for (let page = 0, hasMore = true; hasMore; page += 1) {
      const found = await client().searchPage({ ...query, page }, neverAborted)
      hasMore = found.hasMore
      pages.push(found.businesses)
    }
    return pages
  }

  test('finds businesses page by page until there are no more', async () => {
    const pages = await everyPage(dentists)
    expect(pages.length).toBeGreaterThan(2)
    const results = pages.map((page) => page.filter(({ isAd }) => !isAd))
    expect(results.slice(0, -1).every(({ length }) => length === 10)).toBe(true)
    expect(pages[0]?.[0]).toEqual({
      name: expect.stringContaining('Austin'),
      website: expect.stringMatching(/^https?:\/\/.+\.test\//),
      placeId: null,
      phone: null,
      address: null,
      isAd: false,
    })
  })

  test('the ads of a page come with it, after the results and at no cost of their own', async () => {
    const queries = ['dentist', 'florist', 'bakery'].map((query) => ({ ...dentists, query }))
    const pages = (await Promise.all(queries.map(everyPage))).flat()
    for (const page of pages) {
      const ads = page.map(({ isAd }) => Number(isAd))
      expect(ads).toEqual(ads.toSorted((a, b) => a - b))
    }
    const hostsOf = (ads: boolean) =>
      pages.flat().flatMap(({ isAd, website }) => (isAd === ads && website ? [new URL(website).host] : []))
    const [advertisers, organic] = [new Set(hostsOf(true)), new Set(hostsOf(false))]
    expect(advertisers).toContain('www.thumbtack.com')
    expect(advertisers.difference(organic).size).toBeGreaterThan(1)
    expect(advertisers.intersection(organic).size).toBeGreaterThan(0)
    const billed = (await sandbox.requests()).filter((request) => request.billed)
    expect(billed).toHaveLength(pages.length)
    expect((await everyPage(dentistsOnMaps)).flat().some(({ isAd }) => isAd)).toBe(false)
  })

  test('finds places on Maps, some of them without a website', async () => {
    const places = (await everyPage(dentistsOnMaps)).flat()
    expect(places.length).toBeGreaterThanOrEqual(30)
    expect(places.some(({ website }) => website === null)).toBe(true)
    expect(places.some(({ website }) => website !== null)).toBe(true)
    expect(places.every(({ placeId, phone }) => placeId?.startsWith('ChIJ') && /-555-01\d\d$/.test(phone ?? ''))).toBe(
      true,
    )
  })

  test('the sandbox shows the same business in several searches, and directories between them', async () => {
    const organic = (await everyPage(dentists)).flat().map(({ website }) => new URL(website ?? '').host)
    const places = (await everyPage(dentistsOnMaps)).flat()
    const placeHosts = places.flatMap(({ website }) => (website === null ? [] : [new URL(website).host]))
    expect(new Set(organic).size).toBeLessThan(organic.length)
    expect(new Set(places.map(({ placeId }) => placeId)).size).toBeLessThan(places.length)
    expect(placeHosts.some((host) => organic.includes(host))).toBe(true)
    expect(organic).toEqual(expect.arrayContaining(['www.yelp.com', 'www.facebook.com', 'www.yellowpages.com']))
  })

  test('the same page twice within the hour costs one search, and is asked for in the very same words', async () => {
    const first = await client().searchPage(dentistsOnMaps, neverAborted)
    const second = await client().searchPage({ ...dentistsOnMaps }, neverAborted)
    const requests = await sandbox.requests({ provider: 'serpapi' })
    expect(second).toEqual(first)
    expect(requests.map(({ billed }) => billed)).toEqual([true, false])
    expect(requests[1]?.path).toBe(requests[0]?.path)
    expect(requests[0]?.path).toBe(
      '/search?engine=google_maps&type=search&q=dentists+in+Austin%2C+Texas%2C+United+States&gl=us',
    )
  })

  test('a search that finds nothing is an empty page, not a failure', async () => {
    const page = await client().searchPage({ ...dentists, location: 'Ghost Town' }, neverAborted)
    expect(page).toEqual({ businesses: [], hasMore: false })
  })

  test.each([
    ['a key that is not valid', { apiKey: 'wrong-key' }, dentists, { outcome: 'rejected', code: 'invalid_key' }],
    [
      'a place that Google does not know',
      {},
      { ...dentists, location: 'Atlantis' },
      { outcome: 'rejected', code: 'http_400' },
    ],
    ['a query without words', {}, { ...dentists, query: '' }, { outcome: 'rejected', code: 'http_400' }],
  ])('%s is rejected', async (_, settings, query, rejection) => {
    await expect(client(settings).searchPage(query, neverAborted)).rejects.toMatchObject(rejection)
  })

  test('says when to come back where the provider says so', async () => {
    await sandbox.addFault({ provider: 'serpapi', kind: 'status', status: 429, retryAfterSeconds: 90, count: 1 })
    await sandbox.addFault({ provider: 'serpapi', kind: 'status', status: 429, count: 1 })
    await expect(search()).rejects.toMatchObject({ outcome: 'retryAfter', code: 'rate_limited', retryAfterMs: 90_000 })
    await expect(search()).rejects.toMatchObject({
      outcome: 'retryAfter',
      code: 'rate_limited',
      retryAfterMs: undefined,
    })
    await expect(search()).resolves.toMatchObject({ hasMore: true })
  })

  test('tells searches that are used up from searches that come too fast', async () => {
    await using poor = await startTestSandbox({ serpapi: { searchesPerMonth: 1 } })
    const searchPoorly = (page: number) =>
      createSerpapi({ apiKey, baseUrl: poor.urls.serpapi }).searchPage({ ...dentists, page }, neverAborted)
    await searchPoorly(0)
    await expect(searchPoorly(1)).rejects.toMatchObject({ outcome: 'rejected', code: 'searches_used_up' })
    await expect(searchPoorly(0)).resolves.toMatchObject({ hasMore: true })
  })

  test.each([
    [{ kind: 'status', status: 503 } as const, 'http_503'],
    [{ kind: 'reset' } as const, 'network'],
    [{ kind: 'accept-then-drop' } as const, 'network'],
    [{ kind: 'timeout' } as const, 'timeout'],
  ])('may be asked again after %o, and is billed once', async (fault, code) => {
    await sandbox.addFault({ provider: 'serpapi', count: 1, ...fault })
    const impatient = client({ timeoutMs: fault.kind === 'timeout' ? 50 : 25_000 })
    await expect(impatient.searchPage(dentists, neverAborted)).rejects.toMatchObject({ outcome: 'retry', code })
    await client().searchPage(dentists, neverAborted)
    expect((await sandbox.requests()).filter(({ billed }) => billed)).toHaveLength(1)
  })

  test('gives up with the reason of the caller who gave up', async () => {
    await sandbox.addFault({ provider: 'serpapi', kind: 'timeout' })
    const caller = new AbortController()
    const answer = client().searchPage(dentists, caller.signal)
    const reason = new Error('cancelled')
    caller.abort(reason)
    await expect(answer).rejects.toBe(reason)
  })

  test('the key appears neither in failures nor in the ledger', async () => {
    await sandbox.addFault({ provider: 'serpapi', kind: 'reset', count: 1 })
    await sandbox.addFault({ provider: 'serpapi', kind: 'status', status: 500, count: 1 })
    await sandbox.addFault({ provider: 'serpapi', kind: 'timeout', count: 1 })
    const failures = [await failure(), await failure(), await failure()]
    expect(failures.every((error) => error instanceof ProviderError)).toBe(true)
    expect(inspect(failures, { depth: null, showHidden: true })).not.toContain(apiKey)
    expect(JSON.stringify(await sandbox.requests())).not.toContain(apiKey)
  })
})

describe('whatever is answered', () => {
  const success = { search_metadata: { status: 'Success' } }

  test.each([
    ['a page of HTML', '<html>'],
    ['no status', { organic_results: [] }],
    ['a status never heard of', { search_metadata: { status: 'Pondering' } }],
    ['results that are no list', { ...success, organic_results: { first: {} } }],
    ['nothing but entries of another shape', { ...success, organic_results: [{ name: 'Bright' }, { name: 'Oak' }] }],
  ])('%s is an unexpected answer', async (_, body) => {
    await expect(searchAnswered(body)).rejects.toMatchObject({ outcome: 'retry', code: 'unexpected_answer' })
  })

  test.each(['Processing', 'Queued'])('a search still %s is asked for again later', async (status) => {
    const search = searchAnswered({ search_metadata: { status } })
    await expect(search).rejects.toMatchObject({ outcome: 'retry', code: 'still_processing' })
  })

  test('one odd entry does not cost its page', async () => {
    const page = await searchAnswered({
      ...success,
      organic_results: [{ title: 'No link' }, { title: 'A', link: 'http://a.test/' }],
    })
    expect(page.businesses.map(({ name }) => name)).toEqual(['A'])
  })

  test.each([
    ['no list', { first: {} }, []],
    ['a list of oddities', [null, 'ad', { title: 'A', tracking_link: 'https://www.googleadservices.com/x' }], []],
    ['an ad among oddities', [{ title: 'No link' }, { title: 'B', link: 'http://b.test/' }], ['B']],
  ])('ads that are %s do not cost the page', async (_, ads, names) => {
    const page = await searchAnswered({ ...success, ads, organic_results: [{ title: 'A', link: 'http://a.test/' }] })
    expect(page.businesses.map(({ name }) => name)).toEqual(['A', ...names])
  })

  test('a place whose id no index could hold is found without it', async () => {
    const local_results = [{ title: 'Oak Hill Smiles', place_id: 'x'.repeat(5_000) }]
    const page = await searchAnswered({ ...success, local_results }, {}, 200, dentistsOnMaps)
    expect(page.businesses).toMatchObject([{ name: 'Oak Hill Smiles', placeId: null }])
  })

  test('the one place that Maps shows instead of a list is found', async () => {
    const body = {
      ...success,
      place_results: { title: 'Oak Hill Smiles', place_id: 'ChIJ1', address: '', rating: 4.5 },
    }
    const page = await searchAnswered(body, {}, 200, dentistsOnMaps)
    const place = { name: 'Oak Hill Smiles', placeId: 'ChIJ1', website: null, phone: null, address: null, isAd: false }
    expect(page).toEqual({ businesses: [place], hasMore: false })
  })

  test('a date in Retry-After is as good as seconds', async () => {
    const past = searchAnswered('', { 'retry-after': 'Sat, 21 Nov 2015 09:00:00 GMT' }, 429)
    await expect(past).rejects.toMatchObject({ outcome: 'retryAfter', retryAfterMs: 0 })
    const odd = searchAnswered('', { 'retry-after': 'soon' }, 429)
    await expect(odd).rejects.toMatchObject({ outcome: 'retryAfter', retryAfterMs: undefined })
  })
})

function searchAnswered(body: string | object, headers = {}, status = 200, query = dentists) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const fetch = () => Promise.resolve(new Response(text, { status, headers }))
  return createSerpapi({ apiKey, baseUrl: 'https://serpapi.example', fetch }).searchPage(query, neverAborted)
}
