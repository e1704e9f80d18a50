import type { BillingDecision, BillingFacts, BillingSituation, Payment } from '../contracts/subscriptions.ts'
import { planCardUse } from './card-use.ts'
import { planCredits } from './credit-grants-due.ts'
import { planCreditWatch } from './credit-watch.ts'
import { planCardExpiry, planWinBack } from './customer-notices.ts'
import { isFrozen, planDisputes } from './disputes.ts'
import { planDunning } from './dunning.ts'
import { settle } from './planned-acts.ts'
import { bestAccess, decideState } from './subscription-state.ts'
import { planSubscription } from './subscription-timers.ts'

/**
 * How it stands with an organisation, what is to be done now, and when to look again. It follows from what Stripe has at this moment, what we
 * remember, and the time: not from the events that told of it, their order or their number. Asked again with the acts remembered as
 * done it gives none of them twice, and between two timers nothing becomes due. Throws for a policy with a duration that is none.
 */
export function decideBilling(given: BillingSituation): BillingDecision {
  const situation = { ...given, facts: inOrder(given.facts) }
  const { facts } = situation
  const subscriptions = facts.subscriptions.map((one) => decideState(one, situation))
  const { planned: dunned, decisions: dunning } = planDunning(situation)
  const planned = [
    ...planDisputes(situation),
    ...planCardUse(situation),
    ...planCredits(situation),
    ...planCreditWatch(situation),
    ...dunned,
    ...facts.subscriptions.flatMap((one, index) => {
      const decision = subscriptions[index]
      return decision ? planSubscription(one, decision, situation) : []
    }),
    ...planCardExpiry(situation),
    ...planWinBack(situation, subscriptions),
  ]
  return {
    subscriptions,
    access: bestAccess(subscriptions),
    isFrozen: isFrozen(facts),
    dunning,
    ...settle(planned, situation),
  }
}

/** Stripe lists things as it likes, and makes up ids: of what is paid at once the oldest period comes first, and its credits pay what is owed. */
function inOrder(facts: BillingFacts): BillingFacts {
  return {
    ...facts,
    subscriptions: facts.subscriptions.toSorted(byId),
    openInvoices: facts.openInvoices.toSorted(
      (one, other) => (one.overdueSince ?? 0) - (other.overdueSince ?? 0) || byId(one, other),
    ),
    payments: facts.payments.toSorted(
      (one, other) => one.paidAt - other.paidAt || firstEnd(one) - firstEnd(other) || byId(one, other),
    ),
    refunds: facts.refunds.toSorted((one, other) => one.at - other.at || byId(one, other)),
    disputes: facts.disputes.toSorted((one, other) => one.openedAt - other.openedAt || byId(one, other)),
  }
}

/** Of what was bought once there is none. */
const firstEnd = ({ lines }: Payment): number =>
  Math.min(Number.MAX_SAFE_INTEGER, ...lines.map(({ subscription }) => subscription?.period.endsAt ?? Infinity))

const byId = (one: { id: string }, other: { id: string }): number => (one.id < other.id ? -1 : 1)
