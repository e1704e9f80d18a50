import type { BillingDecision, BillingFacts, SubscriptionFacts, SubscriptionState } from '../contracts/subscriptions.ts'
import { isOpen } from './disputes.ts'
import { hasBegun } from './subscription-state.ts'

/** Something for the timeline, once under its key. `at`: ms since the epoch. */
export interface TimelineEvent {
  sourceKey: string
  type: string
  at: number
  details: Record<string, unknown>
}

/** How a subscription was last seen. */
interface Before {
  id: string
  state: SubscriptionState
  plans: string[]
}

/** What has happened since the last look, as far as what there is tells. What was told before has the same keys. */
export function timelineOf(
  before: readonly Before[],
  { facts, decision, now }: { facts: BillingFacts; decision: BillingDecision; now: number },
): TimelineEvent[] {
  return [
    ...facts.subscriptions.flatMap((one) => ofSubscription(one)),
    ...ofMoney(facts, now),
    ...ofDisputes(facts, now),
  ]

  function ofSubscription(subscription: SubscriptionFacts): TimelineEvent[] {
    const { id, startedAt, endedAt, items } = subscription
    const state = decision.subscriptions.find((one) => one.id === id)?.state
    if (state === undefined || !hasBegun(subscription)) return []
    const known = before.find((one) => one.id === id)
    const plans = items.map(({ planKey }) => planKey).toSorted((one, other) => (one < other ? -1 : 1))
    const event = (what: string, at: number, key = `${what}/${at}`): TimelineEvent => ({
      sourceKey: `subscription/${id}/${key}`,
      type: `subscription.${what}`,
      at,
      details: { subscriptionId: id, state, plans },
    })
    const started = event('started', startedAt, 'started')
    if (!known) return [started, ...(state === 'trialing' || state === 'active' ? [] : [event(wordFor(state), now)])]
    const isSame = known.plans.join() === plans.join()
    return [
      started,
      ...(isSame || state === 'ended' ? [] : [event('changed', now)]),
      ...(known.state === state ? [] : [change(known.state)]),
    ]

    function change(from: SubscriptionState): TimelineEvent {
      if (state === 'ended') return event('ended', endedAt ?? now, 'ended')
      const isBack = (state === 'active' || state === 'trialing') && isOwing(from)
      return isBack ? event('recovered', now) : event(wordFor(state ?? 'active'), now, `${state}/${now}`)
    }
  }
}

const isOwing = (state: SubscriptionState): boolean =>
  state === 'past_due' || state === 'grace' || state === 'suspended'

function wordFor(state: SubscriptionState): string {
  return state === 'past_due' || state === 'suspended' || state === 'ended' ? state : 'changed'
}

function ofMoney({ payments, openInvoices, refunds }: BillingFacts, now: number): TimelineEvent[] {
  const currencyOf = (paymentId: string) => payments.find(({ id }) => id === paymentId)?.currency ?? null
  return [
    ...payments
      .filter(({ amount }) => amount > 0)
      .map(({ id, paidAt, amount, currency }) => ({
        sourceKey: `invoice/${id}/paid`,
        type: 'invoice.paid',
        at: paidAt,
        details: { paymentId: id, paid: { amount, currency } },
      })),
    ...openInvoices.flatMap(({ id, lastAttemptAt, overdueSince, amountDue: amount, currency, declineCode }) =>
      lastAttemptAt === null || overdueSince === null
        ? []
        : [
            {
              sourceKey: `invoice/${id}/failed/${lastAttemptAt}`,
              type: 'invoice.failed',
              at: lastAttemptAt,
              details: { invoiceId: id, due: { amount, currency }, declineCode },
            },
          ],
    ),
    ...refunds.flatMap(({ id, paymentId, amount, at, status }) => {
      const details = { refundId: id, paymentId, refunded: { amount, currency: currencyOf(paymentId) } }
      if (status === 'succeeded') return [{ sourceKey: `refund/${id}`, type: 'invoice.refunded', at, details }]
      // Days after it succeeded, as a rule: when, Stripe does not tell.
      if (status === 'failed')
        return [{ sourceKey: `refund/${id}/failed`, type: 'invoice.refund_failed', at: now, details }]
      return []
    }),
  ]
}

function ofDisputes({ disputes }: BillingFacts, now: number): TimelineEvent[] {
  return disputes.flatMap((dispute) => {
    const { id, status, openedAt, amount } = dispute
    const opened = {
      sourceKey: `dispute/${id}/opened`,
      type: 'dispute.opened',
      at: openedAt,
      details: { disputeId: id, amount },
    }
    // Lost, it may be won after all.
    const closed = { ...opened, sourceKey: `dispute/${id}/closed/${status}`, type: 'dispute.closed', at: now }
    return isOpen(dispute) ? [opened] : [opened, { ...closed, details: { ...opened.details, status } }]
  })
}
