import { createHash } from 'node:crypto'
import { adsOf } from './sandbox-ads.ts'
import { findInTown, slug, type TownBusiness } from './sandbox-town.ts'

interface Answer {
  reply: Response
  billed: boolean
}

interface Billed {
  path: string
  at: string
  billed?: boolean | undefined
}

const cacheMs = 60 * 60 * 1000
const pageSizes = { google: 10, google_maps: 20 } as const
type Engine = keyof typeof pageSizes
const isEngine = (engine: string): engine is Engine => Object.hasOwn(pageSizes, engine)

/** Sent to the provider, but no part of what is searched for. */
const parametersBesideTheSearch = new Set(['api_key', 'no_cache', 'async', 'output', 'source'])

/**
 * SerpAPI as far as Throughline uses it: Google searches with their ads, Maps searches, the account, the bill. The results follow from query and place alone.
 * An identical search within the hour is answered from the cache and not billed. Keys that begin with `wrong` are refused; Atlantis is
 * not a place that Google knows, and in Ghost Town there is nothing to find.
 */
export function createSerpapiSandbox({ searchesPerMonth = 100_000 } = {}) {
  const searchedAt = new Map<string, Date>()
  let searchesBilled = 0

  function bill(parameters: URLSearchParams, now: Date): void {
    searchedAt.set(cacheKey(parameters), now)
    searchesBilled += 1
  }

  function search(parameters: URLSearchParams, now: Date): Answer {
    const refusal = refusalOf(parameters)
    if (refusal !== null) return failed(400, refusal)

    const cachedAt = parameters.get('no_cache') === 'true' ? undefined : searchedAt.get(cacheKey(parameters))
    const fromCache = cachedAt !== undefined && now.getTime() - cachedAt.getTime() < cacheMs
    if (!fromCache) {
      if (searchesBilled >= searchesPerMonth) return failed(429, 'Your account has run out of searches.')
      bill(parameters, now)
    }
    return { reply: Response.json(results(parameters, fromCache ? cachedAt : now)), billed: !fromCache }
  }

  function account(): Answer {
    const left = searchesPerMonth - searchesBilled
    const body = {
      account_id: 'sandbox',
      plan_id: 'sandbox',
      plan_name: 'Sandbox Plan',
      searches_per_month: searchesPerMonth,
      plan_searches_left: left,
      extra_credits: 0,
      total_searches_left: left,
      this_month_usage: searchesBilled,
    }
    return { reply: Response.json(body), billed: false }
  }

  return {
    provider: 'serpapi',
    operations: ['search', 'account', 'unknown'],
    secretParameters: ['api_key'],

    operation(request: Request): string {
      return endpointOf(new URL(request.url).pathname)
    },

    handle(request: Request, { now }: { now: Date }): Promise<Answer> {
      const { pathname, searchParams } = new URL(request.url)
      return Promise.resolve(respond(endpointOf(pathname), searchParams, now))
    },

    /** Takes up the bill, and so the cache, where an earlier run left it. */
    restore({ path, at, billed }: Billed): void {
      if (billed) bill(new URL(path, 'http://sandbox').searchParams, new Date(at))
    },

    reset(): void {
      searchedAt.clear()
      searchesBilled = 0
    },
  }

  function respond(endpoint: string, parameters: URLSearchParams, now: Date): Answer {
    const key = parameters.get('api_key') ?? ''
    if (key === '' || key.startsWith('wrong')) {
      return failed(401, 'Invalid API key. Your API key should be here: https://serpapi.com/manage-api-key')
    }
    if (endpoint === 'search') return search(parameters, now)
    if (endpoint === 'account') return account()
    return failed(404, 'The page you were looking for does not exist.')
  }
}

function endpointOf(pathname: string): 'search' | 'account' | 'unknown' {
  const endpoint = pathname.replace(/\.json$/, '')
  if (endpoint === '/search') return 'search'
  return endpoint === '/account' ? 'account' : 'unknown'
}

function failed(status: number, error: string): Answer {
  return { reply: Response.json({ error }, { status }), billed: false }
}

function refusalOf(parameters: URLSearchParams): string | null {
  const engine = parameters.get('engine') ?? 'google'
  if (!isEngine(engine)) return `Unsupported \`${engine}\` search engine.`
  if (!parameters.get('q')) return 'Missing query `q` parameter.'
  if (engine === 'google_maps' && parameters.get('type') !== 'search') return 'Missing or unsupported `type` parameter.'
  if (!/^\d+$/.test(parameters.get('start') ?? '0')) return 'Unsupported `start` parameter.'
  const location = parameters.get('location')
  if (location !== null && /atlantis/i.test(location))
    return `Unsupported \`${location}\` location - location parameter.`
  return null
}

/** Parameters in another order are the same search. */
function cacheKey(parameters: URLSearchParams): string {
  const searched = [...parameters].filter(([name]) => !parametersBesideTheSearch.has(name))
  return new URLSearchParams(searched.sort(([a], [b]) => (a < b ? -1 : 1))).toString()
}

function results(parameters: URLSearchParams, searchedAt: Date) {
  const asked = parameters.get('engine') ?? 'google'
  const engine = isEngine(asked) ? asked : 'google'
  const start = Number(parameters.get('start') ?? 0)
  const { query, place } = queryAndPlace(parameters)
  const all = /ghost town/i.test(place) ? [] : findInTown(engine, query, townOf(place))
  const entries = engine === 'google' ? organicResults(all, query, townOf(place)) : localResults(all)
  const end = start + pageSizes[engine]
  const page = entries.slice(start, end).map((entry, index) => ({ position: index + 1, ...entry }))
  const ads = engine === 'google' && page.length > 0 ? adsOf(query, townOf(place), start) : []

  return {
    search_metadata: metadata(parameters, searchedAt),
    search_parameters: Object.fromEntries([...parameters].filter(([name]) => !parametersBesideTheSearch.has(name))),
    search_information: {
      query_displayed: parameters.get('q'),
      ...(engine === 'google' && { total_results: entries.length }),
      [engine === 'google' ? 'organic_results_state' : 'local_results_state']:
        page.length === 0 ? 'Fully empty' : 'Results for exact spelling',
    },
    ...(page.length === 0
      ? { error: "Google hasn't returned any results for this query." }
      : { [engine === 'google' ? 'organic_results' : 'local_results']: page }),
    ...(ads.length > 0 && { ads }),
    ...(end < entries.length && { serpapi_pagination: pagination(parameters, end, end / pageSizes[engine]) }),
  }
}

function metadata(parameters: URLSearchParams, searchedAt: Date) {
  const id = createHash('sha256')
    .update(`${cacheKey(parameters)}/${searchedAt.toISOString()}`)
    .digest('hex')
    .slice(0, 24)
  const at = `${searchedAt.toISOString().slice(0, 19).replace('T', ' ')} UTC`
  return {
    id,
    status: 'Success',
    json_endpoint: `https://serpapi.com/searches/sandbox/${id}.json`,
    created_at: at,
    processed_at: at,
    total_time_taken: 1.2,
  }
}

function pagination(parameters: URLSearchParams, start: number, currentPage: number) {
  const next = new URLSearchParams(cacheKey(parameters))
  next.set('start', String(start))
  const link = `https://serpapi.com/search.json?${next.toString()}`
  return { current: currentPage, next_link: link, next: link }
}

/** Google is told the place in a parameter of its own, Maps in the words of the query. */
function queryAndPlace(parameters: URLSearchParams): { query: string; place: string } {
  const asked = parameters.get('q') ?? ''
  const location = parameters.get('location')
  if (location !== null) return { query: asked, place: location }
  const split = asked.lastIndexOf(' in ')
  return split < 0 ? { query: asked, place: '' } : { query: asked.slice(0, split), place: asked.slice(split + 4) }
}

const townOf = (place: string): string => place.split(',')[0]?.trim() || 'Anytown'

/** Directories, and second pages of sites already listed, stand between the businesses as they do at Google. */
function organicResults(businesses: TownBusiness[], query: string, town: string) {
  const listed = businesses.filter(({ website }) => website !== null)
  return listed.flatMap(({ name, website, kind }, index) => {
    const entries = [organicResult(`${name} | ${kind} in ${town}`, website ?? '', name)]
    if (index % 9 === 2) entries.push(directoryEntry(Math.floor(index / 9), name, query, town))
    if (index % 12 === 7)
      entries.push(organicResult(`Contact | ${name}`, new URL('/contact', website ?? '').href, name))
    return entries
  })
}

function directoryEntry(turn: number, name: string, query: string, town: string) {
  const directories = [
    {
      title: `TOP 10 BEST ${query} in ${town}`,
      link: `https://www.yelp.com/search?find_desc=${slug(query)}`,
      source: 'Yelp',
    },
    { title: `${name} | ${town}`, link: `https://www.facebook.com/${slug(name)}`, source: 'Facebook' },
    { title: `${query} in ${town}`, link: `https://www.yellowpages.com/${slug(town)}/${slug(query)}`, source: 'YP' },
  ]
  const { title, link, source } = directories[turn % directories.length] ?? { title: '', link: '', source: '' }
  return organicResult(title, link, source)
}

function organicResult(title: string, link: string, source: string) {
  return {
    title,
    link,
    displayed_link: new URL(link).host,
    snippet: `${title}. Opening hours, prices and reviews.`,
    source,
  }
}

/** The first business of all is shown once more on the second page. */
function localResults(businesses: TownBusiness[]) {
  const shown = [...businesses]
  shown.splice(pageSizes.google_maps, 0, ...businesses.slice(0, 1))
  return shown.map(({ name, kind, website, placeId, phone, address, rating, reviews }) => ({
    title: name,
    place_id: placeId,
    data_id: `0x${createHash('sha256').update(placeId).digest('hex').slice(0, 16)}`,
    rating,
    reviews,
    type: kind,
    types: [kind],
    address,
    open_state: 'Open',
    phone,
    ...(website !== null && { website }),
  }))
}
