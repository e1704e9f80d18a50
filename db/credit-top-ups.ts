import type { CreditWatch, TopUp } from '../workflows/contracts/subscriptions.ts'
import type { Tx } from './client.ts'
import { lockAccount } from './credit-ledger.ts'

/** A top-up as it is set. */
export interface SavedTopUp extends TopUp {
  enabled: boolean
  /** Who set it last, and when. */
  actor: string
  updatedAt: Date
}

/** By type. */
export async function listTopUps(tx: Tx): Promise<SavedTopUp[]> {
  return tx<SavedTopUp[]>`select ${columns(tx)} from credit_top_ups order by type collate "C"`
}

/** Sets the one top-up of its type. Burns tell from then on when a balance falls below its threshold. */
export async function saveTopUp(tx: Tx, topUp: SavedTopUp): Promise<void> {
  const { type, planKey, priceKey, quantity, threshold, coolDown, mostPerMonth, enabled, actor, updatedAt } = topUp
  await tx`
    insert into credit_top_ups (type, plan_key, price_key, quantity, threshold, cool_down, most_per_month, enabled, actor, updated_at)
    values (${type}, ${planKey}, ${priceKey}, ${quantity}, ${threshold}, ${coolDown}, ${mostPerMonth}, ${enabled}, ${actor}, ${updatedAt})
    on conflict (organisation_id, type) do update set plan_key = excluded.plan_key, price_key = excluded.price_key,
      quantity = excluded.quantity, threshold = excluded.threshold, cool_down = excluded.cool_down,
      most_per_month = excluded.most_per_month, enabled = excluded.enabled, actor = excluded.actor, updated_at = excluded.updated_at`
  await tx`
    insert into credit_accounts (type, period_began_at, top_up_below) values (${type}, ${updatedAt}, ${enabled ? threshold : null})
    on conflict (organisation_id, type) do update set top_up_below = excluded.top_up_below`
}

/** What the subscription story decides by, after what has expired by now was written down. */
export async function creditWatch(tx: Tx, now: Date): Promise<CreditWatch> {
  const due = await tx<{ type: string }[]>`
    select type from credit_accounts where credits_are_due(id, ${now}) order by type collate "C"`
  for (const { type } of due) await lockAccount(tx, type, now)
  const [accounts, topUps, attempts] = await Promise.all([
    tx<{ type: string; balance: number; periodGranted: number; periodBeganAt: Date; fallenTo: number }[]>`
      select type, balance, period_granted, period_began_at, fallen_to from credit_accounts order by type collate "C"`,
    listTopUps(tx),
    tx<{ type: string; at: Date; hasFailed: boolean }[]>`
      select act ->> 'type' as type, begun_at as at, status = 'failed' as has_failed from billing_acts
      where act ->> 'is' = 'top_up' and status <> 'doing' order by begun_at, act_key`,
  ])
  return {
    accounts: accounts.map(({ periodBeganAt, ...account }) => ({ ...account, periodBeganAt: periodBeganAt.getTime() })),
    topUps: topUps.filter(({ enabled }) => enabled),
    attempts: attempts.map(({ at, ...attempt }) => ({ ...attempt, at: at.getTime() })),
  }
}

const columns = (tx: Tx) =>
  tx`type, plan_key, price_key, quantity, threshold, cool_down, most_per_month, enabled, actor, updated_at`
