import type { Tx } from './client.ts'

/** Consecutive times at which messages of a sender may go. */
export interface SlotBlock {
  count: number
  /** Of the first. */
  at: Date
  everyMs: number
  /** The first time that is left for others. */
  nextAt: Date
}

/**
 * No time is given out that is further ahead: a slow sender would hold a worker that others need, and its own times could not be told from a
 * pause.
 */
export const mostAheadMs = 10_000

/**
 * Reserves up to `wanted` times of a sender with a rate, none more than 10 s ahead. Exact over all workers: each time is given out once. One that
 * is not used is lost.
 */
export async function reserveSlots(tx: Tx, senderId: string, wanted: number, now: Date): Promise<SlotBlock> {
  const [sender] = await tx<{ at: Date; rate: number }[]>`
    select greatest(next_slot_at, ${now}) as at, rate_per_second::float8 as rate from senders where id = ${senderId} for no key update`
  if (!sender) return { count: 0, at: now, everyMs: 0, nextAt: now }
  const everyMs = 1000 / sender.rate
  const openMs = now.getTime() + mostAheadMs - sender.at.getTime()
  const count = Math.max(0, Math.min(wanted, Math.floor(openMs / everyMs) + 1))
  // Upwards: a sender may be slower than its rate by a part of a millisecond, never faster.
  const nextAt = new Date(Math.ceil(sender.at.getTime() + count * everyMs))
  if (count > 0) await tx`update senders set next_slot_at = ${nextAt} where id = ${senderId}`
  return { count, at: sender.at, everyMs, nextAt }
}

/** The provider wants no message of this sender before then. */
export async function pauseSlots(tx: Tx, senderId: string, until: Date): Promise<void> {
  await tx`update senders set next_slot_at = greatest(next_slot_at, ${until}) where id = ${senderId}`
}

/** Forgets such a pause. Times that were given out stay: the rate holds. */
export async function liftSlotPause(tx: Tx, senderId: string, now: Date): Promise<void> {
  const latestGiven = new Date(now.getTime() + mostAheadMs)
  await tx`
    update senders set next_slot_at = least(next_slot_at,
      case when rate_per_second is null then ${now}::timestamptz
        else ${latestGiven}::timestamptz + make_interval(secs => (1 / rate_per_second)::float8) end)
    where id = ${senderId}`
}
