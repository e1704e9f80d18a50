import { z } from 'zod'
import { findBillingState, type KnownSubscription, listSubscriptions } from '../../db/billing-states.ts'
import type { Tx } from '../../db/client.ts'
import { currentUse } from '../../db/current-use.ts'
import { readEntitlements, usedOf } from '../../db/entitlements.ts'
import { findPlan } from '../../db/plans.ts'
import { limitedActs, limitPeriods } from '../../workflows/contracts/plans.ts'
import { againstChangeWithin } from '../../workflows/rules/plan-change-limits.ts'
import { fitPlans, type Over, type PlanFit } from '../../workflows/rules/plan-fit.ts'
import { Problem } from '../problem.ts'
import { Money } from './billing-answers.ts'
import {
  type Choice,
  ChosenPlan,
  chosen,
  goingOn,
  meant,
  ofFamily,
  PriceKey,
  SubscriptionId,
} from './billing-choices.ts'
import { adviceAgainst } from './billing-refusals.ts'

export const ChangeOfPlan = z
  .strictObject({
    planKey: ChosenPlan,
    priceKey: PriceKey,
    when: z.enum(['now', 'period_end']).meta({
      description: `\`now\`: what remains of the period is charged or credited at once, and the plan changes only if the charge succeeds; not while the period is not paid, or what was paid for it is given
back or disputed. \`period_end\`: the plan changes when the period that is paid for is over`,
    }),
    subscriptionId: SubscriptionId,
  })
  .meta({ id: 'ChangeOfPlan' })

const OverPlan = z
  .discriminatedUnion('what', [
    z.strictObject({ what: z.enum(limitedActs), used: z.int(), most: z.int() }),
    z.strictObject({ what: z.literal('feature'), feature: z.string() }),
  ])
  .meta({ id: 'OverPlan' })

export const ChangePreview = z
  .strictObject({
    subscriptionId: z.string(),
    dueNow: Money.meta({ description: 'To be paid at once; below 0: credited to the next invoices' }),
    lines: z.array(z.strictObject({ text: z.string(), amount: Money })),
    thenEachPeriod: Money.meta({ description: 'Of each whole period from then on' }),
    at: z.iso.datetime().nullable().meta({ description: 'When the plan changes; null: the period is not known yet' }),
    limits: z
      .array(z.strictObject({ act: z.enum(limitedActs), per: z.enum(limitPeriods), most: z.int(), used: z.int() }))
      .meta({ description: 'The limits of the plan, and what of them is used by now' }),
    losesFeatures: z.array(z.string()).meta({ description: 'What could be done before, and cannot any more' }),
    over: z.array(OverPlan).meta({
      description:
        'What is above the plan: while there is any, the change is refused. Remove contacts, or end what uses a feature',
    }),
  })
  .meta({ id: 'PlanChangePreview' })

type Wanted = z.output<typeof ChangeOfPlan>

interface Change {
  subscription: KnownSubscription
  choice: Choice
  fit: PlanFit
  /** Ms since the epoch. */
  periodEndsAt: number | null
}

/** What is asked for, against what there is. Throws a Problem for what is no change, or not possible. */
export async function changeOf(
  tx: Tx,
  wanted: Wanted,
  stripePrices: Readonly<Record<string, string>>,
): Promise<Change> {
  const choice = chosen(await findPlan(tx, wanted.planKey), wanted, stripePrices)
  const { plan, priceId } = choice
  if (plan.kind !== 'subscription') {
    throw new Problem('wrong_state', `${plan.key} is no subscription: buy it by POST /billing/checkout.`)
  }
  const subscriptions = await listSubscriptions(tx)
  const candidates = ofFamily(subscriptions, plan.family)
  if (candidates.length > 1) throw severalOf(plan.family, candidates)
  const subscription = meant(candidates, wanted.subscriptionId)
  const state = await findBillingState(tx)
  const shown = state?.shown.subscriptions.find(({ id }) => id === subscription.id)
  if (shown?.prices.some((price) => price.priceId === priceId)) {
    throw new Problem('wrong_state', `The subscription has this price of ${plan.key} already.`)
  }
  const facts = state?.facts.subscriptions.find(({ id }) => id === subscription.id)
  const against = wanted.when === 'now' && state && facts ? againstChangeWithin(facts, state.facts) : null
  if (against) throw new Problem('wrong_state', adviceAgainst[against])
  const ends = facts?.items.map(({ period }) => period.endsAt) ?? []
  return {
    subscription,
    choice,
    fit: await fitOf(tx, subscriptions, subscription, choice),
    periodEndsAt: ends.length === 0 ? null : Math.min(...ends),
  }
}

/** Two of a family are paid for twice: neither is changed before one is gone. */
function severalOf(family: string, subscriptions: readonly KnownSubscription[]): Problem {
  const ids = subscriptions.map(({ id }) => id).join(', ')
  const detail = `There is another subscription of the family ${family}: cancel one of them (${ids}) by POST /billing/cancel.`
  return new Problem('wrong_state', detail)
}

async function fitOf(
  tx: Tx,
  subscriptions: readonly KnownSubscription[],
  changed: KnownSubscription,
  { plan }: Choice,
): Promise<PlanFit> {
  const held = goingOn(subscriptions).flatMap(({ id, plans }) =>
    plans.flatMap(({ definition }) => (definition === null ? [] : [{ id, definition }])),
  )
  const stays = held.filter(({ id, definition }) => id !== changed.id || definition.family !== plan.family)
  const entitlementsOf = (all: typeof held) => all.map(({ definition }) => definition.entitlements)
  return fitPlans(entitlementsOf(held), [plan.entitlements, ...entitlementsOf(stays)], await currentUse(tx))
}

/** The plan's limits with what is used by now, of a period of the one that runs. */
export async function limitsOf(tx: Tx, { plan }: Choice, now: Date): Promise<z.input<typeof ChangePreview>['limits']> {
  const running = (await readEntitlements(tx))?.limits ?? []
  const limits: z.input<typeof ChangePreview>['limits'] = []
  for (const limit of plan.entitlements.limits) {
    const { from = null, until = null } = running.find(({ act, per }) => act === limit.act && per === limit.per) ?? {}
    limits.push({ ...limit, used: await usedOf(tx, { ...limit, from, until }, now) })
  }
  return limits
}

export function tooSmall({ plan }: Choice, over: Over[]): Problem {
  const sentences = over.map((one) =>
    one.what === 'feature'
      ? `${one.feature} is in use, which it has not`
      : `there are ${one.used} ${one.what}, and it allows ${one.most}`,
  )
  return new Problem('wrong_state', `The plan ${plan.key} is too small: ${sentences.join('; ')}.`, {
    members: { over },
  })
}
