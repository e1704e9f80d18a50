import type { z } from 'zod'
import { pendingChange } from '../../db/billing-requests.ts'
import { ownOf } from '../platform.ts'
import { Problem } from '../problem.ts'
import { askProvider, type Refusals } from '../provider-calls.ts'
import { type Endpoint, route } from '../route.ts'
import { isoOrNull } from './billing-answers.ts'
import { ChangeOfPlan, ChangePreview, changeOf, limitsOf, tooSmall } from './billing-plan-change.ts'
import { type BillingStory, carryOutForPerson, RequestAnswer, requestProblems } from './billing-requests.ts'
import { type BillingSource, billingOf } from './billing-source.ts'

const tag = 'Billing'

const exampleChange: z.input<typeof ChangeOfPlan> = { planKey: 'command', when: 'now' }

const refusals: Refusals = {
  no_such_price: ['wrong_state', 'Stripe does not sell this price any more: choose another one from GET /plans.'],
  no_such_subscription: [
    'wrong_state',
    'The subscription has ended at Stripe: begin another by POST /billing/checkout.',
  ],
  invalid_request: [
    'wrong_state',
    'Stripe does not change this subscription so, in the state that it is in: read GET /billing.',
  ],
}

export function billingChangeRoutes({
  billing,
  story,
  stripePrices,
}: {
  billing: BillingSource
  story: BillingStory
  stripePrices: Readonly<Record<string, string>>
}): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/billing/change-plan/preview',
      permission: 'billing:write',
      tag,
      summary: 'See what a change of plan would cost',
      description:
        'Changes nothing. Amounts are those of this moment: a change later in the period costs, or credits, less.',
      body: ChangeOfPlan,
      example: exampleChange,
      problems: ['wrong_state', 'not_found', 'not_allowed_now'],
      success: { status: 200, description: 'The amounts, and what would not fit', schema: ChangePreview },
      async handler({ body, now, as }) {
        const provider = billingOf(billing)
        const { subscription, choice, fit, limits, periodEndsAt } = await as(async (tx) => {
          const change = await changeOf(tx, body, stripePrices)
          return { ...change, limits: await limitsOf(tx, change.choice, now) }
        })
        const money = body.when === 'now' ? 'with_proration' : 'without'
        const asked = { subscriptionId: subscription.id, priceId: choice.priceId, money } as const
        const preview = await askProvider((signal) => provider.previewChange(asked, signal), refusals)
        const at = body.when === 'now' ? now.getTime() : periodEndsAt
        return { body: { subscriptionId: subscription.id, ...preview, at: isoOrNull(at), limits, ...fit } }
      },
    }),

    route({
      method: 'post',
      path: '/billing/change-plan',
      permission: 'billing:write',
      tag,
      summary: 'Change the plan',
      description: `To another plan of the same family, or another price of it. One change at a time: while one waits for the end of its period, or is being
carried out, another is answered 409 with it as \`pending\`. A plan below what is in use is refused with what is \`over\`. A charge that is declined
changes nothing: it is answered 402 with the bank's \`declineCode\`.`,
      body: ChangeOfPlan,
      example: exampleChange,
      problems: requestProblems,
      success: { status: 200, description: 'It is done, or waits for its time', schema: RequestAnswer },
      handler: async (call) => ({
        body: await carryOutForPerson(ownOf(call), { ...call, path: '/billing/change-plan' }, story, async (tx) => {
          const { subscription, choice, fit } = await changeOf(tx, call.body, stripePrices)
          if (fit.over.length > 0) throw tooSmall(choice, fit.over)
          const { plan, priceKey } = choice
          const { when } = call.body
          return { kind: 'change_plan', subscriptionId: subscription.id, planKey: plan.key, priceKey, when }
        }),
      }),
    }),

    route({
      method: 'post',
      path: '/billing/change-plan/undo',
      permission: 'billing:write',
      tag,
      summary: 'Take back a change of plan',
      description: 'One that waits for the end of its period, as `pendingChange` of GET /billing shows it.',
      problems: requestProblems,
      success: { status: 200, description: 'The change is withdrawn', schema: RequestAnswer },
      handler: async (call) => ({
        body: await carryOutForPerson(
          ownOf(call),
          { ...call, path: '/billing/change-plan/undo' },
          story,
          async (tx) => {
            const pending = await pendingChange(tx)
            if (pending === null)
              throw new Problem('wrong_state', 'No change of plan waits: there is nothing to take back.')
            return { kind: 'undo_change', subscriptionId: pending.request.subscriptionId }
          },
        ),
      }),
    }),
  ]
}
