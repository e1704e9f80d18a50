import { z } from 'zod'
import type { KnownSubscription } from '../../db/billing-states.ts'
import type { SavedPlan } from '../../db/plans.ts'
import { PlanKey } from '../../workflows/contracts/plans.schema.ts'
import type { Plan } from '../../workflows/contracts/plans.ts'
import { invalidInput, Problem } from '../problem.ts'

export const PriceKey = z.string().min(1).max(63).exactOptional().meta({
  description: 'Among the prices of the plan. Needed where it has several',
  example: 'monthly',
})

export const ChosenPlan = PlanKey.meta({ description: 'GET /plans lists what can be bought', example: 'hunter' })

export const SubscriptionId = z.string().min(1).max(255).exactOptional().meta({
  description: 'As GET /billing shows it. Needed where there are several',
})

/** What somebody wants to buy, with the price's id at Stripe. */
export interface Choice {
  plan: Plan
  priceKey: string
  priceId: string
  /** Of what is paid by use beside it. */
  meteredPriceIds: string[]
}

/** Throws a Problem for what cannot be bought, with what can be done about it. */
export function chosen(
  saved: SavedPlan | null,
  wanted: { planKey: string; priceKey?: string },
  stripePrices: Readonly<Record<string, string>>,
): Choice {
  if (saved === null) throw wrongField('/planKey', `There is no plan "${wanted.planKey}": GET /plans lists them.`)
  const { definition: plan, retiredAt } = saved
  if (retiredAt !== null) {
    throw new Problem('wrong_state', `The plan ${plan.key} is retired: GET /plans lists what can be bought.`)
  }
  const { priceKey } = wanted
  const keys = plan.prices.map(({ key }) => key).join(', ')
  if (priceKey === undefined && plan.prices.length > 1) {
    throw wrongField('/priceKey', `The plan ${plan.key} has several prices: give one of ${keys}.`)
  }
  const price = plan.prices.find(({ key }) => priceKey === undefined || key === priceKey)
  if (price === undefined) throw wrongField('/priceKey', `The plan ${plan.key} has no such price: give one of ${keys}.`)
  const priceId = stripePrices[price.setting]
  const meters = price.meters ?? []
  const meteredPriceIds = meters.flatMap(({ setting }) => stripePrices[setting] ?? [])
  // Without its meters, what is used beyond the credits would be refused, or be nobody's to pay.
  if (priceId === undefined || meteredPriceIds.length < meters.length) {
    const detail = `The price ${price.key} of ${plan.key} is not for sale yet: choose one of which GET /plans says isForSale.`
    throw new Problem('wrong_state', detail)
  }
  return { plan, priceKey: price.key, priceId, meteredPriceIds }
}

/** The subscriptions that have not ended. */
export function goingOn(subscriptions: readonly KnownSubscription[]): KnownSubscription[] {
  return subscriptions.filter(({ state }) => state !== 'ended')
}

/** Those that a plan of the family takes the place of. */
export function ofFamily(subscriptions: readonly KnownSubscription[], family: string): KnownSubscription[] {
  return goingOn(subscriptions).filter(({ plans }) => plans.some(({ definition }) => definition?.family === family))
}

/** The subscription that is meant; throws a Problem where that is not one. */
export function meant(candidates: readonly KnownSubscription[], id: string | undefined): KnownSubscription {
  const [first, ...others] = candidates.filter((one) => id === undefined || one.id === id)
  if (first === undefined && id !== undefined) {
    throw new Problem('not_found', 'There is no such subscription that goes on, or not of the family of this plan.')
  }
  if (first === undefined) {
    throw new Problem('wrong_state', 'There is no subscription for that: begin one by POST /billing/checkout.')
  }
  if (others.length > 0) {
    const ids = candidates.map((one) => one.id).join(', ')
    throw wrongField('/subscriptionId', `There are several subscriptions: give one of ${ids}.`)
  }
  return first
}

/** 409 before the first step towards paying. */
export function noCustomer(): Problem {
  return new Problem('wrong_state', 'Nothing was ever bought: begin with POST /billing/checkout.')
}

function wrongField(pointer: string, detail: string): Problem {
  return invalidInput([{ pointer, detail }])
}
