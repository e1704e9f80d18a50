import type { Database } from '../../db/client.ts'
import type { CampaignProspect } from '../../db/prospects.ts'
import type { CampaignDefinition } from '../../workflows/contracts/prospect-campaign.schema.ts'
import { campaignRow } from './campaign-rows.ts'

export interface Seed {
  website: string
  name?: string
  title?: string
  /** Null for one that is not read yet. */
  score?: number | null
  failure?: string
  /** What else its site showed. */
  analysis?: Partial<NonNullable<CampaignProspect['analysis']>>
  isAd?: boolean
  change?: 'new' | 'changed' | 'same'
  changed?: string[]
}

/** A campaign with prospects as its workflow would have found and read them, in this order. Returns its id. */
export async function campaignWith(
  database: Database,
  organisationId: string,
  seeds: readonly Seed[],
  changes: Partial<CampaignDefinition> = {},
): Promise<string> {
  const id = await campaignRow(database, organisationId, { status: 'completed' }, changes)
  const rows = seeds.map((seed, n) => {
    const { name = 'Bakery', title = 'Welcome', score = 40, failure = null, isAd = false } = seed
    const { change = null, changed = [] } = seed
    const site = { title, https: true, viewport: false, emails: ['a@b.com', 'c@b.com'], phones: [] }
    const analysis = failure === null && score !== null ? { ...site, ...seed.analysis } : null
    return { n, website: seed.website, name, score, failure, analysis, isAd, change, changed }
  })
  await database.as(organisationId, async (tx) => {
    const [search] = await tx<{ id: string }[]>`
      insert into searches (campaign_id, engine, fingerprint, page, asked_at)
      values (${id}, 'list', 'list', 0, now()) returning id`
    await tx`
      with given as (select * from jsonb_to_recordset(${tx.json(rows)})
        as (n int, website text, name text, score int, failure text, analysis jsonb, "isAd" boolean, change text, changed text[])),
      made as (insert into prospects (website, name) select website, name from given order by n returning id, website),
      seen as (insert into sightings (search_id, position, campaign_id, prospect_id, is_ad)
        select ${search?.id ?? ''}, given.n, ${id}, made.id, "isAd" from made join given using (website))
      insert into site_visits (campaign_id, prospect_id, url, status, failure, analysis, score, change, changed, reasons)
      select ${id}, made.id, website, case when score is null then 'pending' else 'done' end, failure, analysis, score, change,
        changed, '[{"text": "no mobile viewport", "points": 20}]'
      from made join given using (website)`
  })
  return id
}
