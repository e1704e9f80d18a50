import type { Tx } from '../../db/client.ts'
import { takeFromLimits } from '../../db/limit-counts.ts'
import { later } from '../clock.ts'
import type { Timed } from './pacing.ts'
import type { TurnContext } from './turns.ts'

/** Where nothing tells when there will be more: whoever pays for more wakes everybody before. */
const lookAgainMs = 24 * 60 * 60_000

export interface Limited {
  going: Timed[]
  /** The plans have no more messages before then. */
  refused: Timed[]
}

/**
 * Counts the messages that the organisation's plans have room for, the first come first; exact over all workers, which wait for each other from here
 * to the commit. Transactional ones are neither limited nor counted.
 */
export async function withinLimits(
  tx: Tx,
  timed: readonly Timed[],
  { ground: { entitlements }, now }: Pick<TurnContext, 'ground' | 'now'>,
): Promise<Limited> {
  if (entitlements === null) return { going: [...timed], refused: [] }
  const limited = timed.filter(({ candidate }) => candidate.member.purpose !== 'transactional')
  const { limits } = entitlements
  const { taken, refusal } = await takeFromLimits(tx, { act: 'messages', wanted: limited.length, limits }, now)
  if (refusal === null) return { going: [...timed], refused: [] }
  const at = refusal.until === null ? later(now, lookAgainMs) : new Date(refusal.until)
  const beyond = new Set(limited.slice(taken))
  return {
    going: timed.filter((one) => !beyond.has(one)),
    refused: [...beyond].map(({ candidate }) => ({ candidate, at })),
  }
}
