import { type Entitlements, type LimitWindow, windowOf } from '../workflows/contracts/entitlements.ts'
import type { SpendCeiling } from '../workflows/contracts/prospect-campaign.ts'
import type { Tx } from './client.ts'

/** A search may not be paid for at the moment. Thrown into the transaction that would have booked it, which is thereby given up. */
export class CeilingReached extends Error {
  readonly ceiling: SpendCeiling
  constructor(ceiling: SpendCeiling) {
    super(ceiling)
    this.name = 'CeilingReached'
    this.ceiling = ceiling
  }
}

/**
 * Books one paid search under `sourceKey`; false when it was booked before. Throws CeilingReached when the campaign's budget, the
 * organisation's allowance of the month (UTC) or its plans do not cover it.
 */
export async function bookSearch(
  tx: Tx,
  { sourceKey, campaignId }: { sourceKey: string; campaignId: string },
  now: Date,
): Promise<boolean> {
  // One booking of an organisation after the other: two at once would both find room for the last search.
  await tx`select pg_advisory_xact_lock(hashtextextended('spend/' || current_organisation(), 0))`
  const [booked] = await tx`select 1 from spend where source_key = ${sourceKey}`
  if (booked) return false
  const ceiling = await spendCeiling(tx, campaignId, now)
  if (ceiling !== null) throw new CeilingReached(ceiling)
  await tx`
    insert into spend (source_key, campaign_id, provider, units, at)
    values (${sourceKey}, ${campaignId}, ${searchProvider}, 1, ${now})`
  return true
}

/** What keeps the campaign from paying for one more search; null when nothing does. */
export async function spendCeiling(tx: Tx, campaignId: string, now: Date): Promise<SpendCeiling | null> {
  const [row] = await tx<(Pick<Entitlements, 'limits'> & Ceilings)[]>`
    select
      -- What has no ceiling is not counted: it is done under the lock of the whole organisation.
      case when campaigns.budget_searches is not null then
        (select coalesce(sum(units), 0) from spend where campaign_id = ${campaignId} and provider = ${searchProvider})
          >= campaigns.budget_searches end as budget_is_spent,
      case when organisations.monthly_searches is not null then
        (select coalesce(sum(units), 0) from spend
         where organisation_id = organisations.id and provider = ${searchProvider} and at >= ${monthOf(now)})
          >= organisations.monthly_searches end as allowance_is_spent,
      access <> 'full' as is_without_access, coalesce(limits, '[]') as limits
    from campaigns join organisations on organisations.id = campaigns.organisation_id
      left join entitlements on entitlements.organisation_id = organisations.id
    where campaigns.id = ${campaignId}`
  if (row?.budgetIsSpent) return 'campaign_budget'
  if (row?.allowanceIsSpent) return 'monthly_allowance'
  if (row?.isWithoutAccess) return 'no_access'
  for (const limit of row?.limits ?? []) {
    if (limit.act !== 'searches') continue
    if ((await searchesPaid(tx, windowOf(limit, now.getTime()))) >= limit.most) return 'plan_limit'
  }
  return null
}

interface Ceilings {
  budgetIsSpent: boolean | null
  allowanceIsSpent: boolean | null
  isWithoutAccess: boolean | null
}

/** How many searches the organisation has booked in this time. */
export async function searchesPaid(tx: Tx, { from, until }: LimitWindow): Promise<number> {
  const end = until === null ? null : new Date(until)
  const [row] = await tx<{ units: number }[]>`
    select coalesce(sum(units), 0) as units from spend
    where provider = ${searchProvider} and at >= ${new Date(from)} and at < coalesce(${end}::timestamptz, 'infinity')`
  return row?.units ?? 0
}

/** Whom searches are bought from. */
export const searchProvider = 'serpapi'

/** The beginning of the month, or of one so many months later, by UTC. */
export function monthOf(now: Date, later = 0): Date {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + later))
}
