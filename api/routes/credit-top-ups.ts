import { z } from 'zod'
import { wakeCustomersBilling } from '../../db/billing-story.ts'
import type { Tx } from '../../db/client.ts'
import { listTopUps, type SavedTopUp, saveTopUp } from '../../db/credit-top-ups.ts'
import { findPlan } from '../../db/plans.ts'
import { CreditType } from '../../workflows/contracts/credits.schema.ts'
import { mostCredits } from '../../workflows/contracts/credits.ts'
import { durationAbove } from '../../workflows/contracts/durations.schema.ts'
import { PlanKey } from '../../workflows/contracts/plans.schema.ts'
import { invalidInput, type Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'

const tag = 'Credits'

/** Bought credits are there within seconds, as a rule: until then the balance is still low. */
const shortestCoolDownSeconds = 299

const TopUp = z
  .strictObject({
    type: CreditType,
    planKey: PlanKey.meta({
      description: 'What is bought: paid once, and it brings credits of this type',
      example: 'calls-300',
    }),
    priceKey: z.string().max(63).meta({ description: 'Of the plan', example: 'once' }),
    quantity: z.int().min(1).max(1_000).default(1),
    threshold: z
      .int()
      .min(1)
      .max(mostCredits)
      .meta({ description: 'It is bought when the balance is below', example: 600 }),
    coolDown: durationAbove(shortestCoolDownSeconds)
      .default('PT1H')
      .meta({
        description: `For so long after an attempt there is no other, whatever came of it; more than ${shortestCoolDownSeconds} seconds, such as PT5M`,
        example: 'PT1H',
      }),
    mostPerMonth: z.int().min(1).max(100).meta({ description: 'Attempts in a calendar month (UTC)', example: 5 }),
    enabled: z.boolean().default(true),
  })
  .meta({ id: 'CreditTopUp' })

const SetTopUp = TopUp.extend({
  actor: z.string().meta({ description: 'Who set it last' }),
  updatedAt: z.iso.datetime(),
}).meta({ id: 'SetCreditTopUp' })

export function creditTopUpRoutes({
  stripePrices,
}: {
  /** Ids of prices at Stripe by the name of their setting: what has one is for sale. */
  stripePrices: Readonly<Record<string, string>>
}): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/credits/top-ups',
      permission: 'credits:read',
      tag,
      summary: 'List the automatic top-ups',
      success: {
        status: 200,
        description: 'One a type of credit',
        schema: z.strictObject({ data: z.array(SetTopUp) }),
      },
      handler: async ({ as }) => ({ body: { data: (await as(listTopUps)).map(answer) } }),
    }),

    route({
      method: 'post',
      path: '/credits/top-ups',
      permission: 'credits:write',
      tag,
      summary: 'Set an automatic top-up',
      description: `When the balance falls below the threshold, the plan is bought and paid at once with the card of the organisation. There is one of each type:
the last word counts. Nothing is bought within the cool-down, beyond the month's most, or while a payment is disputed; an attempt that fails is told by
e-mail once.`,
      body: TopUp,
      example: { type: 'call_seconds', planKey: 'calls-300', priceKey: 'once', threshold: 600, mostPerMonth: 5 },
      success: { status: 200, description: 'The top-up', schema: SetTopUp },
      handler: ({ body, caller, requestId, now, answerAs }) =>
        answerAs(async (tx) => {
          await checkPrice(tx, body)
          const topUp: SavedTopUp = { ...body, actor: `key:${caller.keyId}`, updatedAt: now }
          await saveTopUp(tx, topUp)
          const { organisationId } = caller
          const workflowIds = await wakeCustomersBilling(tx, { organisationId, requestId }, now)
          return { body: answer(topUp), workflowIds }
        }),
    }),
  ]

  /** Whether the price can be bought once, and brings what is topped up. What is switched off may be anything that there is. */
  async function checkPrice(tx: Tx, { type, planKey, priceKey, enabled }: z.output<typeof TopUp>): Promise<void> {
    const plan = await findPlan(tx, planKey)
    if (!plan) throw wrong('planKey', 'There is no such plan.')
    const { kind, credits, prices } = plan.definition
    const price = prices.find(({ key }) => key === priceKey)
    if (!price) throw wrong('priceKey', `Give one of its prices: ${prices.map(({ key }) => key).join(', ')}.`)
    if (!enabled) return
    if (plan.retiredAt !== null) throw wrong('planKey', 'It is retired: nobody buys it any more.')
    if (kind === 'subscription') throw wrong('planKey', 'It is a subscription: give what is paid once.')
    if (!credits.some((one) => one.type === type)) throw wrong('planKey', `It brings no credits of the type ${type}.`)
    if (stripePrices[price.setting] === undefined) throw wrong('priceKey', 'It is not for sale.')
  }
}

function wrong(field: string, detail: string): Problem {
  return invalidInput([{ pointer: `/${field}`, detail }])
}

function answer({ updatedAt, ...topUp }: SavedTopUp): z.input<typeof SetTopUp> {
  return { ...topUp, updatedAt: updatedAt.toISOString() }
}
