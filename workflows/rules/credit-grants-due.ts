import type { Plan } from '../contracts/plans.ts'
import type { BillingSituation, DueGrant, PaidLine, Payment } from '../contracts/subscriptions.ts'
import { planTakingBack } from './credits-taken-back.ts'
import { durationMs } from './durations.ts'
import { monthsAfter } from './months.ts'
import type { Planned } from './planned-acts.ts'

/**
 * The credits that payments bring, and what refunds and lost disputes take back of them. They depend on what was paid and on nothing that
 * passes, such as a status: however late a payment is seen, it brings the same.
 */
export function planCredits(situation: BillingSituation): Planned[] {
  const { facts } = situation
  const newest = newestPeriods(facts.payments)
  const paid = facts.payments.map((payment): PaidCredits => {
    const sums = sumsOf(payment, situation.plans)
    return { payment, sums, grants: grantsOf(payment, sums, { newest, situation }) }
  })
  return [...paid.flatMap(({ grants }) => grants), ...planTakingBack(paid, situation)]
}

/** Shorter than a year, and longer than what is tried as a rule. */
const longestTrialMs = durationMs('P300D')

export type PlannedGrant = Planned & { act: { is: 'grant_credits' } & DueGrant }

/** What a payment is for in credits, and what of them it brings. */
export interface PaidCredits {
  payment: Payment
  sums: Sum[]
  grants: PlannedGrant[]
}

/** Of one type and end, in whole credits. */
interface Sum {
  key: string
  type: string
  source: PaidLine['source']
  paidFor: PaidLine['subscription']
  isWholePeriod: boolean
  amount: number
  /** What the payment credits instead, for a change to a smaller plan. */
  givenUp: number
  rolls: number
}

/** One grant for each type and end, of a year twelve times a month's. What a change of plan credits for the old one counts against what it charges for the new. */
function grantsOf(
  payment: Payment,
  sums: readonly Sum[],
  { newest, situation }: { newest: ReadonlyMap<string, number>; situation: BillingSituation },
): PlannedGrant[] {
  const outlastMs = durationMs(situation.policy.creditsOutlast)
  return sums.flatMap(({ key, type, source, paidFor, isWholePeriod, amount, rolls: most }) => {
    if (amount <= 0) return []
    const grant: DueGrant = {
      type,
      amount,
      source,
      expiresAt: paidFor && paidFor.period.endsAt + outlastMs,
      rollsOver: paidFor && most > 0 ? { most, until: nextEnd(paidFor) + outlastMs } : null,
      // One that comes late, after the next, begins nothing any more.
      beginsPeriod: isWholePeriod && paidFor !== null && newest.get(paidFor.id) === paidFor.period.endsAt,
    }
    return [
      {
        key: `credits/${payment.id}/${key}`,
        at: payment.paidAt,
        what: 'grant_credits',
        act: { is: 'grant_credits', ...grant },
        isMovable: false,
      },
    ]
  })
}

function sumsOf({ lines }: Payment, plans: readonly Plan[]): Sum[] {
  const sums = new Map<string, Omit<Sum, 'givenUp'>>()
  for (const line of lines) {
    const { planKey, quantity, subscription, share, source } = line
    const months = monthsOf(line)
    for (const { type, amount, rollsOver } of plans.find(({ key }) => key === planKey)?.credits ?? []) {
      const key = `${type}/${source}/${subscription?.period.endsAt ?? 'for-good'}`
      const sum = sums.get(key) ?? {
        key,
        type,
        source,
        paidFor: subscription,
        isWholePeriod: false,
        amount: 0,
        rolls: 0,
      }
      sums.set(key, {
        ...sum,
        isWholePeriod: sum.isWholePeriod || share === 1,
        amount: sum.amount + amount * months * quantity * share,
        rolls: sum.rolls + rollsOver * months * quantity * share,
      })
    }
  }
  return [...sums.values()]
    .map(({ amount, rolls, ...sum }) => ({
      ...sum,
      amount: whole(amount),
      givenUp: whole(-amount),
      rolls: whole(rolls),
    }))
    .toSorted((one, other) => (one.key < other.key ? -1 : 1))
}

/** Credits are told for a month. The trial of what is then paid by the year is none. */
function monthsOf({ subscription, share }: PaidLine): number {
  if (subscription?.every !== 'P1Y') return 1
  const { startsAt, endsAt } = subscription.period
  return share === 1 && endsAt - startsAt < longestTrialMs ? 1 : 12
}

/** The end of the newest period that was paid, by subscription. */
function newestPeriods(payments: readonly Payment[]): ReadonlyMap<string, number> {
  const ends = new Map<string, number>()
  for (const { subscription, share } of payments.flatMap(({ lines }) => lines)) {
    if (subscription === null || share !== 1) continue
    ends.set(subscription.id, Math.max(ends.get(subscription.id) ?? 0, subscription.period.endsAt))
  }
  return ends
}

/** The end of the period after the one that was paid. Stripe counts months from the anchor. */
function nextEnd({ every, anchoredAt, period }: NonNullable<PaidLine['subscription']>): number {
  const step = every === 'P1Y' ? 12 : 1
  const anchor = new Date(anchoredAt)
  const end = new Date(period.endsAt)
  const months = (end.getUTCFullYear() - anchor.getUTCFullYear()) * 12 + end.getUTCMonth() - anchor.getUTCMonth()
  let count = Math.floor(months / step) * step
  while (monthsAfter(anchoredAt, count) <= period.endsAt) count += step
  return monthsAfter(anchoredAt, count)
}

/** Rounded down, where a sum of shares is not short of a whole by its arithmetic alone. */
const whole = (amount: number): number => Math.floor(Math.round(amount * 1_000_000) / 1_000_000)
