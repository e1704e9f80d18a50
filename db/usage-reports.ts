import type { Tx } from './client.ts'
import { lockAccount, take } from './credit-ledger.ts'

export interface UsageReport {
  /** One use a key. */
  key: string
  type: string
  amount: number
}

/** `burned`: the balance that it left, then, also when it was told before; `other`: the key is another use's. */
export type Reported = { is: 'burned'; balance: number } | { is: 'short'; balance: number } | { is: 'other' }

/** Burns what was used, once under its key, all or nothing. */
export async function reportUsage(tx: Tx, { key, type, amount }: UsageReport, now: Date): Promise<Reported> {
  // In the account's turn, so that the same report at the same moment finds this one.
  const account = await lockAccount(tx, type, now)
  const [known] = await tx<{ type: string; amount: number; balance: number }[]>`
    select type, amount, balance from usage where key = ${key}`
  if (known) {
    const isSame = known.type === type && known.amount === amount
    return isSame ? { is: 'burned', balance: known.balance } : { is: 'other' }
  }
  if (!account) return { is: 'short', balance: 0 }
  const taken = await take(tx, { type, amount, kind: 'burned', sourceKey: `usage/${key}`, now })
  if (taken.is === 'short') return taken
  const [inserted] = await tx`
    insert into usage (key, type, amount, balance, at) values (${key}, ${type}, ${amount}, ${taken.balance}, ${now})
    on conflict (organisation_id, key) do nothing returning 1`
  // Of another type, at the same moment.
  if (!inserted) throw new KeyIsTaken()
  return { is: 'burned', balance: taken.balance }
}

/** Thrown into the transaction that has burned for it, which is thereby given up. */
export class KeyIsTaken extends Error {}
