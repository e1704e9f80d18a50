import type { BillingSituation, DunningDecision } from '../contracts/subscriptions.ts'
import { isFrozen } from './disputes.ts'
import { casesIn, type DunningCase, givenUpKey } from './dunning-cases.ts'
import { planCharges, planDraftCharges } from './invoice-charges.ts'
import type { Planned } from './planned-acts.ts'

/** What is done about invoices that are overdue, and how it stands with each. */
export function planDunning(situation: BillingSituation): { planned: Planned[]; decisions: DunningDecision[] } {
  const cases = casesIn(situation)
  return {
    planned: [
      ...planDraftCharges(situation),
      ...cases.flatMap((one) => [
        ...planCharges(one, situation),
        ...(isHeld(one, situation) ? [] : [...(isOldest(one, cases) ? noticesOf(one) : []), givingUp(one)]),
      ]),
    ],
    decisions: cases.map((one) => ({
      invoiceId: one.invoice.id,
      subscriptionId: one.subscription.id,
      status: statusOf(one, situation),
    })),
  }
}

function isHeld({ subscription }: DunningCase, { facts, memory }: BillingSituation): boolean {
  return isFrozen(facts) || memory.switches.noDunning !== undefined || subscription.collectionPaused !== null
}

/** Whoever owes several periods is reminded of the first. */
function isOldest({ invoice, overdueSince, subscription }: DunningCase, cases: readonly DunningCase[]): boolean {
  return !cases.some(
    (other) =>
      other.subscription.id === subscription.id &&
      (other.overdueSince < overdueSince || (other.overdueSince === overdueSince && other.invoice.id < invoice.id)),
  )
}

function noticesOf({ invoice, stepsAt }: DunningCase): Planned[] {
  return stepsAt.map((at, index) => ({
    key: `dunning/${invoice.id}/${index + 1}`,
    at,
    what: 'payment_failed',
    act: {
      is: 'notice',
      notice: 'payment_failed',
      about: invoice.id,
      step: index + 1,
      isLast: index === stepsAt.length - 1,
    },
    ladder: `dunning/${invoice.id}`,
  }))
}

function givingUp({ invoice, givenUpAt }: DunningCase): Planned {
  return {
    key: givenUpKey(invoice),
    at: givenUpAt,
    what: 'give_up',
    act: { is: 'give_up', invoiceId: invoice.id },
  }
}

function statusOf(one: DunningCase, situation: BillingSituation): DunningDecision['status'] {
  if (one.isGivenUp) return 'exhausted'
  if (isHeld(one, situation)) return 'frozen'
  return one.givenUpAt <= situation.now ? 'exhausted' : 'open'
}
