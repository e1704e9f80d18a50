import type { GrantSource } from '../workflows/contracts/credits.ts'
import type { Tx } from './client.ts'
import { repay } from './credit-expiry.ts'
import { lockAccount } from './credit-ledger.ts'

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
  /** Of what remains then, so much goes on until that time, as granted. */
  rollsOver?: { most: number; until: Date } | null
  /** A new period: shares are of what is there then. */
  beginsPeriod: boolean
}

/** Grants credits, once under its key; what is owed is paid from them first. Not new when they were granted before. */
export async function grantCredits(tx: Tx, grant: NewGrant, now: Date): Promise<{ isNew: boolean; balance: number }> {
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
  if (!inserted) return { isNew: false, balance: account.balance }
  await tx`
    insert into credit_entries (account_id, grant_id, kind, amount, source_key, at)
    values (${account.id}, ${inserted.id}, 'granted', ${amount}, ${sourceKey}, ${now})`
  const balance = account.balance + amount
  const period = beginsPeriod
    ? tx`period_granted = ${Math.max(0, balance)}, period_metered = 0, period_began_at = ${now}, fallen_to = 100`
    : tx`period_granted = period_granted + ${amount}`
  await tx`update credit_accounts set balance = ${balance}, ${period} where id = ${account.id}`
  await repay(tx, account.id, sourceKey, now)
  return { isNew: true, balance }
}
