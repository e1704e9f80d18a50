import type { BillingFacts, BillingSituation, Payment } from '../contracts/subscriptions.ts'
import type { PaidCredits, PlannedGrant } from './credit-grants-due.ts'
import { actKey, type Planned } from './planned-acts.ts'

/** What refunds, lost disputes and smaller plans take back of the credits that payments brought. */
export function planTakingBack(paid: readonly PaidCredits[], situation: BillingSituation): Planned[] {
  return [...paid.flatMap((one) => goneBack(one, situation)), ...givenUp(paid, situation)]
}

/** Of each grant the share of the payment that went back, so that several parts of it take as much as the whole at once. */
function goneBack({ payment, grants }: PaidCredits, { facts, organisationId }: BillingSituation): Planned[] {
  let before = 0
  return wentBack(payment, facts).flatMap(({ id, amount, at }) => {
    const after = Math.min(before + amount, payment.amount)
    const taken = grants.flatMap((grant): Planned[] => {
      const part = (money: number) => Math.floor((grant.act.amount * money) / payment.amount)
      const credits = part(after) - part(before)
      return credits <= 0 ? [] : [taking(grant, { by: id, at: Math.max(at, payment.paidAt), credits, organisationId })]
    })
    before = after
    return taken
  })
}

function wentBack(payment: Payment, { refunds, disputes }: BillingFacts) {
  return [
    ...refunds.filter(({ status }) => status === 'succeeded'),
    // After the refunds: of what is disputed none is made any more.
    ...disputes
      .filter(({ status }) => status === 'lost')
      .map(({ openedAt, ...dispute }) => ({ ...dispute, at: openedAt })),
  ].filter(({ paymentId }) => paymentId === payment.id)
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
        return [taking(grant, { by, at, credits, organisationId })]
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

const takingKey = (by: string, grantKey: string): string => `claw-back/${by}/${grantKey}`

/** `by`: the id of what takes it. */
function taking(
  { key }: PlannedGrant,
  { by, at, credits, organisationId }: { by: string; at: number; credits: number; organisationId: string },
): Planned {
  return {
    key: takingKey(by, key),
    at,
    what: 'claw_back_credits',
    act: { is: 'claw_back_credits', grantKey: actKey(organisationId, key), amount: credits },
    isMovable: false,
  }
}
