import { z } from 'zod'
import type { Tx } from '../../db/client.ts'
import { isPlatform } from '../../db/organisations.ts'
import { findPlan, findPlanVersion, listPlans, lockCatalogue, retirePlan, savePlan } from '../../db/plans.ts'
import { clashes } from '../../workflows/contracts/catalogue.schema.ts'
import { Family, Plan, PlanKey } from '../../workflows/contracts/plans.schema.ts'
import { mostPlans, usualDunning, usualGrace } from '../../workflows/contracts/plans.ts'
import { checkPlatform } from '../platform.ts'
import { found, Problem, pointerTo } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { OfferedPlan, planAnswer, type Reader } from './plan-answers.ts'

const tag = 'Plans'

const PlanParams = z.strictObject({ key: PlanKey })

const examplePlan: z.input<typeof Plan> = {
  key: 'scout',
  name: 'Scout',
  kind: 'subscription',
  family: 'prospecting',
  rank: 10,
  prices: [{ key: 'monthly', amount: 9900, currency: 'USD', every: 'P1M', setting: 'STRIPE_PRICE_SCOUT' }],
  trial: 'P14D',
  credits: [{ type: 'call_seconds', amount: 3600, rollsOver: 1800 }],
  entitlements: {
    features: ['campaigns', 'sequences'],
    limits: [
      { act: 'searches', most: 500, per: 'period' },
      { act: 'contacts', most: 5000, per: 'total' },
    ],
  },
  dunning: usualDunning,
  grace: usualGrace,
}

export function planRoutes({ stripePrices }: Pick<Reader, 'stripePrices'>): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/plans',
      permission: 'plans:read',
      tag,
      summary: 'List the plans',
      description: `The catalogue, the same for all organisations: each plan in its newest version, by family and rank. A plan is a
subscription, a pack of credits, or bought once.`,
      query: z.strictObject({
        family: Family.optional().meta({ description: 'Only those of this family' }),
        includeRetired: z
          .enum(['true', 'false'], 'Give true or false.')
          .default('false')
          .transform((text) => text === 'true')
          .meta({ description: 'Also those that nobody buys any more' }),
      }),
      success: { status: 200, description: 'The plans', schema: z.strictObject({ data: z.array(OfferedPlan) }) },
      handler: ({ query: { family = null, includeRetired }, as }) =>
        as(async (tx) => {
          const reader = { isPlatform: await isPlatform(tx), stripePrices }
          const plans = await listPlans(tx, { family, withRetired: includeRetired })
          return { body: { data: plans.map((plan) => planAnswer(plan, reader)) } }
        }),
    }),

    route({
      method: 'get',
      path: '/plans/{key}',
      permission: 'plans:read',
      tag,
      summary: 'Read a plan',
      description: 'Also one that is retired, and by its version one that was bought before.',
      params: PlanParams,
      query: z.strictObject({
        version: z.coerce
          .number()
          .int()
          .min(1)
          .max(2 ** 31 - 1)
          .optional()
          .meta({ description: 'Default the newest' }),
      }),
      success: { status: 200, description: 'The plan', schema: OfferedPlan },
      handler: ({ params: { key }, query: { version }, as }) =>
        as(async (tx) => {
          const plan = found(await findPlan(tx, key), 'plan')
          const asked = version === undefined ? plan : found(await findPlanVersion(tx, key, version), 'version')
          return { body: planAnswer(asked, { isPlatform: await isPlatform(tx), stripePrices }) }
        }),
    }),

    route({
      method: 'post',
      path: '/plans',
      permission: 'plans:write',
      tag,
      summary: 'Save a plan',
      description: `For keys of the platform's organisation. A new key makes a plan, a known one the next version of it, which is bought from now on, also
if it was retired; who has bought an earlier version keeps that. A price can be bought once its setting holds its id at Stripe.`,
      body: Plan,
      example: examplePlan,
      problems: ['conflict', 'limit_reached'],
      success: {
        status: 200,
        description: 'The plan with its version',
        schema: OfferedPlan,
        headers: { Location: 'The path of the plan' },
      },
      handler: ({ body: definition, caller, now, answerAs }) =>
        answerAs(async (tx) => {
          await checkPlatform(tx, 'changes the catalogue')
          await checkPlace(tx, definition)
          const plan = await savePlan(tx, { definition, actor: `key:${caller.keyId}`, now })
          return {
            body: planAnswer(plan, { isPlatform: true, stripePrices }),
            headers: { location: `/api/v1/plans/${definition.key}` },
          }
        }),
    }),

    route({
      method: 'post',
      path: '/plans/{key}/retire',
      permission: 'plans:write',
      tag,
      summary: 'Retire a plan',
      description: `For keys of the platform's organisation. Nobody buys it from now on; who has it keeps it. Saved again, it is offered again.`,
      params: PlanParams,
      success: { status: 200, description: 'The plan', schema: OfferedPlan },
      handler: ({ params: { key }, now, answerAs }) =>
        answerAs(async (tx) => {
          await checkPlatform(tx, 'changes the catalogue')
          const plan = found(await retirePlan(tx, key, now), 'plan')
          return { body: planAnswer(plan, { isPlatform: true, stripePrices }) }
        }),
    }),
  ]
}

/** Throws when the catalogue has no place for the plan; else nobody takes it before the end of the transaction. */
async function checkPlace(tx: Tx, definition: z.output<typeof Plan>): Promise<void> {
  const catalogue = await lockCatalogue(tx)
  const errors = clashes(definition, catalogue).map(({ path, message }) => ({
    pointer: pointerTo(path),
    detail: message,
  }))
  if (errors.length > 0) throw new Problem('conflict', errors.map(({ detail }) => detail).join(' '), { errors })
  if (catalogue.length >= mostPlans && catalogue.every(({ key }) => key !== definition.key)) {
    throw new Problem('limit_reached', `There are ${mostPlans} plans, retired ones too: save one of them anew.`)
  }
}
