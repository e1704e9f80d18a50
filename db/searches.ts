import type { Tx } from './client.ts'
import { bookSearch } from './spend.ts'

export interface SearchPageIdentity {
  campaignId: string
  engine: 'list' | 'google' | 'google_maps'
  /** The same for the same search, whoever asks. */
  fingerprint: string
  page: number
  /** In words, for people; the own list has none. */
  query?: string
  location?: string
}

/**
 * What to do with a page: `ask` the provider (its price is booked by now; `isUnspent` tells that no call can have used the booking yet),
 * take the `done` answer, or give up as `failed` because two paid calls have brought no answer.
 */
export type PageClaim =
  | { action: 'ask'; searchId: string; isUnspent: boolean }
  | { action: 'done'; results: number; hasMore: boolean }
  | { action: 'failed' }

/** The provider answers an identical search from its cache, unpaid, for this long (serpapi.com/search-api, "no_cache"). */
const cacheMs = 3_600_000

/**
 * Claims a page before the provider is called, booking one paid search under a key of its own. Found claimed but unanswered (someone was
 * killed in between), the page is asked again: within the hour that is free; later it is booked and paid once more, and not a third time.
 * Throws CeilingReached when the page may not be paid for: then nothing of the transaction may stay.
 */
export async function claimSearchPage(tx: Tx, page: SearchPageIdentity, now: Date): Promise<PageClaim> {
  const { campaignId, engine, fingerprint, query = null, location = null } = page
  await tx`
    insert into searches (campaign_id, engine, fingerprint, page, query, location, asked_at)
    values (${campaignId}, ${engine}, ${fingerprint}, ${page.page}, ${query}, ${location}, ${now})
    on conflict (campaign_id, fingerprint, page) do nothing`
  const [row] = await tx<SearchRow[]>`
    select id, status, asked_at, results, has_more from searches
    where campaign_id = ${campaignId} and fingerprint = ${fingerprint} and page = ${page.page} for update`
  if (!row) throw new Error('the page was just inserted')
  if (row.status === 'done') return { action: 'done', results: row.results ?? 0, hasMore: row.hasMore ?? false }
  if (row.status === 'failed') return { action: 'failed' }
  const ask = { action: 'ask', searchId: row.id } as const
  if (engine === 'list' || (await book(tx, campaignId, row.id, 1, now))) return { ...ask, isUnspent: true }
  if (row.status === 'asking' && now.getTime() - row.askedAt.getTime() < cacheMs) return { ...ask, isUnspent: false }
  if (row.status === 'refused' || (await book(tx, campaignId, row.id, 2, now))) {
    await tx`update searches set status = 'asking', asked_at = ${now} where id = ${row.id}`
    return { ...ask, isUnspent: true }
  }
  await tx`update searches set status = 'failed' where id = ${row.id}`
  return { action: 'failed' }
}

interface SearchRow {
  id: string
  status: 'asking' | 'refused' | 'done' | 'failed'
  askedAt: Date
  results: number | null
  hasMore: boolean | null
}

/** Books the n-th payment of a page; false when it was booked before. */
function book(tx: Tx, campaignId: string, searchId: string, payment: 1 | 2, now: Date): Promise<boolean> {
  return bookSearch(tx, { sourceKey: `search/${searchId}/${payment}`, campaignId }, now)
}

/**
 * The provider took nothing for this call of a page whose booking was unspent: asking again needs no second booking. Not for a page that
 * was left without an answer before: that call may have been taken.
 */
export async function recordRefusal(tx: Tx, searchId: string): Promise<void> {
  await tx`update searches set status = 'refused' where id = ${searchId} and status = 'asking'`
}

export interface SearchAnswer {
  /** Without the ads. */
  results: number
  /** Whether the next page is wanted: false ends the search. */
  hasMore: boolean
  droppedDirectories: number
  droppedExclusions: number
  droppedUnusable: number
}

/** Closes a page; false when another attempt has closed it, whose findings then stand. */
export async function recordSearchPage(tx: Tx, searchId: string, answer: SearchAnswer): Promise<boolean> {
  const [row] = await tx`
    update searches set status = 'done', results = ${answer.results}, has_more = ${answer.hasMore},
      dropped_directories = ${answer.droppedDirectories}, dropped_exclusions = ${answer.droppedExclusions},
      dropped_unusable = ${answer.droppedUnusable}
    where id = ${searchId} and status = 'asking' returning 1`
  return row !== undefined
}

/** How many of a campaign's searches have ended, and how many of its own lists: one at most. */
export async function countEndedSearches(tx: Tx, campaignId: string): Promise<{ searches: number; lists: number }> {
  const [row] = await tx<{ searches: number; lists: number }[]>`
    select count(*) filter (where engine <> 'list')::int as searches, count(*) filter (where engine = 'list')::int as lists
    from searches
    where campaign_id = ${campaignId} and (status = 'failed' or (status = 'done' and not has_more))`
  return row ?? { searches: 0, lists: 0 }
}

export interface SearchHistoryRow {
  id: string
  campaignId: string
  engine: 'google' | 'google_maps'
  /** Null for pages that were claimed before it was kept. */
  query: string | null
  location: string | null
  page: number
  status: SearchRow['status']
  results: number | null
  /** Searches booked, 2 at most. */
  paid: number
  askedAt: Date
}

/** The pages that were asked of a provider, the newest first, from below the id `before`. */
export function listSearches(
  tx: Tx,
  page: { limit: number; before: string | null; campaignId: string | null },
): Promise<SearchHistoryRow[]> {
  return tx<SearchHistoryRow[]>`
    select id, campaign_id, engine, query, location, page, status, results, asked_at,
      (select coalesce(sum(units), 0)::int from spend
       where source_key in ('search/' || searches.id || '/1', 'search/' || searches.id || '/2')) as paid
    from searches
    where engine <> 'list'
      and ${page.before === null ? tx`true` : tx`id < ${page.before}`}
      and ${page.campaignId === null ? tx`true` : tx`campaign_id = ${page.campaignId}`}
    order by id desc limit ${page.limit}`
}
