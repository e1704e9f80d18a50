import type { CreditEntryKind, GrantSource } from '../workflows/contracts/credits.ts'
import type { Tx } from './client.ts'
import { burnOrder } from './credit-expiry.ts'
import { lockAccount } from './credit-ledger.ts'

export interface CreditBalance {
  type: string
  balance: number
  /** Set aside for acts under way: no part of the balance. */
  reserved: number
  /** What the period began with, and what was granted since. */
  periodGranted: number
  /** What was used beyond the balance since then, and is invoiced. */
  periodMetered: number
  periodBeganAt: Date
  /** Those of which something remains, in the order in which they burn, the first hundred. */
  grants: GrantLeft[]
}

interface GrantLeft {
  id: string
  source: GrantSource
  amount: number
  remaining: number
  priority: number
  /** ISO 8601. */
  expiresAt: string | null
  grantedAt: string
}

/** As many as anybody reads. */
const mostGrants = 100

/** All balances, by type, after what has expired by now was written down; of each the grants that burn next. */
export async function creditBalances(tx: Tx, now: Date): Promise<CreditBalance[]> {
  const due = await tx<{ type: string }[]>`
    select type from credit_accounts where credits_are_due(id, ${now}) order by type collate "C"`
  for (const { type } of due) await lockAccount(tx, type, now)
  return tx<CreditBalance[]>`
    select type, balance, period_granted, period_metered, period_began_at,
      (
        select coalesce(sum(amount), 0)::bigint from credit_reservations
        where account_id = credit_accounts.id and status = 'reserved'
      ) as reserved,
      array(
        select jsonb_build_object('id', id, 'source', source, 'amount', amount, 'remaining', remaining, 'priority', priority,
          'expiresAt', expires_at, 'grantedAt', granted_at)
        from credit_grants where account_id = credit_accounts.id and not is_spent
        order by ${burnOrder(tx)} limit ${mostGrants}
      ) as grants
    from credit_accounts order by type collate "C"`
}

/** All that any version of a plan brings or meters, and that the organisation has, or had, credits of. */
export async function creditTypes(tx: Tx): Promise<string[]> {
  const rows = await tx<{ type: string }[]>`
    select type from (
      select type from credit_accounts
      union
      select brought ->> 'type' from plan_versions, jsonb_array_elements(definition -> 'credits') as brought
      union
      select meter ->> 'type' from plan_versions, jsonb_array_elements(definition -> 'prices') as price,
        jsonb_array_elements(price -> 'meters') as meter
    ) as known order by type collate "C"`
  return rows.map(({ type }) => type)
}

export interface CreditEntry {
  id: string
  kind: CreditEntryKind
  amount: number
  grantId: string | null
  sourceKey: string
  at: Date
}

/** The ledger of one type, the newest first. */
export async function listCreditEntries(
  tx: Tx,
  type: string,
  { limit, before }: { limit: number; before: string | null },
): Promise<CreditEntry[]> {
  return tx<CreditEntry[]>`
    select id, kind, amount, grant_id, source_key, at from credit_entries
    where account_id = (select id from credit_accounts where type = ${type})
      and ${before === null ? tx`true` : tx`id < ${before}`}
    order by id desc limit ${limit}`
}
