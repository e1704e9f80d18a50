import type { Tx } from '../../db/client.ts'
import type { JourneySender } from '../../db/journeys.ts'
import { mostAheadMs, reserveSlots } from '../../db/sender-slots.ts'
import type { Candidate } from './outgoing.ts'

export interface Timed {
  candidate: Candidate
  at: Date
}

export interface Paced {
  /** These go now, each at its time. */
  going: Timed[]
  /** The sender has a time for these, soon. */
  later: { at: Date; seats: number[] }[]
  /** The sender has no time for these before then. */
  refused: Timed[]
}

/** Messages whose times lie this close together leave in one call, at the time of the last. */
export const oneCallMs = 1_000

/** Gives each message the time at which its sender may send it; those of a sender without a rate go at once. */
export async function pace(tx: Tx, candidates: readonly Candidate[], now: Date): Promise<Paced> {
  const paced: Paced = { going: [], later: [], refused: [] }
  const bySender = Map.groupBy(candidates, ({ turn }) => turn.sender.id)
  // In one order, so that no two wait for each other's senders.
  for (const [, ofSender] of [...bySender].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const sender = ofSender[0]?.turn.sender
    if (!sender) continue
    if (sender.ratePerSecond === null) paceUnlimited(ofSender, sender, paced, now)
    else await paceExactly(tx, ofSender, sender, paced, now)
  }
  return paced
}

/** Held back only while the provider has asked for a pause. */
function paceUnlimited(candidates: readonly Candidate[], { nextSlotAt }: JourneySender, paced: Paced, now: Date): void {
  const isHeldBack = nextSlotAt !== null && nextSlotAt > now
  const timed = candidates.map((candidate) => ({ candidate, at: isHeldBack ? nextSlotAt : now }))
  ;(isHeldBack ? paced.refused : paced.going).push(...timed)
}

async function paceExactly(
  tx: Tx,
  candidates: readonly Candidate[],
  { id }: JourneySender,
  { going, later, refused }: Paced,
  now: Date,
): Promise<void> {
  const { count, at, everyMs, nextAt } = await reserveSlots(tx, id, candidates.length, now)
  const groups = new Map<number, number[]>()
  for (const [index, candidate] of candidates.entries()) {
    const slotMs = at.getTime() + index * everyMs
    if (index >= count) {
      // Not reserved: who comes first then is served. Those who are refused together come again together.
      const waitMs = (index - count) * everyMs
      refused.push({ candidate, at: new Date(nextAt.getTime() + waitMs - (waitMs % mostAheadMs)) })
    } else if (slotMs < now.getTime() + oneCallMs) going.push({ candidate, at: new Date(slotMs) })
    else {
      const groupMs = now.getTime() + Math.ceil((slotMs - now.getTime()) / oneCallMs) * oneCallMs
      groups.set(groupMs, [...(groups.get(groupMs) ?? []), candidate.turn.traveller.seat])
    }
  }
  later.push(...[...groups].map(([groupMs, seats]) => ({ at: new Date(groupMs), seats })))
}
