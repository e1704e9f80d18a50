import type { GrantSource } from '../workflows/contracts/credits.ts'
import type { Tx } from './client.ts'
import { repay } from './credit-expiry.ts'
import { lockAccount, type Take, take } from './credit-ledger.ts'

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

/** `known`: it was taken back before, or nothing of it is left to take back. `unknown`: there is no such grant yet. */
export type ClawedBack = ({ is: 'taken'; amount: number } & Pick<Take, 'balance'>) | { is: 'known' | 'unknown' }

/**
 * Takes back what a grant gave, because its payment was: from what remains of it, then from the others as they were granted, and the rest is owed. Once
 * under its key, and never more than was granted and has not expired unused.
 */
export async function clawBack(
  tx: Tx,
  { grantKey, amount, sourceKey }: { grantKey: string; amount: number; sourceKey: string },
  now: Date,
): Promise<ClawedBack> {
  const [grant] = await tx<{ id: string; type: string }[]>`
    select credit_grants.id, type from credit_grants join credit_accounts on credit_accounts.id = account_id
    where source_key = ${grantKey}`
  if (!grant) return { is: 'unknown' }
  await lockAccount(tx, grant.type, now)
  const ownKey = `${sourceKey}/${grant.id}`
  const [left] = await tx<{ amount: number; isKnown: boolean }[]>`
    select least(${amount}, original.amount - original.clawed_back - coalesce(sum(family.expired), 0))::bigint as amount,
      exists (select from credit_entries where source_key = ${ownKey} and kind = 'clawed_back') as is_known
    from credit_grants as original
      join credit_grants as family on family.id = original.id or family.rolled_from = original.id
    where original.id = ${grant.id} group by original.id`
  if (!left || left.isKnown || left.amount <= 0) return { is: 'known' }
  await tx`update credit_grants set clawed_back = clawed_back + ${left.amount} where id = ${grant.id}`
  const taking = { type: grant.type, amount: left.amount, kind: 'clawed_back', sourceKey: ownKey, now } as const
  const { balance } = await take(tx, { ...taking, onCredit: true, first: grant.id })
  return { is: 'taken', amount: left.amount, balance }
}
