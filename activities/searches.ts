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
import type { CampaignDefinition } from '../workflows/contracts/prospect-campaign.schema.ts'
import type { CampaignCounts } from '../workflows/contracts/prospect-campaign.ts'
import { type ShownBusiness, sift } from '../workflows/rules/sifting.ts'
import { asE164 } from './analysis/phones.ts'
import type { CampaignRef } from './campaigns.ts'
import { type Clock, decisionTime } from './clock.ts'
import { notFound } from './failures.ts'
import { whileHeartbeating } from './heartbeat.ts'
import { type BusinessSearch, ProviderError } from './ports.ts'
import { reportProgress } from './progress.ts'

/** `finished` is false when the campaign was paused or ended in between: there is more to do once it goes on. */
export interface BatchResult {
  finished: boolean
  counts: CampaignCounts
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
      const { websites } = definition
      return whileHeartbeating(
        () => 'own list',
        async () => {
          for (let page = 0; page * websitesPerPage < websites.length; page += 1) {
            const identity: SearchPageIdentity = {
              campaignId: batch.campaignId,
              engine: 'list',
              fingerprint: 'list',
              page,
            }
            const businesses = websites
              .slice(page * websitesPerPage, (page + 1) * websitesPerPage)
              .map(({ name, website }) => ({ name, website, placeId: null, phone: null, address: null }))
            const hasMore = (page + 1) * websitesPerPage < websites.length
            const stopped = await database.as(batch.organisationId, async (tx) => {
              const claim = await claimWhileRunning(tx, identity, decisionTime(clock, batch.now))
              if (claim?.action === 'ask') await record(tx, batch, definition, claim.searchId, { businesses, hasMore })
              return claim === null
            })
            if (stopped) return result(batch, false)
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
      const fingerprint = fingerprintOf(wanted, definition.country)
      let page = 0
      return whileHeartbeating(
        () => ({ page }),
        async (signal) => {
          for (let taken = 0; ; page += 1) {
            const identity = { campaignId: batch.campaignId, engine: wanted.engine, fingerprint, page }
            const claimedAt = decisionTime(clock, batch.now)
            const claim = await database.as(batch.organisationId, (tx) => claimWhileRunning(tx, identity, claimedAt))
            if (claim === null) return result(batch, false)
            if (claim.action === 'failed') return result(batch, true)
            if (claim.action === 'done') {
              taken += claim.results
              if (!claim.hasMore) return result(batch, true)
              continue
            }
            if (decisionTime(clock, batch.now).getTime() - claimedAt.getTime() > claimLifeMs) {
              throw new ProviderError('serpapi', 'retry', 'claim_too_old')
            }
            const { engine, query, location } = wanted
            const asked = { engine, query, location, country: definition.country, page }
            const found = await search.searchPage(asked, signal).catch(async (error: unknown) => {
              if (isRefusal(error)) {
                await database.as(batch.organisationId, (tx) => recordRefusal(tx, claim.searchId))
              }
              throw error
            })
            const businesses = found.businesses.slice(0, wanted.limit - taken)
            taken += businesses.length
            const hasMore = found.hasMore && businesses.length > 0 && taken < wanted.limit
            await database.as(batch.organisationId, (tx) =>
              record(tx, batch, definition, claim.searchId, { businesses, hasMore }),
            )
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
    answer: { businesses: readonly ShownBusiness[]; hasMore: boolean },
  ): Promise<void> {
    const businesses = answer.businesses.map((business) => ({
      ...business,
      phone: business.phone && asE164(business.phone, definition.country),
    }))
    const { kept, dropped } = sift(businesses, definition.exclusions)
    const closed = await recordSearchPage(tx, searchId, {
      results: answer.businesses.length,
      hasMore: answer.hasMore,
      ...dropped,
    })
    if (!closed) return
    await recordFindings(tx, { campaignId: batch.campaignId, searchId, findings: kept })
    if (answer.hasMore) return
    const total = definition.searches.length + (definition.websites.length > 0 ? 1 : 0)
    const count = async () => ({ done: await countEndedSearches(tx, batch.campaignId), total })
    await reportProgress(
      tx,
      batch.campaignId,
      'prospect.found',
      { name: 'search', count },
      decisionTime(clock, batch.now),
    )
  }

  async function result({ organisationId, campaignId }: CampaignRef, finished: boolean): Promise<BatchResult> {
    return { finished, counts: await database.as(organisationId, (tx) => campaignCounts(tx, campaignId)) }
  }
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
