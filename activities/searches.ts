import { createHash } from 'node:crypto'
import { campaignCounts, campaignDefinition, campaignIsRunning } from '../db/campaigns.ts'
import type { Database, Tx } from '../db/client.ts'
import { recordFindings } from '../db/findings.ts'
import {
  claimSearchPage,
  countEndedSearches,
  recordRefusal,
  recordSearchPage,
  type SearchPageIdentity,
} from '../db/searches.ts'
import { CeilingReached } from '../db/spend.ts'
import type { CampaignDefinition } from '../workflows/contracts/prospect-campaign.schema.ts'
import type { CampaignCounts, SpendCeiling } from '../workflows/contracts/prospect-campaign.ts'
import { type ShownBusiness, sift } from '../workflows/rules/sifting.ts'
import { exclusionOf, homePageOf } from '../workflows/rules/websites.ts'
import { asE164 } from './analysis/phones.ts'
import type { CampaignRef } from './campaigns.ts'
import { type Clock, decisionTime } from './clock.ts'
import { notFound } from './failures.ts'
import { whileHeartbeating } from './heartbeat.ts'
import { type BusinessSearch, type FoundBusiness, ProviderError } from './ports.ts'
import { reportProgress } from './progress.ts'
import { storable } from './storable.ts'

/** `finished` is false when there is more to do once the campaign goes on: it was paused or ended in between, or may not pay for more. */
export interface BatchResult {
  finished: boolean
  counts: CampaignCounts
  ceiling?: SpendCeiling
}

export type SearchActivities = ReturnType<typeof createSearchActivities>

const websitesPerPage = 500
/** Whoever comes to the call later than this after claiming it does not call: somebody else may have claimed it since. */
const claimLifeMs = 10_000

export function createSearchActivities({
  database,
  search,
  clock,
}: {
  database: Database
  search: BusinessSearch
  clock: Clock
}) {
  return {
    /** Takes the user's own list in, page by page. */
    async importWebsites(batch: CampaignRef & { now: number }): Promise<BatchResult> {
      const definition = await load(batch)
      const isExcluded = exclusionOf(definition.exclusions)
      const pages = Math.ceil(definition.websites.length / websitesPerPage)
      let page = 0
      return whileHeartbeating(
        () => ({ page }),
        async () => {
          for (; page < pages; page += 1) {
            const identity = { campaignId: batch.campaignId, engine: 'list' as const, fingerprint: 'list', page }
            const businesses = definition.websites
              .slice(page * websitesPerPage, (page + 1) * websitesPerPage)
              .map(({ name, website }) => ({ name, website, placeId: null, phone: null, address: null, isAd: false }))
            const answer = { ...sift(businesses, isExcluded), results: businesses.length, hasMore: page + 1 < pages }
            const claim = await database.as(batch.organisationId, async (tx) => {
              const claimed = await claimWhileRunning(tx, identity, decisionTime(clock, batch.now))
              if (claimed?.action === 'ask') await record(tx, batch, definition, claimed.searchId, answer)
              return claimed
            })
            if (claim === null) return result(batch, false)
          }
          return result(batch, true)
        },
      )
    },

    /** Buys the pages of one search until its limit or its end, each page once. */
    async searchBusinesses(batch: CampaignRef & { index: number; now: number }): Promise<BatchResult> {
      const definition = await load(batch)
      const wanted = definition.searches[batch.index]
      if (!wanted) throw notFound('search')
      const isExcluded = exclusionOf(definition.exclusions)
      const fingerprint = fingerprintOf(wanted, definition.country)
      let page = 0
      return whileHeartbeating(
        () => ({ page }),
        async (signal) => {
          for (let taken = 0; ; page += 1) {
            const { engine, query, location } = wanted
            const identity = { campaignId: batch.campaignId, engine, fingerprint, page, query, location }
            const claimedAt = decisionTime(clock, batch.now)
            const claim = await database
              .as(batch.organisationId, (tx) => claimWhileRunning(tx, identity, claimedAt))
              .catch(ceilingOf)
            if (claim === null) return result(batch, false)
            if ('ceiling' in claim) return { ...(await result(batch, false)), ceiling: claim.ceiling }
            if (claim.action === 'failed') return result(batch, true)
            if (claim.action === 'done') {
              taken += claim.results
              if (!claim.hasMore) return result(batch, true)
              continue
            }
            if (decisionTime(clock, batch.now).getTime() - claimedAt.getTime() > claimLifeMs) {
              throw new ProviderError('serpapi', 'retry', 'claim_too_old')
            }
            const asked = { engine, query, location, country: definition.country, page }
            const found = await search.searchPage(asked, signal).catch(async (error: unknown) => {
              if (claim.isUnspent && isRefusal(error)) {
                await database.as(batch.organisationId, (tx) => recordRefusal(tx, claim.searchId))
              }
              throw error
            })
            const results = found.businesses.filter(({ isAd }) => !isAd).slice(0, wanted.limit - taken)
            const ads = found.businesses.filter(({ isAd }) => isAd) // beside the limit, since they cost nothing
            const businesses = [...results, ...ads].map((business) => shown(business, definition.country))
            taken += results.length
            const mayGoOn = taken < wanted.limit && page + 1 < (wanted.pages ?? Number.POSITIVE_INFINITY)
            const hasMore = found.hasMore && results.length > 0 && mayGoOn
            const answer = { ...sift(businesses, isExcluded), results: results.length, hasMore }
            await database.as(batch.organisationId, (tx) => record(tx, batch, definition, claim.searchId, answer))
            if (!hasMore) return result(batch, true)
          }
        },
      )
    },
  }

  async function load({ organisationId, campaignId }: CampaignRef): Promise<CampaignDefinition> {
    const definition = await database.as(organisationId, (tx) => campaignDefinition(tx, campaignId))
    if (!definition) throw notFound('campaign')
    return definition
  }

  async function claimWhileRunning(tx: Tx, page: SearchPageIdentity, now: Date) {
    return (await campaignIsRunning(tx, page.campaignId)) ? claimSearchPage(tx, page, now) : null
  }

  /** Keeps what a page brought, and tells of the search's end, in the transaction that closes the page. */
  async function record(
    tx: Tx,
    batch: CampaignRef & { now: number },
    definition: CampaignDefinition,
    searchId: string,
    { kept, dropped, results, hasMore }: ReturnType<typeof sift> & { results: number; hasMore: boolean },
  ): Promise<void> {
    if (!(await recordSearchPage(tx, searchId, { results, hasMore, ...dropped }))) return
    await recordFindings(tx, { campaignId: batch.campaignId, searchId, findings: kept })
    if (hasMore) return
    const total = definition.searches.length + (definition.websites.length > 0 ? 1 : 0)
    const count = async () => {
      const ended = await countEndedSearches(tx, batch.campaignId)
      return { done: ended.searches + ended.lists, total }
    }
    const now = decisionTime(clock, batch.now)
    await reportProgress(tx, batch.campaignId, 'prospect.found', { name: 'search', count }, now)
  }

  async function result({ organisationId, campaignId }: CampaignRef, finished: boolean): Promise<BatchResult> {
    return { finished, counts: await database.as(organisationId, (tx) => campaignCounts(tx, campaignId)) }
  }
}

/** A business as it is kept: its home page rather than the page that was found, its number in E.164, text that can be stored. */
function shown(business: FoundBusiness, country: string): ShownBusiness {
  const { name, website, phone, isAd } = business
  return storable({
    ...business,
    name: isAd ? null : name, // an advertisement's headline is no name
    website: website === null ? null : homePageOf(website),
    phone: phone === null ? null : asE164(phone, country),
  })
}

function ceilingOf(error: unknown): { ceiling: SpendCeiling } {
  if (error instanceof CeilingReached) return { ceiling: error.ceiling }
  throw error
}

/** The provider surely took nothing: what was booked pays for the next call of this page. */
function isRefusal(error: unknown): boolean {
  return error instanceof ProviderError && (error.outcome === 'rejected' || error.outcome === 'retryAfter')
}

/** The same for two searches that the provider would answer alike. */
function fingerprintOf(search: CampaignDefinition['searches'][number], country: string): string {
  const identity = JSON.stringify([search.engine, search.query, search.location, country])
  return createHash('sha256').update(identity).digest('hex')
}
