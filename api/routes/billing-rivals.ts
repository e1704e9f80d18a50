import type { BillingProvider, PlanOfPrice } from '../../activities/ports.ts'
import type { Tx } from '../../db/client.ts'
import { planOfPrices } from '../../db/plan-of-price.ts'
import { listPlans } from '../../db/plans.ts'
import type { StripeStatus } from '../../workflows/contracts/subscriptions.ts'
import { Problem } from '../problem.ts'
import { askProvider, type Refusals } from '../provider-calls.ts'

/** How the subscriptions of a family are told at Stripe. */
export interface FamilyAtStripe {
  family: string
  planKeys: ReadonlySet<string>
  plans: PlanOfPrice
}

export async function familyAtStripe(
  tx: Tx,
  family: string,
  stripePrices: Readonly<Record<string, string>>,
): Promise<FamilyAtStripe> {
  const all = await listPlans(tx, { family, withRetired: true })
  const planKeys = new Set(all.map(({ definition }) => definition.key))
  return { family, planKeys, plans: await planOfPrices(tx, stripePrices) }
}

/** Of a subscription that has not ended, of the family, at Stripe itself: what it has told, our rows may have missed. Null: there is none. */
export async function rivalAtStripe(
  billing: Pick<BillingProvider, 'fetchAccount'>,
  customerId: string,
  { planKeys, plans }: FamilyAtStripe,
  refusals: Refusals,
): Promise<StripeStatus | null> {
  const account = await askProvider((signal) => billing.fetchAccount(customerId, plans, signal), refusals)
  const rival = account?.facts.subscriptions.find(
    ({ status, items }) =>
      status !== 'canceled' && status !== 'incomplete_expired' && items.some(({ planKey }) => planKeys.has(planKey)),
  )
  return rival?.status ?? null
}

/** 409 with how what there is goes on. */
export function alreadySubscribed(status: StripeStatus, family: string): Problem {
  const detail =
    status === 'incomplete'
      ? 'The first payment of a subscription is still to be made: POST /billing/pay-now, or end it by POST /billing/cancel.'
      : `There is a subscription of the family ${family} already: change it by POST /billing/change-plan.`
  return new Problem('wrong_state', detail)
}
