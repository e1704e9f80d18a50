import type { BillingSituation, SubscriptionDecision, SubscriptionFacts } from '../contracts/subscriptions.ts'
import { durationMs } from './durations.ts'
import type { Planned } from './planned-acts.ts'

/** Before the card expires with which something is still going to be paid. */
export function planCardExpiry({ facts, policy }: BillingSituation): Planned[] {
  const { card, subscriptions } = facts
  if (card === null || !subscriptions.some((one) => isPaidAt(one, card.expiresAt))) return []
  return [
    {
      key: `card/${card.id}/${card.expiresAt}`,
      at: card.expiresAt - durationMs(policy.cardExpiryNotice),
      what: 'card_expiring',
      act: { is: 'notice', notice: 'card_expiring', about: card.id, step: 1, isLast: true },
      before: card.expiresAt,
    },
  ]
}

/** Once the last subscription has ended: whoever has another, begins one, or disputes a payment is not won back. */
export function planWinBack(
  { facts, policy }: BillingSituation,
  decisions: readonly SubscriptionDecision[],
): Planned[] {
  if (decisions.some(({ state }) => state !== 'ended') || facts.disputes.some(isGrudge)) return []
  const [last] = facts.subscriptions
    .flatMap(({ id, status, endedAt }) => (status === 'canceled' && endedAt !== null ? [{ id, endedAt }] : []))
    .toSorted((one, other) => other.endedAt - one.endedAt)
  if (!last) return []
  return [
    {
      key: `win-back/${last.id}`,
      at: last.endedAt + durationMs(policy.winBack.after),
      what: 'win_back',
      act: { is: 'win_back', subscriptionId: last.id },
      before: last.endedAt + durationMs(policy.winBack.atMost),
    },
  ]
}

function isPaidAt({ status, cancelsAt }: SubscriptionFacts, moment: number): boolean {
  const isPaid = status === 'trialing' || status === 'active' || status === 'past_due' || status === 'unpaid'
  return isPaid && (cancelsAt ?? Infinity) > moment
}

const isGrudge = ({ status }: { status: string }): boolean => status !== 'won' && status !== 'closed'
