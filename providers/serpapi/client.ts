import { z } from 'zod'
import {
  type BusinessSearch,
  type FoundBusiness,
  ProviderError,
  type SearchPage,
  type SearchPageQuery,
} from '../../activities/ports.ts'

interface SerpapiSettings {
  apiKey: string
  /** `https://serpapi.com`, or where a sandbox answers in its place. */
  baseUrl: string
  fetch?: typeof globalThis.fetch
  timeoutMs?: number
}

/**
 * Business search through SerpAPI. An identical search is free for an hour, so every failure whose outcome is unknown is classed as
 * `retry`. Throws ProviderError, or the signal's reason when the caller gave up.
 */
export function createSerpapi(settings: SerpapiSettings): BusinessSearch {
  return {
    async searchPage(query, signal) {
      const answer = await ask(settings, searchParameters(query), signal)
      return query.engine === 'google' ? organicPage(answer) : mapsPage(answer)
    },
  }
}

/**
 * The same query always gives the same parameters in the same order: the provider's free cache goes by them. The first page has no
 * `start`, because Maps has been seen to answer `start=0` with nothing.
 */
function searchParameters({ engine, query, location, country, page }: SearchPageQuery): URLSearchParams {
  const isMaps = engine === 'google_maps'
  const parameters = new URLSearchParams({ engine })
  if (isMaps) parameters.set('type', 'search')
  parameters.set('q', isMaps && location !== '' ? `${query} in ${location}` : query)
  if (!isMaps && location !== '') parameters.set('location', location)
  parameters.set('gl', country.toLowerCase())
  if (page > 0) parameters.set('start', String(page * (isMaps ? 20 : 10)))
  return parameters
}

async function ask(
  { apiKey, baseUrl, fetch = globalThis.fetch, timeoutMs = 25_000 }: SerpapiSettings,
  parameters: URLSearchParams,
  signal: AbortSignal,
): Promise<unknown> {
  const url = `${baseUrl.replace(/\/$/, '')}/search?${parameters.toString()}&api_key=${encodeURIComponent(apiKey)}`
  const timeout = AbortSignal.timeout(timeoutMs)
  let response: Response
  let body: string
  try {
    response = await fetch(url, { redirect: 'manual', signal: AbortSignal.any([signal, timeout]) })
    body = await response.text()
  } catch {
    // The error is dropped, not wrapped: fetch puts the address, and so the key, into messages and causes.
    signal.throwIfAborted()
    throw new ProviderError('serpapi', 'retry', timeout.aborted ? 'timeout' : 'network')
  }
  if (response.status !== 200) throw failureOf(response, body)
  try {
    return JSON.parse(body)
  } catch {
    throw unexpectedAnswer()
  }
}

function failureOf({ status, headers }: Response, body: string): ProviderError {
  if (status === 429) {
    // One status for two limits: searches an hour, which soon passes, and searches a month, which somebody must raise.
    if (/run out of searches/i.test(body)) return new ProviderError('serpapi', 'rejected', 'searches_used_up')
    return new ProviderError('serpapi', 'retryAfter', 'rate_limited', retryAfterMs(headers.get('retry-after')))
  }
  if (status === 401 || status === 403) return new ProviderError('serpapi', 'rejected', 'invalid_key')
  if (status >= 500 || status === 408) return new ProviderError('serpapi', 'retry', `http_${status}`)
  if (status >= 400) return new ProviderError('serpapi', 'rejected', `http_${status}`)
  return unexpectedAnswer()
}

/** The header holds seconds or a date; undefined when it is absent or says neither. */
function retryAfterMs(header: string | null): number | undefined {
  if (header === null) return undefined
  if (/^\d+$/.test(header)) return Number(header) * 1000
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now())
}

const Frame = z.object({
  search_metadata: z.object({ status: z.string() }),
  serpapi_pagination: z.object({ next: z.string().optional() }).optional(),
})
const OrganicAnswer = Frame.extend({
  organic_results: z.array(z.unknown()).default([]),
  /** Come with the page at no further cost. */
  ads: z.array(z.unknown()).catch([]),
})
const MapsAnswer = Frame.extend({
  local_results: z.array(z.unknown()).default([]),
  /** Stands in the place of `local_results` when exactly one business fits. */
  place_results: z.unknown().optional(),
})

const OrganicResult = z.object({ title: z.string(), link: z.string() })
/** `tracking_link` is not read: it leads to the business by way of Google, who counts and bills it as a click. */
const Ad = OrganicResult
/** More than any page has. */
const mostAds = 50
const Place = z.object({
  title: z.string(),
  /** One that is too long for an index would cost its page. */
  place_id: z.string().max(255).optional().catch(undefined),
  phone: z.string().optional(),
  address: z.string().optional(),
  website: z.string().optional(),
})

function organicPage(answer: unknown): SearchPage {
  const page = finished(OrganicAnswer, answer)
  const results = entries(OrganicResult, page.organic_results).map((result) => linked(result, false))
  const ads = fitting(Ad, page.ads.slice(0, mostAds)).map((ad) => linked(ad, true))
  return { businesses: [...results, ...ads], hasMore: hasNext(page) }
}

function linked({ title, link }: z.infer<typeof OrganicResult>, isAd: boolean): FoundBusiness {
  return { name: title, website: link, placeId: null, phone: null, address: null, isAd }
}

function mapsPage(answer: unknown): SearchPage {
  const page = finished(MapsAnswer, answer)
  const places = page.place_results === undefined ? page.local_results : [page.place_results]
  const businesses = entries(Place, places).map(
    (place): FoundBusiness => ({
      name: place.title,
      website: place.website || null,
      placeId: place.place_id || null,
      phone: place.phone || null,
      address: place.address || null,
      isAd: false,
    }),
  )
  return { businesses, hasMore: hasNext(page) }
}

/** A search without results is a success too: it comes with an `error` sentence beside the status. */
function finished<Answer extends z.infer<typeof Frame>>(schema: z.ZodType<Answer>, answer: unknown): Answer {
  const parsed = schema.safeParse(answer)
  if (!parsed.success) throw unexpectedAnswer()
  switch (parsed.data.search_metadata.status) {
    case 'Success':
    case 'Cached':
      return parsed.data
    case 'Processing':
    case 'Queued':
      throw new ProviderError('serpapi', 'retry', 'still_processing')
    case 'Error':
      throw new ProviderError('serpapi', 'retry', 'search_failed')
    default:
      throw unexpectedAnswer()
  }
}

/** One odd entry is passed over, so that it cannot cost its page; a page of nothing else is an API that has changed. */
function entries<Entry>(schema: z.ZodType<Entry>, items: unknown[]): Entry[] {
  const found = fitting(schema, items)
  if (items.length > 0 && found.length === 0) throw unexpectedAnswer()
  return found
}

function fitting<Entry>(schema: z.ZodType<Entry>, items: unknown[]): Entry[] {
  return items.flatMap((item) => schema.safeParse(item).data ?? [])
}

function hasNext({ serpapi_pagination: pagination }: z.infer<typeof Frame>): boolean {
  return pagination?.next !== undefined
}

function unexpectedAnswer(): ProviderError {
  return new ProviderError('serpapi', 'retry', 'unexpected_answer')
}
