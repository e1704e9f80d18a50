import type { BillingSituation, Card, OpenInvoice } from '../contracts/subscriptions.ts'
import { chargedCard } from './card-use.ts'
import type { DunningCase } from './dunning-cases.ts'
import { dayMs } from './durations.ts'
import { type Planned, plannedAt } from './planned-acts.ts'
import { overdueSinceOf } from './subscription-state.ts'

/**
 * The charges of ours for an overdue invoice. A card that is new is charged at once, whatever else is planned. Otherwise Stripe tries
 * again by itself, and only once it does not any more the remaining steps of the policy do, with a day between any two attempts.
 */
export function planCharges(one: DunningCase, situation: BillingSituation): Planned[] {
  const { invoice, subscription } = one
  const { memory } = situation
  const card = chargedCard(situation)
  if (card === null || invoice.lastAttemptAt === null || subscription.collectionPaused !== null) return []
  const charges = memory.charges.filter(({ invoiceId }) => invoiceId === invoice.id)
  const lastAttemptAt = Math.max(invoice.lastAttemptAt, ...charges.map(({ at }) => at))
  if (isNew(card, one, charges, lastAttemptAt)) {
    const at = Math.max(one.overdueSince, card.defaultSince)
    return [chargeByCard(card, { invoice, at, because: 'new_card' })]
  }
  const isOver = one.isGivenUp || memory.switches.noDunning !== undefined
  if (isOver || invoice.nextAttemptAt !== null) return []
  // What an operator has moved beyond the end is not going to be.
  return retriesOf(one, card, lastAttemptAt).filter(({ key, at }) => plannedAt(situation, key, at) <= one.givenUpAt)
}

/**
 * What an `unpaid` subscription owes next Stripe only drafts. It is charged, and brings access back, once all that was owed before is paid, or where there is
 * nothing of it left: with a card that is new since then, or because it was paid since. Of earlier drafts, whose time passed without access, none is.
 */
export function planDraftCharges(situation: BillingSituation): Planned[] {
  const { facts } = situation
  const card = chargedCard(situation)
  if (card === null) return []
  return facts.openInvoices.flatMap((invoice): Planned[] => {
    const subscription = facts.subscriptions.find(({ id }) => id === invoice.subscriptionId)
    if (!invoice.isDraft || !subscription || subscription.collectionPaused !== null) return []
    const since = overdueSinceOf(subscription, situation) ?? Infinity
    const owesMore = facts.openInvoices.some(
      ({ id, subscriptionId, amountDue }) => id !== invoice.id && subscriptionId === subscription.id && amountDue > 0,
    )
    const hasPaid = facts.payments.some(
      ({ paidAt, lines }) => paidAt > since && lines.some((line) => line.subscription?.id === subscription.id),
    )
    if (owesMore || (card.defaultSince <= since && !hasPaid)) return []
    return [chargeByCard(card, { invoice, at: since, because: 'drafted' })]
  })
}

/** Stripe may have tried an older one since it was added: the subscription's own, before we heard of the new one. */
function isNew(
  card: Card,
  { invoice }: DunningCase,
  charges: readonly { cardId: string }[],
  lastAttemptAt: number,
): boolean {
  if (charges.some(({ cardId }) => cardId === card.id)) return false
  if (invoice.lastAttemptCardId !== null) return card.id !== invoice.lastAttemptCardId
  return card.defaultSince > lastAttemptAt
}

/** Once by each card. */
function chargeByCard(
  card: Card,
  { invoice, at, because }: { invoice: OpenInvoice; at: number; because: 'new_card' | 'drafted' },
): Planned {
  return {
    key: `charge/${invoice.id}/card/${card.id}`,
    at,
    what: 'charge',
    act: { is: 'charge', invoiceId: invoice.id, cardId: card.id, because },
    before: card.expiresAt,
    isMovable: false,
  }
}

/**
 * With the second notice and each after it; the first tells of an attempt that was just made. Steps that an attempt came after are past, and a
 * hard decline leaves none.
 */
function retriesOf({ invoice, stepsAt }: DunningCase, card: Card, lastAttemptAt: number): Planned[] {
  return stepsAt.flatMap((stepAt, index) => {
    const at = Math.max(stepAt, lastAttemptAt + dayMs)
    if (index === 0 || stepAt <= lastAttemptAt) return []
    return [
      {
        key: `charge/${invoice.id}/${index + 1}`,
        at,
        what: 'charge',
        act: { is: 'charge', invoiceId: invoice.id, cardId: card.id, because: 'stripe_gave_up' },
        before: card.expiresAt,
        ladder: `charge/${invoice.id}`,
      },
    ]
  })
}
