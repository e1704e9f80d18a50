import type { Tx } from './client.ts'
import { searchProvider } from './spend.ts'

/** What an organisation has used in a calendar month (UTC), counted from the facts. */
export interface MonthOfUse {
  /** Its first moment. */
  month: Date
  campaigns: number
  /** Paid, as booked in the spend ledger. */
  searches: number
  sitesRead: number
  /** Prospects written to spreadsheets. */
  rowsExported: number
}

/** The months from `from` on before `to`, the oldest first, those without any use left out. */
export async function usageByMonth(tx: Tx, from: Date, to: Date): Promise<MonthOfUse[]> {
  return tx<MonthOfUse[]>`
    select month, sum(campaigns)::int as campaigns, sum(searches)::int as searches, sum(sites_read)::int as sites_read,
      sum(rows_exported)::int as rows_exported
    from (
      select ${monthIn(tx, 'at')} as month, 0 as campaigns, sum(units) as searches, 0 as sites_read, 0 as rows_exported
        from spend where provider = ${searchProvider} and at >= ${from} and at < ${to} group by 1
      union all
      select ${monthIn(tx, 'created_at')}, count(*), 0, 0, 0
        from campaigns where created_at >= ${from} and created_at < ${to} group by 1
      union all
      select ${monthIn(tx, 'finished_at')}, 0, 0, count(*), 0
        from site_visits where finished_at >= ${from} and finished_at < ${to} and analysis is not null group by 1
      union all
      select ${monthIn(tx, 'written_at')}, 0, 0, 0, count(*)
        from sheet_rows where written_at >= ${from} and written_at < ${to} group by 1
    ) as used
    group by month order by month`
}

const monthIn = (tx: Tx, column: string) => tx`date_trunc('month', ${tx(column)}, 'UTC')`
