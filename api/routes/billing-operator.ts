import { z } from 'zod'
import { findBillingState } from '../../db/billing-states.ts'
import type { Database, Tx } from '../../db/client.ts'
import { isOwnPayment } from '../../db/stripe-customers.ts'
import { operatorSwitches, type TimerWhat } from '../../workflows/contracts/subscriptions.ts'
import { namedByPlatform } from '../platform.ts'
import { found, invalidInput, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { type BillingStory, carryOutForPerson, RequestAnswer, requestProblems } from './billing-requests.ts'

const tag = 'Billing'

const Named = z.uuid().meta({ description: 'The organisation that it is about' })

const exampleId = '7c9e6679-7425-40de-944b-e07fc1f90ae7'

const Refund = z
  .strictObject({
    organisationId: Named,
    paymentId: z.string().min(1).max(255).meta({
      description: 'Of an invoice, or of a checkout that has none, as the timeline tells of it',
      example: 'in_1Example',
    }),
    amount: z.int().min(1).max(99_999_999).exactOptional().meta({
      description:
        "In minor units of the payment's currency; default all that is left of it, unless something stands to the customer's credit at Stripe",
      example: 4900,
    }),
  })
  .meta({ id: 'Refund' })

const MovedTimer = z
  .strictObject({
    organisationId: Named,
    key: z.string().min(1).max(500).meta({ description: 'Of one of the timers of GET /billing/timers' }),
    to: z.iso.datetime().meta({ description: 'What lies in the past is done at once' }),
  })
  .meta({ id: 'MovedTimer' })

const Switch = z
  .discriminatedUnion('on', [
    z.strictObject({
      organisationId: Named,
      name: z.enum(operatorSwitches),
      on: z.literal(true),
      reason: z.string().trim().min(1).max(500).meta({ description: 'Kept and shown, with the key that asked for it' }),
    }),
    z.strictObject({ organisationId: Named, name: z.enum(operatorSwitches), on: z.literal(false) }),
  ])
  .meta({
    id: 'BillingSwitch',
    description: `\`noAutomaticCharge\`: no card is charged by us. \`noDunning\`: no notices, and nothing is given up. \`keepEntitlements\`: nothing is taken
away because a payment is overdue`,
  })

/** What only the platform's operators do to an organisation. */
export function billingOperatorRoutes({ database, story }: { database: Database; story: BillingStory }): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/billing/refunds',
      permission: 'billing:write',
      tag,
      summary: 'Refund a payment',
      description: `For keys of the platform's organisation. Credits that the payment brought are taken back in its proportion. While a dispute is open
nothing is refunded. Send an Idempotency-Key: without one, a request sent again is another refund.`,
      body: Refund,
      example: { organisationId: exampleId, paymentId: 'in_1Example', amount: 4900 },
      problems: requestProblems,
      success: { status: 200, description: 'Stripe has taken it', schema: RequestAnswer },
      async handler(call) {
        const { organisationId, paymentId, amount = null } = call.body
        const whose = await namedByPlatform(database, call, organisationId)
        const asking = { ...call, path: '/billing/refunds' }
        return {
          body: await carryOutForPerson(whose, asking, story, async (tx) => {
            await checkRefund(tx, paymentId, amount)
            return { kind: 'refund', paymentId, amount }
          }),
        }
      },
    }),

    route({
      method: 'post',
      path: '/billing/timers/move',
      permission: 'billing:write',
      tag,
      summary: 'Move a timer',
      description: `For keys of the platform's organisation. Earlier or later. Where \`isMovable\` is false it stays where it is: Stripe acts at a time of its own, and an automatic top-up
waits for its \`coolDown\`, or for the next month.`,
      body: MovedTimer,
      example: {
        organisationId: exampleId,
        key: `billing/${exampleId}/renewal/sub_1Example/1793836800000`,
        to: '2026-11-27T09:00:00Z',
      },
      problems: requestProblems,
      success: { status: 200, description: 'It is moved', schema: RequestAnswer },
      async handler(call) {
        const { organisationId, key: timerKey, to } = call.body
        const whose = await namedByPlatform(database, call, organisationId)
        const asking = { ...call, path: '/billing/timers/move' }
        return {
          body: await carryOutForPerson(whose, asking, story, async (tx) => {
            const timers = (await findBillingState(tx))?.timers ?? []
            const { isMovable, what } = found(
              timers.find(({ key }) => key === timerKey),
              'timer',
            )
            if (!isMovable) throw new Problem('wrong_state', notMovable(what))
            return { kind: 'move_timer', timerKey, to: Date.parse(to) }
          }),
        }
      },
    }),

    route({
      method: 'post',
      path: '/billing/switches',
      permission: 'billing:write',
      tag,
      summary: 'Switch automatic acts off or on again',
      description: `For keys of the platform's organisation. What is switched on stays so, whatever Stripe tells; off again, what was missed is caught up
with at once.`,
      body: Switch,
      example: { organisationId: exampleId, name: 'noDunning', on: true, reason: 'Pays by bank transfer until March' },
      problems: requestProblems,
      success: { status: 200, description: 'It is switched', schema: RequestAnswer },
      async handler(call) {
        const { body } = call
        const whose = await namedByPlatform(database, call, body.organisationId)
        const asking = { ...call, path: '/billing/switches' }
        return {
          body: await carryOutForPerson(whose, asking, story, async () =>
            body.on
              ? { kind: 'switch_on', name: body.name, reason: body.reason }
              : { kind: 'switch_off', name: body.name },
          ),
        }
      },
    }),
  ]
}

const notMovable = (what: TimerWhat): string =>
  what === 'top_up'
    ? 'When there may be another top-up follows from its coolDown and its mostPerMonth: change those by POST /credits/top-ups.'
    : `When ${what} is follows from what Stripe has: it is not ours to move.`

/** Throws for what is no payment of the organisation's, and for more than is left of it. */
async function checkRefund(tx: Tx, paymentId: string, amount: number | null): Promise<void> {
  const state = await findBillingState(tx)
  const payment = state?.facts.payments.find(({ id }) => id === paymentId)
  // What was paid long ago is known by its name alone: Stripe tells what is left of it.
  if (payment === undefined) found((await isOwnPayment(tx, paymentId)) || null, 'payment of this organisation')
  if (state?.isFrozen) throw new Problem('wrong_state', 'A dispute is open: nothing is refunded before it is closed.')
  if (payment === undefined) return
  const refunds = state?.facts.refunds.filter((one) => one.paymentId === paymentId && one.status !== 'failed') ?? []
  const left = payment.amount - refunds.reduce((sum, one) => sum + one.amount, 0)
  if (payment.amount === 0)
    throw new Problem('wrong_state', 'It took no money: what stands to the credit of the customer paid it.')
  if (left <= 0) throw new Problem('wrong_state', 'Nothing is left of this payment: it was refunded before.')
  const credited = state?.shown.balance?.amount ?? 0
  if (amount === null && credited > 0) {
    const detail = `At Stripe ${credited} stands to the credit of the customer, which may be of this payment, and would be given back twice: give an \`amount\`.`
    throw new Problem('wrong_state', detail)
  }
  if (amount !== null && amount > left) {
    throw invalidInput([{ pointer: '/amount', detail: `Of this payment ${left} is left: give at most that.` }])
  }
}
