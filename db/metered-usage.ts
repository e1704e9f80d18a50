import type { MeteredType } from '../workflows/contracts/credits.ts'
import { recordBillingEvents } from './billing-acts.ts'
import type { Tx } from './client.ts'

/** Keeps of which types what the balance does not cover is metered from now on. Accounts for which that stays so are left alone: they may be hot. */
export async function saveMeteredTypes(tx: Tx, meters: readonly MeteredType[], now: Date): Promise<void> {
  await tx`
    insert into credit_accounts (type, meter, period_began_at)
    select type, event, ${now} from jsonb_to_recordset(${JSON.stringify(meters)}::text::jsonb) as told (type text, event text)
    where not exists (select from credit_accounts where credit_accounts.type = told.type and meter = event)
    order by type collate "C"
    on conflict (organisation_id, type) do update set meter = excluded.meter`
  const types = meters.map(({ type }) => type)
  await tx`update credit_accounts set meter = null where meter is not null and type <> all(${types}::text[])`
}

/** Since when metered use waits to be reported; null: none does, and the next that comes will tell the story. */
export async function unreportedSince(tx: Tx, now: Date): Promise<Date | null> {
  const [row] = await tx<{ at: Date }[]>`
    select coalesce((select min(at) from usage where ${waits(tx)}), ${now}) as at
    from credit_accounts where is_reporting limit 1`
  return row?.at ?? null
}

export interface MeteredUse {
  key: string
  /** The event of the meter. */
  meter: string
  metered: number
  at: Date
}

/**
 * Claims the oldest uses that wait, before they are reported. Those that were first tried before `knownSince`, and not answered for, are put aside:
 * Stripe may not know them again.
 */
export async function claimMeteredUses(
  tx: Tx,
  { limit, knownSince, now }: { limit: number; knownSince: Date; now: Date },
): Promise<MeteredUse[]> {
  const unclear = await tx<{ key: string }[]>`
    update usage set problem = 'unconfirmed' where ${waits(tx)} and first_tried_at < ${knownSince} returning key`
  await tell(tx, 'unconfirmed', unclear, now)
  return tx<MeteredUse[]>`
    update usage set first_tried_at = coalesce(first_tried_at, ${now})
    where key in (select key from usage where ${waits(tx)} order by at, key limit ${limit})
    returning key, meter, metered, at`
}

export interface ReportedUses {
  reported: readonly string[]
  /** By the provider's code. */
  refused: readonly { key: string; code: string }[]
}

/** Records what has come of reports, and returns since when others wait: null, and the next that comes will tell the story. */
export async function recordReports(tx: Tx, { reported, refused }: ReportedUses, now: Date): Promise<Date | null> {
  // What was put aside meanwhile is settled by the answer.
  await tx`
    update usage set reported_at = ${now}, problem = null where key = any(${[...reported]}::text[]) and reported_at is null`
  for (const [code, uses] of Map.groupBy(refused, (one) => one.code)) {
    const keys = uses.map(({ key }) => key)
    const put = await tx<{ key: string }[]>`
      update usage set problem = ${code} where key = any(${keys}::text[]) and ${waits(tx)} returning key`
    await tell(tx, code, put, now)
  }
  // In the accounts' turn, which whoever adds a use has: it is seen here, or finds that the story is to be told.
  await tx`select from credit_accounts where is_reporting order by type collate "C" for no key update`
  await tx`
    update credit_accounts set is_reporting = false
    where is_reporting and not exists (select from usage where account_id = credit_accounts.id and ${waits(tx)})`
  return unreportedSince(tx, now)
}

/** One line for all of them. */
async function tell(tx: Tx, problem: string, uses: readonly { key: string }[], now: Date): Promise<void> {
  const [first] = uses
  if (!first) return
  const details = { problem, count: uses.length }
  const sourceKey = `usage/${problem}/${first.key}/${now.getTime()}`
  await recordBillingEvents(tx, [{ sourceKey, type: 'usage.not_reported', at: now.getTime(), details }])
}

const waits = (tx: Tx) => tx`metered > 0 and reported_at is null and problem is null`
