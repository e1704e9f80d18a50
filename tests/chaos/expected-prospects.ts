import { createSerpapi } from '../../providers/serpapi/client.ts'
import { createSerpapiSandbox } from '../../providers/serpapi/sandbox.ts'
import { searchExtent } from '../../workflows/rules/search-depth.ts'
import { sift } from '../../workflows/rules/sifting.ts'
import { businessKeys, homePageOf } from '../../workflows/rules/websites.ts'

export interface WantedSearch {
  engine: 'google' | 'google_maps'
  query: string
  location: string
  limit: number
}

/** What tells one business from another in a list: its own domain, else its name and address. */
export function labelOf(business: { website: string | null; name: string | null; address: string | null }): string {
  return (
    businessKeys({ website: business.website, placeId: null })[0]?.value ??
    `${business.name ?? ''}, ${business.address ?? ''}`
  )
}

/** The businesses that these searches find in calm weather: the same client and rules on a sandbox where nothing goes wrong. */
export async function expectedProspects(searches: readonly WantedSearch[]): Promise<Set<string>> {
  const sandbox = createSerpapiSandbox()
  const search = createSerpapi({
    apiKey: 'calm',
    baseUrl: 'http://calm.test',
    fetch: async (url) => (await sandbox.handle(new Request(url), { now: new Date() })).reply,
  })
  const labels = new Set<string>()
  for (const { engine, query, location, limit } of searches) {
    const { pages } = searchExtent({ engine, limit })
    let left = limit
    for (let page = 0, hasMore = true; hasMore && left > 0 && page < pages; page += 1) {
      const found = await search.searchPage({ engine, query, location, country: 'US', page }, neverAborted)
      const taken = found.businesses.filter(({ isAd }) => !isAd).slice(0, left)
      const ads = found.businesses.filter(({ isAd }) => isAd)
      const shown = [...taken, ...ads].map((one) => ({ ...one, website: one.website && homePageOf(one.website) }))
      for (const kept of sift(shown, () => false).kept) labels.add(labelOf(kept))
      left -= taken.length
      hasMore = found.hasMore
    }
  }
  return labels
}

const neverAborted = new AbortController().signal
