import type { z } from 'zod'
import { type ChangeRequest, pendingChange } from '../../db/billing-requests.ts'
import {
  type BillingState,
  findBillingState,
  type KnownSubscription,
  listSubscriptions,
  listSwitches,
  type SwitchedOnBy,
} from '../../db/billing-states.ts'
import type { Tx } from '../../db/client.ts'
import { type CreditBalance, creditBalances } from '../../db/credit-lists.ts'
import { readEntitlements, usedOf } from '../../db/entitlements.ts'
import type { Entitlements, GrantedLimit } from '../../workflows/contracts/entitlements.ts'
import { bestState, type SubscriptionFacts } from '../../workflows/contracts/subscriptions.ts'
import { type Billing, iso, isoOrNull, pendingAnswer, timerAnswer } from './billing-answers.ts'
import { balanceAnswer } from './credit-answers.ts'

/** Ids of prices at Stripe by the name of their setting. */
type StripePrices = Readonly<Record<string, string>>

type BillingAnswer = z.input<typeof Billing>

interface BillingRows {
  state: BillingState | null
  subscriptions: KnownSubscription[]
  entitled: Entitlements | null
  limits: (GrantedLimit & { used: number })[]
  credits: CreditBalance[]
  pending: ChangeRequest | null
  switches: SwitchedOnBy[]
}

/** All that is known of how it stands with an organisation, read at one moment. */
export async function readBilling(tx: Tx, now: Date): Promise<BillingRows> {
  const entitled = await readEntitlements(tx)
  const limits: BillingRows['limits'] = []
  for (const limit of entitled?.limits ?? []) limits.push({ ...limit, used: await usedOf(tx, limit, now) })
  return {
    state: await findBillingState(tx),
    subscriptions: await listSubscriptions(tx),
    entitled,
    limits,
    credits: await creditBalances(tx, now),
    pending: await pendingChange(tx),
    switches: await listSwitches(tx),
  }
}

export function billingAnswer(rows: BillingRows, stripePrices: StripePrices): BillingAnswer {
  const { state, subscriptions, entitled, limits, credits, pending, switches } = rows
  const overdue = new Map(state?.facts.openInvoices.map(({ id, overdueSince }) => [id, overdueSince]))
  const card = state?.shown.card ?? null
  return {
    state: bestState(subscriptions),
    access: entitled?.access ?? 'full',
    isFrozen: state?.isFrozen ?? false,
    seenAt: state?.seenAt.toISOString() ?? null,
    subscriptions: subscriptions.map((one) => subscriptionAnswer(one, state, stripePrices)),
    next: state?.timers.map(timerAnswer) ?? [],
    entitlements: entitled && {
      features: entitled.features,
      limits: limits.map(({ act, per, most, used, until }) => ({ act, per, most, used, until: isoOrNull(until) })),
    },
    credits: credits.map(balanceAnswer),
    openInvoices: (state?.shown.openInvoices ?? []).map(({ dueAt, ...invoice }) => ({
      ...invoice,
      dueAt: isoOrNull(dueAt),
      overdueSince: isoOrNull(overdue.get(invoice.id)),
    })),
    balanceAtStripe: state?.shown.balance ?? null,
    disputes: (state?.shown.disputes ?? []).map(({ evidenceDueAt, ...dispute }) => ({
      ...dispute,
      evidenceDueAt: isoOrNull(evidenceDueAt),
    })),
    card: card && { ...card, expiresAt: iso(card.expiresAt) },
    pendingChange: pending && pendingAnswer(pending, state?.timers),
    switches: switches.map(({ onAt, ...one }) => ({ ...one, since: onAt.toISOString() })),
  }
}

function subscriptionAnswer(
  { id, state, stripeStatus, access, overdueSince, plans }: KnownSubscription,
  seen: BillingState | null,
  stripePrices: StripePrices,
): BillingAnswer['subscriptions'][number] {
  const facts = seen?.facts.subscriptions.find((one) => one.id === id)
  const prices = seen?.shown.subscriptions.find((one) => one.id === id)?.prices ?? []
  return {
    id,
    state,
    stripeStatus,
    access,
    plans: (facts?.items ?? []).map((item) => planAnswer(item, plans, prices, stripePrices)),
    trialEndsAt: isoOrNull(facts?.trialEndsAt),
    cancelsAt: isoOrNull(facts?.cancelsAt),
    endedAt: isoOrNull(facts?.endedAt),
    overdueSince: overdueSince?.toISOString() ?? null,
  }
}

function planAnswer(
  { planKey, every, period }: SubscriptionFacts['items'][number],
  plans: KnownSubscription['plans'],
  prices: BillingState['shown']['subscriptions'][number]['prices'],
  stripePrices: StripePrices,
): BillingAnswer['subscriptions'][number]['plans'][number] {
  const plan = plans.find(({ key }) => key === planKey)
  const offered = plan?.definition?.prices ?? []
  const price = prices.find(({ priceId }) => offered.some(({ setting }) => stripePrices[setting] === priceId))
  return {
    key: planKey,
    version: plan?.version ?? null,
    name: plan?.definition?.name ?? null,
    priceKey: offered.find(({ setting }) => stripePrices[setting] === price?.priceId)?.key ?? null,
    quantity: price?.quantity ?? 1,
    price: price?.amount ?? null,
    every,
    period: { startsAt: iso(period.startsAt), endsAt: iso(period.endsAt) },
  }
}
