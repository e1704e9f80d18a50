import type { BillingSituation, Card } from '../contracts/subscriptions.ts'
import { isFrozen } from './disputes.ts'
import type { Planned } from './planned-acts.ts'
import { isUnderWay } from './subscription-state.ts'

/**
 * A subscription from a checkout is charged by the card of that checkout, whatever card the customer puts in later: it is given the newer one at once, or
 * the next period would be charged to the one that was replaced.
 */
export function planCardUse({ facts: { card, subscriptions } }: BillingSituation): Planned[] {
  if (card === null) return []
  return subscriptions
    .filter((one) => isUnderWay(one) && one.ownCardId !== null && one.ownCardId !== card.id)
    .map(({ id }) => ({
      key: `card/${id}/${card.id}`,
      at: card.defaultSince,
      what: 'use_card',
      act: { is: 'use_card', subscriptionId: id, cardId: card.id },
      isMovable: false,
    }))
}

/** What is charged by itself; null: there is nothing, or nothing is while a payment is disputed or an operator has switched it off. */
export function chargedCard({ facts, memory }: BillingSituation): Card | null {
  return isFrozen(facts) || memory.switches.noAutomaticCharge !== undefined ? null : facts.card
}
