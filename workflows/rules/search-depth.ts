type Engine = 'google' | 'google_maps'
type SearchDepth = 'quick' | 'standard' | 'deep'

/** On a full page; many have fewer. */
const resultsPerPage: Record<Engine, number> = { google: 10, google_maps: 20 }

/** How many pages each depth buys at most. */
const pagesOf: Record<SearchDepth, Record<Engine, number>> = {
  quick: { google: 1, google_maps: 1 },
  standard: { google: 3, google_maps: 3 },
  deep: { google: 10, google_maps: 5 },
}

/**
 * How many results a search may bring and how many pages it may buy, each of which is paid for. An exact `limit` is worth as many pages
 * as it takes, up to those of the deepest search.
 */
export function searchExtent({
  engine,
  depth = 'standard',
  limit,
}: {
  engine: Engine
  depth?: SearchDepth | undefined
  limit?: number | undefined
}): { limit: number; pages: number } {
  if (limit !== undefined) return { limit, pages: pagesOf.deep[engine] }
  const pages = pagesOf[depth][engine]
  return { limit: pages * resultsPerPage[engine], pages }
}
