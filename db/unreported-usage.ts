import { recordBillingEvents } from './billing-acts.ts'
import type { Tx } from './client.ts'

/** A metered use that was put aside: whether Stripe knows of it, somebody has to decide. */
export interface UnreportedUse {
  key: string
  type: string
  metered: number
  /** `unconfirmed`, or what it was refused with. */
  problem: string
  at: Date
}

/** The oldest. */
export async function listUnreported(tx: Tx, limit: number): Promise<UnreportedUse[]> {
  return tx<UnreportedUse[]>`
    select key, type, metered, problem, usage.at from usage join credit_accounts on credit_accounts.id = account_id
    where metered > 0 and reported_at is null and problem is not null order by usage.at, key limit ${limit}`
}

export const usageResolutions = ['reported', 'report_again'] as const
/** What somebody decides of a use that was put aside. */
export type UsageResolution = (typeof usageResolutions)[number]

/** Settles a use that was put aside. False when there is none under the key. One that is to be reported again is due at once: wake the story. */
export async function resolveUse(
  tx: Tx,
  { key, as, actor, now }: { key: string; as: UsageResolution; actor: string; now: Date },
): Promise<boolean> {
  const settled = as === 'reported' ? tx`reported_at = ${now}` : tx`first_tried_at = null`
  const [use] = await tx<{ accountId: string; metered: number }[]>`
    update usage set problem = null, ${settled} where key = ${key} and problem is not null returning account_id, metered`
  if (!use) return false
  if (as === 'report_again') await tx`update credit_accounts set is_reporting = true where id = ${use.accountId}`
  const event = { sourceKey: `usage/resolved/${key}/${now.getTime()}`, type: 'usage.resolved', at: now.getTime() }
  await recordBillingEvents(tx, [{ ...event, details: { as, metered: use.metered, actor } }])
  return true
}
