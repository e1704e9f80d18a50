import postgres from 'postgres'
import { expect, test } from 'vitest'
import type { Tx } from '../../db/client.ts'
import { bookSearch } from '../../db/spend.ts'
import { usageByMonth } from '../../db/usage.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { testOrganisation } from '../support/organisation.ts'

const { fresh, database, organisationId } = await testOrganisation()
const as = <T>(work: Parameters<typeof database.as<T>>[1]) => database.as(organisationId, work)

const [november, december] = [new Date('2026-11-01T00:00:00Z'), new Date('2026-12-01T00:00:00Z')]
const inNovember = new Date('2026-11-15T12:00:00Z')

test('as paid searches count those that the ceiling counts, and nothing else that was spent', async () => {
  const campaignId = await campaignRow(database, organisationId)
  const used = await as(async (tx) => {
    await bookSearch(tx, { sourceKey: 'search/1/1', campaignId }, inNovember)
    await tx`insert into spend (source_key, provider, units, at) values ('message/1', 'another', 5, ${inNovember})`
    return usageByMonth(tx, november, december)
  })
  expect(used).toMatchObject([{ month: november, searches: 1 }])
})

test('what a month has used is counted from indexes: no visit and no row of a spreadsheet is read for it', async () => {
  const campaignId = await campaignRow(database, organisationId)
  await as(async (tx) => {
    await tx`insert into prospects (name) select 'Business ' || n from generate_series(1, 30) as n`
    await tx`
      insert into site_visits (campaign_id, prospect_id, status, analysis, finished_at)
      select ${campaignId}, id, 'done', case when row_number() over () <= 20 then '{}'::jsonb end, ${inNovember} from prospects`
    await tx`
      with made as (insert into sheet_exports (campaign_id, created_at) values (${campaignId}, now()) returning id)
      insert into sheet_rows (export_id, prospect_id, chunk, status, claimed_at, written_at)
      select made.id, prospects.id, 1, 'written', now(), ${inNovember} from made, prospects`
  })
  const owner = postgres(fresh.ownerUrl, { max: 1 })
  // A vacuum marks nothing as visible to all before its commit has reached the disk: it is repeated until then.
  await expect
    .poll(() => owner`vacuum analyze site_visits, sheet_rows`.then(countNovember), { timeout: 20_000 })
    .toMatchObject({ used: [{ sitesRead: 20, rowsExported: 30 }], rowsRead: 0 })
  await owner.end()
})

function countNovember() {
  return as(async (tx) => {
    // So few rows would be read one and all.
    await tx`select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)`
    const before = await rowsReadBy(tx)
    const used = await usageByMonth(tx, november, december)
    return { used, rowsRead: (await rowsReadBy(tx)) - before }
  })
}

async function rowsReadBy(tx: Tx): Promise<number> {
  const [row] = await tx<{ rows: number }[]>`
    select coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::int as rows from pg_stat_xact_user_tables
    where relname in ('site_visits', 'sheet_rows')`
  return row?.rows ?? 0
}
