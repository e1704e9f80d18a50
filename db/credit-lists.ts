import type { CreditEntryKind, GrantSource } from '../workflows/contracts/credits.ts'
import type { Tx } from './client.ts'
import { hasDue, lockAccount } from './credit-ledger.ts'

export interface CreditBalance {
  type: string
  balance: number
  /** Set aside for acts under way: no part of the balance. */
  reserved: number
  /** What the period began with, and what was granted since. */
  periodGranted: number
  periodBeganAt: Date
  /** Those of which something remains, in the order in which they burn. */
  grants: GrantLeft[]
}

interface GrantLeft {
  id: string
  source: GrantSource
  amount: number
  remaining: number
  priority: number
  expiresAt: Date | null
  grantedAt: Date
}

/** All balances, by type, after what has expired by now was written down. */
export async function creditBalances(tx: Tx, now: Date): Promise<CreditBalance[]> {
  const due = await tx<{ type: string }[]>`select type from credit_accounts where ${hasDue(tx, now)} order by type`
  for (const { type } of due) await lockAccount(tx, type, now)
  const accounts = await tx<(Omit<CreditBalance, 'grants'> & { id: string })[]>`
    select id, type, balance, period_granted, period_began_at,
      (
        select coalesce(sum(amount), 0)::bigint from credit_reservations
        where account_id = credit_accounts.id and status = 'reserved'
      ) as reserved
    from credit_accounts order by type`
  const grants = await tx<(GrantLeft & { accountId: string })[]>`
    select account_id, id, source, amount, remaining, priority, expires_at, granted_at
    from credit_grants where not is_spent
    order by priority, expires_at nulls last, source in ('purchase', 'top_up'), granted_at, id`
  const byAccount = Map.groupBy(grants, ({ accountId }) => accountId)
  return accounts.map(({ id, ...account }) => ({
    ...account,
    grants: (byAccount.get(id) ?? []).map(withoutAccount),
  }))
}

function withoutAccount(row: GrantLeft & { accountId: string }): GrantLeft {
  const { accountId: _, ...grant } = row
  return grant
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
    select credit_entries.id, kind, amount, grant_id, source_key, at
    from credit_entries join credit_accounts on credit_accounts.id = account_id
    where type = ${type} and ${before === null ? tx`true` : tx`credit_entries.id < ${before}`}
    order by credit_entries.id desc limit ${limit}`
}
