import type { Database } from '../../db/client.ts'
import type { SiteAnalysis } from '../../db/prospects.ts'

interface VisitRow {
  status?: 'pending' | 'done'
  url?: string | null
  phone?: string | null
  isAd?: boolean
  failure?: string
  analysis?: SiteAnalysis | null
  score?: number
}

/** What the analysis of a site without faults says. */
export const faultless: SiteAnalysis = {
  title: 'Bakery',
  https: true,
  viewport: true,
  emails: [],
  phones: [],
  cms: 'wordpress',
  tracking: [],
  booking: [],
  socials: [],
  copyrightYear: null,
  language: 'en',
  evidence: [],
  responseMs: 20,
  pages: [],
}

/** A campaign's visits as its workflow would have left them, each of another business that a search showed once. */
export async function visitRows(
  database: Database,
  organisationId: string,
  campaignId: string,
  visits: readonly VisitRow[],
): Promise<void> {
  const rows = visits.map((visit, n) => ({
    n,
    name: `Business ${n}`,
    status: 'done',
    url: `business-${n}.test`,
    analysis: visit.failure !== undefined || visit.status === 'pending' || visit.url === null ? null : faultless,
    is_ad: visit.isAd ?? false,
    ...visit,
    score: visit.status === 'pending' ? null : (visit.score ?? 0),
  }))
  await database.as(organisationId, async (tx) => {
    const [search] = await tx<{ id: string }[]>`
      insert into searches (campaign_id, engine, fingerprint, page, asked_at)
      values (${campaignId}, 'google', 'x', 0, now()) returning id`
    await tx`
      with given as (
        select * from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
          as (n int, name text, phone text, url text, is_ad boolean, status text, failure text, analysis jsonb, score int)
      ),
      made as (insert into prospects (name, phone) select name, phone from given order by n returning id, name),
      seen as (
        insert into sightings (search_id, position, campaign_id, prospect_id, is_ad)
        select ${search?.id ?? ''}, n, ${campaignId}, made.id, is_ad from made join given using (name)
      )
      insert into site_visits (campaign_id, prospect_id, url, status, failure, analysis, score, reasons)
      select ${campaignId}, made.id, url, status, failure, analysis, score, case when score is not null then '[]'::jsonb end
      from made join given using (name)`
  })
}
