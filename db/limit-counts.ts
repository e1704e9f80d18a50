import { type GrantedLimit, type LimitWindow, type PlanRefusal, windowOf } from '../workflows/contracts/entitlements.ts'
import type { Tx } from './client.ts'

export interface Taken {
  /** How many of those that were wanted may be done. */
  taken: number
  /** What keeps the others from it: the limit with the least room, of two that have as little the one that ends last; null: all may be done. */
  refusal: Extract<PlanRefusal, { because: 'plan_limit' }> | null
}

type CountedAct = 'messages' | 'contacts'

/**
 * Counts as many acts as the limits of that act have room for, up to `wanted`. Exact: until the transaction ends, nobody else's are counted. So take
 * it late, after the turns of people and senders.
 */
export async function takeFromLimits(
  tx: Tx,
  { act, wanted, limits }: { act: CountedAct; wanted: number; limits: readonly GrantedLimit[] },
  now: Date,
): Promise<Taken> {
  const ofAct = limits
    .filter((limit) => limit.act === act)
    .map((limit) => ({ limit, ...windowOf(limit, now.getTime()) }))
  if (wanted === 0 || ofAct.length === 0) return { taken: wanted, refusal: null }
  const lines = ofAct.map(({ limit, from, until }) => ({
    per: limit.per,
    most: limit.most,
    begins_at: new Date(from).toISOString(),
    ends_at: until === null ? 'infinity' : new Date(until).toISOString(),
  }))
  // Too many at first, which nobody else sees: mostly there is room, and then one statement is all.
  const counted = await tx<{ per: string; used: number }[]>`
    insert into limit_counts (act, per, begins_at, ends_at, used)
    select ${act}, per, begins_at, ends_at, ${wanted} + case
        when ${act} <> 'contacts' or per <> 'total' then 0
        -- Those that were there before anything counted them; once it is counted, this is not read.
        when exists (select from limit_counts as known where known.act = ${act} and known.per = line.per
          and known.begins_at = line.begins_at) then 0
        else (select count(*) from (select from contacts where erased_at is null limit line.most + 1) as there) end
    from jsonb_to_recordset(${tx.json(lines)}) as line(per text, most bigint, begins_at timestamptz, ends_at timestamptz)
    order by per
    on conflict (organisation_id, act, per, begins_at) do update
      set used = limit_counts.used + ${wanted}, ends_at = excluded.ends_at
    returning per, used`
  const used = new Map(counted.map((row) => [row.per, row.used]))
  const beyond = ofAct.map((one) => ({ ...one, beyond: (used.get(one.limit.per) ?? 0) - one.limit.most }))
  const refused = Math.min(wanted, Math.max(0, ...beyond.map((one) => one.beyond)))
  if (refused === 0) return { taken: wanted, refusal: null }
  await tx`
    update limit_counts set used = used - ${refused}
    where act = ${act} and (per, begins_at) in (
      select per, begins_at from jsonb_to_recordset(${tx.json(lines)}) as line(per text, begins_at timestamptz))`
  const [tightest] = beyond.filter((one) => Math.min(wanted, one.beyond) === refused).toSorted(latestFirst)
  if (!tightest) throw new Error('something was refused by no limit')
  const { limit, until } = tightest
  const refusal = { because: 'plan_limit', limit, until, used: (used.get(limit.per) ?? 0) - refused } as const
  return { taken: wanted - refused, refusal }
}

function latestFirst(one: LimitWindow, other: LimitWindow): number {
  if (one.until === other.until) return 0
  return one.until === null || (other.until !== null && one.until > other.until) ? -1 : 1
}

/** Acts that were counted at these times have not come about: what of them counts is free again. */
export async function giveBackToLimits(tx: Tx, act: CountedAct, times: readonly Date[]): Promise<void> {
  if (times.length === 0) return
  const moments = tx`unnest(${times.map((time) => time.toISOString())}::timestamptz[]) as moment`
  // In the order in which they are taken.
  await tx`
    with counted as materialized (
      select per, begins_at, ends_at from limit_counts
      where act = ${act} and exists (select from ${moments} where moment >= begins_at and moment < ends_at)
      order by per, begins_at for no key update
    )
    update limit_counts set used = greatest(0, used - (
      select count(*) from ${moments} where moment >= counted.begins_at and moment < counted.ends_at))
    from counted
    where act = ${act} and limit_counts.per = counted.per and limit_counts.begins_at = counted.begins_at`
}

/** What is counted in the window that holds `now`; null: nobody has counted yet. */
export async function countedOf(tx: Tx, limit: GrantedLimit, now: Date): Promise<number | null> {
  const { from } = windowOf(limit, now.getTime())
  const [row] = await tx<{ used: number }[]>`
    select used from limit_counts where act = ${limit.act} and per = ${limit.per} and begins_at = ${new Date(from)}`
  return row?.used ?? null
}
