import type { GrantSource } from '../workflows/contracts/credits.ts'
import type { Tx } from './client.ts'
import { enterGrant, lockAccount, type Take, take } from './credit-ledger.ts'

export interface NewGrant {
  type: string
  amount: number
  /** One grant a key. */
  sourceKey: string
  source: GrantSource
  /** The lower is burned first. */
  priority?: number
  /** From this moment on it is gone; null: never. */
  expiresAt?: Date | null
  /** Of what remains then, so much goes on until that time. */
  rollsOver?: { most: number; until: Date } | null
  /** A new period: low-credit notices begin anew, as shares of what is there then. */
  beginsPeriod: boolean
}

/** Grants credits, once under its key; what is owed is paid from them first. False when they were granted before. */
export async function grantCredits(tx: Tx, grant: NewGrant, now: Date): Promise<boolean> {
  const { type, amount, sourceKey, source, priority = 50, expiresAt = null, rollsOver = null, beginsPeriod } = grant
  await tx`
    insert into credit_accounts (type, period_began_at) values (${type}, ${now}) on conflict (organisation_id, type) do nothing`
  const account = await lockAccount(tx, type, now)
  if (!account) throw new Error('the account was just made')
  const [inserted] = await tx<{ id: string }[]>`
    insert into credit_grants
      (account_id, source_key, source, amount, remaining, priority, expires_at, rolls_over, rolls_over_until, granted_at)
    values (${account.id}, ${sourceKey}, ${source}, ${amount}, ${amount}, ${priority}, ${expiresAt}, ${rollsOver?.most ?? 0},
      ${rollsOver?.until ?? null}, ${now})
    on conflict (organisation_id, source_key) do nothing returning id`
  if (!inserted) return false
  await enterGrant(tx, account.id, { id: inserted.id, amount, sourceKey, at: now })
  if (beginsPeriod) {
    await tx`
      update credit_accounts set period_granted = greatest(balance, 0), period_began_at = ${now}, fallen_to = 100
      where id = ${account.id}`
  } else {
    await tx`update credit_accounts set period_granted = period_granted + ${amount} where id = ${account.id}`
  }
  return true
}

export interface Burn {
  type: string
  amount: number
  sourceKey: string
}

/** Burns credits, all or nothing. Not idempotent by itself: the caller's own row decides that it comes once. */
export function burnCredits(tx: Tx, burn: Burn, now: Date): Promise<Take> {
  return take(tx, { ...burn, kind: 'burned', now })
}

/**
 * Takes back what a grant gave, because its payment was: from what remains of it, then from the others, and the rest is owed. Once under its key;
 * null when it was taken back before, or there is no such grant.
 */
export async function clawBack(
  tx: Tx,
  { grantKey, amount, sourceKey }: { grantKey: string; amount: number; sourceKey: string },
  now: Date,
): Promise<Take | null> {
  const [grant] = await tx<{ id: string; type: string }[]>`
    select credit_grants.id, type from credit_grants join credit_accounts on credit_accounts.id = account_id
    where source_key = ${grantKey}`
  if (!grant) return null
  await lockAccount(tx, grant.type, now)
  const [before] = await tx`
    select 1 from credit_entries where source_key = ${sourceKey} and kind = 'clawed_back' limit 1`
  if (before) return null
  return take(tx, { type: grant.type, amount, kind: 'clawed_back', sourceKey, now, onCredit: true, first: grant.id })
}
