import type { BillingSituation, CreditWatch, TopUp, WatchedCredits } from '../contracts/subscriptions.ts'
import { chargedCard } from './card-use.ts'
import { durationMs } from './durations.ts'
import type { Planned } from './planned-acts.ts'

/**
 * Who is told that credits run low, and what is bought of them by itself.
 *
 * A share is of what the period began with and what was granted since, and only burning trips it: credits that expire were not used, and nobody
 * is warned of that. It is told once a period, the lowest one alone where several were passed at once. What is bought in the middle of a period
 * makes the shares smaller and arms none of them again: who tops up ten times a month is not warned thirty times. And while more has been
 * bought than the share, there is nothing to tell.
 */
export function planCreditWatch(situation: BillingSituation): Planned[] {
  const { credits } = situation
  if (!credits) return []
  return credits.accounts.toSorted(byType).flatMap((account) => {
    const topUp = credits.topUps.find(({ type }) => type === account.type)
    return [
      ...lowCredits(account, situation),
      ...(topUp && account.balance < topUp.threshold ? planTopUp(topUp, credits, situation) : []),
      ...failedTopUps(account, credits),
    ]
  })
}

function lowCredits(
  { type, balance, periodGranted, periodBeganAt, fallenTo }: WatchedCredits,
  { now }: BillingSituation,
): Planned[] {
  const isLow = fallenTo < 100 && balance * 100 <= fallenTo * periodGranted
  if (!isLow) return []
  const notice = fallenTo === 0 ? 'credits_exhausted' : 'credits_low'
  return [
    {
      key: `credits-low/${type}/${periodBeganAt}/${fallenTo}`,
      at: now,
      what: notice,
      act: { is: 'notice', notice, about: type, step: fallenTo, isLast: fallenTo === 0 },
      isMovable: false,
    },
  ]
}

/**
 * One at a time, each with a number. Whatever came of the last, none follows within the cool-down, nor more in a month than was allowed: nobody's
 * credits run away with more money than that. Not with a dispute, whose payment may be such a one.
 */
function planTopUp(topUp: TopUp, { attempts }: CreditWatch, situation: BillingSituation): Planned[] {
  const { type, planKey, priceKey, quantity } = topUp
  const { now } = situation
  const card = chargedCard(situation)
  if (card === null) return []
  const earlier = attempts.filter((attempt) => attempt.type === type).map(({ at }) => at)
  return [
    {
      key: topUpKey(type, earlier.length + 1),
      at: allowedAt(topUp, earlier) ?? now,
      what: 'top_up',
      act: { is: 'top_up', type, planKey, priceKey, quantity },
      before: card.expiresAt,
      isMovable: false,
    },
  ]
}

/** The first moment after the attempts before at which there may be one more; null: there were none. */
function allowedAt({ coolDown, mostPerMonth }: TopUp, earlier: readonly number[]): number | null {
  if (earlier.length === 0) return null
  const rested = Math.max(...earlier) + durationMs(coolDown)
  const month = monthOf(rested)
  const isUsedUp = earlier.filter((at) => at >= month.from && at < month.until).length >= mostPerMonth
  return isUsedUp ? month.until : rested
}

/** In UTC. */
function monthOf(moment: number): { from: number; until: number } {
  const date = new Date(moment)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  return { from: Date.UTC(year, month), until: Date.UTC(year, month + 1) }
}

/** Told once until one has succeeded, by the first of those that failed in a row. */
function failedTopUps({ type }: WatchedCredits, { attempts }: CreditWatch): Planned[] {
  const ofType = attempts.filter((attempt) => attempt.type === type)
  const first = ofType.findLastIndex(({ hasFailed }) => !hasFailed) + 1
  const failed = ofType[first]
  if (!failed) return []
  return [
    {
      key: `${topUpKey(type, first + 1)}/failed`,
      at: failed.at,
      what: 'top_up_failed',
      act: { is: 'notice', notice: 'top_up_failed', about: type, step: 1, isLast: true },
      isMovable: false,
    },
  ]
}

const topUpKey = (type: string, number: number): string => `top-up/${type}/${number}`

const byType = (one: WatchedCredits, other: WatchedCredits): number => (one.type < other.type ? -1 : 1)
