import type { Plan } from '../contracts/plans.ts'
import type { BillingFacts, BillingSituation, DueGrant, PaidLine, Payment } from '../contracts/subscriptions.ts'
import { durationMs } from './durations.ts'
import { monthsAfter } from './months.ts'
import { actKey, type Planned } from './planned-acts.ts'

/**
 * The credits that payments bring, and what refunds and lost disputes take back of them. They depend on what was paid and on nothing that
 * passes, such as a status: however late a payment is seen, it brings the same.
 */
export function planCredits(situation: BillingSituation): Planned[] {
  const { facts } = situation
  const newest = newestPeriods(facts.payments)
  const grants = facts.payments.map((payment) => ({ payment, grants: grantsOf(payment, newest, situation) }))
  return [
    ...grants.flatMap((one) => one.grants),
    ...grants.flatMap((one) => takenBack(one.payment, one.grants, facts, situation.organisationId)),
    ...givenUp(grants, situation),
  ]
}

/**
 * What a change to a smaller plan is credited for goes with its money: from the grants of that period, the newest first. Otherwise whoever goes up and
 * down again has the money back, and the credits.
 */
function givenUp(
  all: readonly { payment: Payment; grants: readonly PlannedGrant[] }[],
  { plans, organisationId, memory }: BillingSituation,
): Planned[] {
  const taken = new Map<string, number>()
  const done = new Set(memory.done)
  const wanted = all.flatMap(({ payment }) =>
    sumsOf(payment, plans).map((sum) => ({ payment, credits: whole(-sum.amount), ...giversOf(payment, sum.key) })),
  )
  // What was taken before was taken first.
  return [...wanted.filter(({ isBegun }) => isBegun), ...wanted.filter(({ isBegun }) => !isBegun)].flatMap(
    ({ payment, givers, ...more }) => {
      let open = more.credits
      return givers.flatMap(({ key, act }): Planned[] => {
        const credits = Math.min(open, act.amount - (taken.get(key) ?? 0))
        if (credits <= 0) return []
        open -= credits
        taken.set(key, (taken.get(key) ?? 0) + credits)
        return [
          {
            key: takingKey(payment, key),
            at: payment.paidAt,
            what: 'claw_back_credits',
            act: { is: 'claw_back_credits', grantKey: actKey(organisationId, key), amount: credits },
            isMovable: false,
          },
        ]
      })
    },
  )

  /** Stripe counts whole seconds, so that what came in the same one may have come before. Whatever was taken from once, it stays with that. */
  function giversOf(payment: Payment, sumKey: string): { givers: PlannedGrant[]; isBegun: boolean } {
    const before = all.filter((one) => one.payment.paidAt <= payment.paidAt)
    const grants = before.flatMap((one) => one.grants.filter(({ key }) => key.endsWith(`/${sumKey}`))).toReversed()
    const begun = grants.filter(({ key }) => done.has(actKey(organisationId, takingKey(payment, key))))
    return { givers: begun.length > 0 ? begun : grants, isBegun: begun.length > 0 }
  }
}

const takingKey = ({ id }: Payment, grantKey: string): string => `claw-back/${id}/${grantKey}`

/** Shorter than a year, and longer than what is tried as a rule. */
const longestTrialMs = durationMs('P300D')

type PlannedGrant = Planned & { act: { is: 'grant_credits' } & DueGrant }

interface Sum {
  key: string
  type: string
  source: PaidLine['source']
  paidFor: PaidLine['subscription']
  isWholePeriod: boolean
  amount: number
  rolls: number
}

/** One grant for each type and end, of a year twelve times a month's. What a change of plan credits for the old one counts against what it charges for the new. */
function grantsOf(payment: Payment, newest: ReadonlyMap<string, number>, situation: BillingSituation): PlannedGrant[] {
  const outlastMs = durationMs(situation.policy.creditsOutlast)
  return sumsOf(payment, situation.plans).flatMap(({ key, type, source, paidFor, isWholePeriod, ...sum }) => {
    const [amount, most] = [whole(sum.amount), whole(sum.rolls)]
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
  const sums = new Map<string, Sum>()
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
  return [...sums.values()].toSorted((one, other) => (one.key < other.key ? -1 : 1))
}

/** Credits are told for a month. The trial of what is then paid by the year is none. */
function monthsOf({ subscription, share }: PaidLine): number {
  if (subscription?.every !== 'P1Y') return 1
  const { startsAt, endsAt } = subscription.period
  return share === 1 && endsAt - startsAt < longestTrialMs ? 1 : 12
}

/** Of each grant the share of the payment that went back, so that several parts of it take as much as the whole at once. */
function takenBack(
  payment: Payment,
  grants: readonly PlannedGrant[],
  { refunds, disputes }: BillingFacts,
  organisationId: string,
): Planned[] {
  const isOfIt = ({ paymentId }: { paymentId: string | null }) => paymentId === payment.id
  const wentBack = [
    ...refunds.filter(({ status }) => status === 'succeeded'),
    // After the refunds: of what is disputed none is made any more.
    ...disputes
      .filter(({ status }) => status === 'lost')
      .map(({ openedAt, ...dispute }) => ({ ...dispute, at: openedAt })),
  ].filter(isOfIt)
  let before = 0
  return wentBack.flatMap(({ id, amount, at }) => {
    const after = Math.min(before + amount, payment.amount)
    const taken = grants.flatMap(({ key, act }): Planned[] => {
      const part = (paid: number) => Math.floor((act.amount * paid) / payment.amount)
      const credits = part(after) - part(before)
      if (credits <= 0) return []
      return [
        {
          key: `claw-back/${id}/${key}`,
          at: Math.max(at, payment.paidAt),
          what: 'claw_back_credits',
          act: { is: 'claw_back_credits', grantKey: actKey(organisationId, key), amount: credits },
          isMovable: false,
        },
      ]
    })
    before = after
    return taken
  })
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
