import type { ActBody, BillingFacts, BillingSituation, Payment } from '../contracts/subscriptions.ts'
import type { PaidCredits, PlannedGrant } from './credit-grants-due.ts'
import { actKey, type Planned } from './planned-acts.ts'

/**
 * What refunds, lost disputes and smaller plans take back of the credits that payments brought, what comes again with money that does, and what of a
 * trial ends with it.
 */
export function planTakingBack(paid: readonly PaidCredits[], situation: BillingSituation): Planned[] {
  return [
    ...paid.flatMap((one) => goneBack(one, situation)),
    ...givenUp(paid, situation),
    ...paid.flatMap((one) => triedInVain(one, situation)),
  ]
}

/**
 * Of each grant the share of the payment that is gone is to be taken, as a whole: so it is the same in however many parts it went, whichever of them
 * failed in the end, and whatever was gone for a while that nobody looked. Each step towards it has its number.
 */
function goneBack({ payment, grants }: PaidCredits, { facts, organisationId, memory }: BillingSituation): Planned[] {
  const { gone, at } = goneOf(payment, facts)
  return grants.flatMap((grant): Planned[] => {
    const grantKey = actKey(organisationId, grant.key)
    const steps = memory.takenBack.filter((one) => one.grantKey === grantKey)
    const taken = steps.reduce((sum, { amount }) => sum + amount, 0)
    const wanted = gone === 0 ? 0 : Math.floor((grant.act.amount * gone) / payment.amount)
    const by = `${steps.length + 1}`
    if (wanted > taken) {
      return [taking(grant, { by, at, credits: wanted - taken, because: 'money_back', organisationId })]
    }
    const act: ActBody = { is: 'give_back_credits', grantKey, amount: taken - wanted }
    return wanted < taken ? [ofCredits(`give-back/${by}/${grant.key}`, at, act)] : []
  })
}

/**
 * How much of a payment is gone now, and when the last was asked for that may have moved it. Refunds fail days after they succeeded, lost disputes are
 * tried again and won; and while one is tried, the customer has the credits as before.
 */
function goneOf({ id, paidAt, amount: most }: Payment, facts: BillingFacts): { gone: number; at: number } {
  const refunds = facts.refunds.filter(({ paymentId }) => paymentId === id)
  const disputes = facts.disputes.filter(({ paymentId }) => paymentId === id)
  const gone = [
    ...refunds.filter(({ status }) => status === 'succeeded'),
    ...disputes.filter(({ status }) => status === 'lost'),
  ].reduce((sum, { amount }) => sum + amount, 0)
  return {
    gone: Math.min(gone, most),
    at: Math.max(paidAt, ...refunds.map((one) => one.at), ...disputes.map(({ openedAt }) => openedAt)),
  }
}

/**
 * What a change to a smaller plan is credited for goes with its money: from the grants of that period, the newest first. Otherwise whoever goes up and
 * down again has the money back, and the credits.
 */
function givenUp(paid: readonly PaidCredits[], { organisationId, memory }: BillingSituation): Planned[] {
  const taken = new Map<string, number>()
  const done = new Set(memory.done)
  const wanted = paid.flatMap(({ payment, sums }) =>
    sums.map(({ key, givenUp: credits }) => ({ payment, credits, ...giversOf(payment, key) })),
  )
  // What was taken before was taken first.
  return [...wanted.filter(({ isBegun }) => isBegun), ...wanted.filter(({ isBegun }) => !isBegun)].flatMap(
    ({ payment: { id: by, paidAt: at }, givers, ...more }) => {
      let open = more.credits
      return givers.flatMap((grant): Planned[] => {
        const before = taken.get(grant.key) ?? 0
        const credits = Math.min(open, grant.act.amount - before)
        if (credits <= 0) return []
        open -= credits
        taken.set(grant.key, before + credits)
        return [taking(grant, { by, at, credits, because: 'smaller_plan', organisationId })]
      })
    },
  )

  /** Stripe counts whole seconds, so that what came in the same one may have come before. Whatever was taken from once, it stays with that. */
  function giversOf({ id, paidAt }: Payment, sumKey: string): { givers: PlannedGrant[]; isBegun: boolean } {
    const before = paid.filter(({ payment }) => payment.paidAt <= paidAt)
    const grants = before.flatMap((one) => one.grants.filter(({ key }) => key.endsWith(`/${sumKey}`))).toReversed()
    const begun = grants.filter(({ key }) => done.has(actKey(organisationId, takingKey(id, key))))
    return { givers: begun.length > 0 ? begun : grants, isBegun: begun.length > 0 }
  }
}

/** A trial that nothing was paid for before it ended is over with all that it brought. What was paid for once stays. */
function triedInVain({ payment, sums, grants }: PaidCredits, { facts, organisationId }: BillingSituation): Planned[] {
  if (payment.amount > 0) return []
  return sums.flatMap(({ key, paidFor }) => {
    const subscription = facts.subscriptions.find(({ id }) => id === paidFor?.id)
    if (!paidFor || !subscription) return []
    const { id, trialEndsAt, endedAt } = subscription
    const isTrial = trialEndsAt !== null && paidFor.period.startsAt < trialEndsAt
    if (!isTrial || endedAt === null || wasPaid(id, endedAt)) return []
    return grants
      .filter((grant) => grant.key.endsWith(`/${key}`))
      .map((grant) =>
        ofCredits(`end-credits/${grant.key}`, Math.max(endedAt, payment.paidAt), {
          is: 'end_credits',
          grantKey: actKey(organisationId, grant.key),
        }),
      )
  })

  function wasPaid(id: string, by: number): boolean {
    return facts.payments.some(
      ({ amount, paidAt, lines }) =>
        amount > 0 && paidAt <= by && lines.some(({ subscription }) => subscription?.id === id),
    )
  }
}

interface Taking {
  /** The payment or the number that it is taken by. */
  by: string
  at: number
  credits: number
  because: 'money_back' | 'smaller_plan'
  organisationId: string
}

const takingKey = (by: string, grantKey: string): string => `claw-back/${by}/${grantKey}`

function taking({ key }: PlannedGrant, { by, at, credits, because, organisationId }: Taking): Planned {
  const grantKey = actKey(organisationId, key)
  return ofCredits(takingKey(by, key), at, { is: 'claw_back_credits', grantKey, amount: credits, because })
}

function ofCredits(key: string, at: number, act: ActBody): Planned {
  return { key, at, what: act.is, act, isMovable: false }
}
