import type { Entitlements, GrantedLimit } from '../workflows/contracts/entitlements.ts'
import type { Tx } from './client.ts'
import { searchProvider } from './spend.ts'

/** What the organisation may do; null: nothing limits it. */
export async function readEntitlements(tx: Tx): Promise<Entitlements | null> {
  const [row] = await tx<Entitlements[]>`select access, features, limits from entitlements`
  return row ?? null
}

/** What is used of a limit now: of a day by UTC, of the month that runs, or at any one time. */
export async function usedOf(tx: Tx, { act, per, from, until }: GrantedLimit, now: Date): Promise<number> {
  const day = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate())
  const since = new Date(per === 'day' ? day : (from ?? 0))
  const before = new Date(per === 'period' ? (until ?? now.getTime()) : now.getTime() + 1)
  const [row] = await tx<[{ used: number }]>`${counts[act](tx, since, before)}`
  return row.used
}

const counts = {
  contacts: (tx: Tx) => tx`select count(*)::bigint as used from contacts where erased_at is null`,
  searches: (tx: Tx, since: Date, before: Date) => tx`
    select coalesce(sum(units), 0)::bigint as used from spend
    where provider = ${searchProvider} and at >= ${since} and at < ${before}`,
  messages: (tx: Tx, since: Date, before: Date) => tx`
    select count(*)::bigint as used from messages
    where status in ('sending', 'unconfirmed', 'sent') and claimed_at >= ${since} and claimed_at < ${before}`,
}
