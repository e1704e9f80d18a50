import { z } from 'zod'
import { findBillingState, listSubscriptions } from '../../db/billing-states.ts'
import type { Tx } from '../../db/client.ts'
import { ownOf } from '../platform.ts'
import { found, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { goingOn, meant, SubscriptionId } from './billing-choices.ts'
import { type BillingStory, carryOutForPerson, RequestAnswer, requestProblems } from './billing-requests.ts'

const tag = 'Billing'

/** What an organisation asks of its own subscriptions, besides another plan. */
export function billingControlRoutes({ story }: { story: BillingStory }): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/billing/cancel',
      permission: 'billing:write',
      tag,
      summary: 'Cancel a subscription',
      description: `\`period_end\`: it goes on until what is paid for is over, and can be kept by POST /billing/cancel/undo until then. \`now\`: it ends at
once and for good; nothing is paid back by itself.`,
      body: z
        .strictObject({ when: z.enum(['now', 'period_end']), subscriptionId: SubscriptionId })
        .meta({ id: 'Cancellation' }),
      example: { when: 'period_end' },
      problems: requestProblems,
      success: { status: 200, description: 'Stripe knows of it', schema: RequestAnswer },
      handler: async (call) => ({
        body: await carryOutForPerson(ownOf(call), { ...call, path: '/billing/cancel' }, story, async (tx) => {
          const { when, subscriptionId } = call.body
          return { kind: 'cancel', subscriptionId: await meantId(tx, subscriptionId), when }
        }),
      }),
    }),

    route({
      method: 'post',
      path: '/billing/cancel/undo',
      permission: 'billing:write',
      tag,
      summary: 'Keep a subscription',
      description: 'Takes back a cancellation at the end of the period, before that is over.',
      body: z.strictObject({ subscriptionId: SubscriptionId }).meta({ id: 'CancellationUndo' }),
      example: {},
      problems: requestProblems,
      success: { status: 200, description: 'It goes on', schema: RequestAnswer },
      handler: async (call) => ({
        body: await carryOutForPerson(ownOf(call), { ...call, path: '/billing/cancel/undo' }, story, async (tx) => ({
          kind: 'undo_cancel',
          subscriptionId: await meantId(tx, call.body.subscriptionId),
        })),
      }),
    }),

    route({
      method: 'post',
      path: '/billing/pay-now',
      permission: 'billing:write',
      tag,
      summary: 'Pay an open invoice',
      description: `Charges what the customer pays with, at once. A card that is declined is answered 402 with the bank's \`declineCode\`:
have another one put in by POST /billing/portal, which is then charged by itself. With \`authentication_required\` the card is good, and the
bank wants the person: they confirm at the invoice's \`payUrl\` in GET /billing.`,
      body: z
        .strictObject({
          invoiceId: z.string().min(1).max(255).exactOptional().meta({
            description: 'One of the `openInvoices` of GET /billing; default the oldest',
            example: 'in_1Example',
          }),
        })
        .meta({ id: 'PayNow' }),
      example: {},
      problems: requestProblems,
      success: { status: 200, description: 'It is paid', schema: RequestAnswer },
      handler: async (call) => ({
        body: await carryOutForPerson(ownOf(call), { ...call, path: '/billing/pay-now' }, story, async (tx) => ({
          kind: 'pay_now',
          invoiceId: await openInvoice(tx, call.body.invoiceId),
        })),
      }),
    }),
  ]
}

async function meantId(tx: Tx, subscriptionId: string | undefined): Promise<string> {
  return meant(goingOn(await listSubscriptions(tx)), subscriptionId).id
}

/** The open invoice that is asked for, or the one that is owed for longest. */
async function openInvoice(tx: Tx, wanted: string | undefined): Promise<string> {
  const { facts, shown } = (await findBillingState(tx)) ?? {}
  const open = facts?.openInvoices ?? []
  if (wanted !== undefined)
    return found(
      open.find(({ id }) => id === wanted),
      'open invoice',
    ).id
  const dueAt = new Map(shown?.openInvoices.map((one) => [one.id, one.dueAt]))
  const owedSince = ({ id, overdueSince }: (typeof open)[number]) => overdueSince ?? dueAt.get(id) ?? Infinity
  const [oldest] = open.toSorted((one, other) => (owedSince(one) < owedSince(other) ? -1 : 1))
  if (oldest === undefined) throw new Problem('wrong_state', 'No invoice is open: there is nothing to pay.')
  return oldest.id
}
