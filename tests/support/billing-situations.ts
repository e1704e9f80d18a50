import type { Plan } from '../../workflows/contracts/plans.ts'
import {
  type BillingFacts,
  type BillingMemory,
  type BillingSituation,
  builtInBillingPolicy,
  type Card,
  type OpenInvoice,
  type PaidLine,
  type SubscriptionFacts,
  type TopUp,
  type WatchedCredits,
} from '../../workflows/contracts/subscriptions.ts'
import { noFacts } from '../../workflows/rules/billing-differences.ts'

export const hourMs = 3_600_000
export const dayMs = 24 * hourMs
/** When the stories of billing begin. */
export const began = Date.parse('2026-06-01T10:00:00Z')
export const daysOn = (days: number): number => began + days * dayMs

const plan = (key: string, rank: number, more: Partial<Plan> = {}): Plan => ({
  key,
  name: key,
  kind: 'subscription',
  family: 'search',
  rank,
  prices: [],
  trial: 'P14D',
  credits: [{ type: 'searches', amount: 100 * rank, rollsOver: 20 * rank }],
  entitlements: { features: [], limits: [] },
  dunning: { notices: ['PT0S', 'P2D', 'P7D', 'P14D', 'P21D'], givenUpAfter: 'P28D' },
  grace: { reducedAfter: 'P7D', revokedAfter: 'P21D' },
  ...more,
})

export const plans = [
  plan('scout', 1),
  plan('hunter', 3),
  plan('hasty', 1, {
    family: 'haste',
    credits: [],
    dunning: { notices: ['PT0S', 'P1D'], givenUpAfter: 'P2D' },
    grace: { reducedAfter: 'PT0S', revokedAfter: 'P1D' },
  }),
  plan('calls-100', 0, { kind: 'credit_pack', credits: [{ type: 'calls', amount: 100, rollsOver: 0 }] }),
]

export const subscription = (more: Partial<SubscriptionFacts> = {}): SubscriptionFacts => ({
  id: 'sub_1',
  status: 'active',
  startedAt: began,
  items: [{ planKey: 'scout', every: 'P1M', period: { startsAt: began, endsAt: daysOn(30) } }],
  trialEndsAt: null,
  cancelsAt: null,
  endedAt: null,
  ownCardId: null,
  collectionPaused: null,
  ...more,
})

/** Older than all that happens. */
export const oldCard: Card = { id: 'pm_1', expiresAt: daysOn(700), defaultSince: daysOn(-30) }

/** Its payment has failed when the story begins, and Stripe tries again in three days. */
export const failedInvoice = (more: Partial<OpenInvoice> = {}): OpenInvoice => ({
  id: 'in_1',
  subscriptionId: 'sub_1',
  amountDue: 9_900,
  currency: 'USD',
  overdueSince: began,
  lastAttemptAt: began,
  lastAttemptCardId: oldCard.id,
  nextAttemptAt: daysOn(3),
  declineCode: 'insufficient_funds',
  ...more,
})

export const paidPeriod = (more: Partial<PaidLine> = {}): PaidLine => ({
  planKey: 'scout',
  quantity: 1,
  subscription: {
    id: 'sub_1',
    every: 'P1M',
    anchoredAt: began,
    period: { startsAt: began, endsAt: Date.parse('2026-07-01T10:00:00Z') },
  },
  share: 1,
  source: 'plan',
  ...more,
})

/** A hundred, and nothing used of them. */
export const calls = (more: Partial<WatchedCredits> = {}): WatchedCredits => ({
  type: 'calls',
  balance: 100,
  periodGranted: 100,
  periodBeganAt: began,
  fallenTo: 100,
  ...more,
})

export const topUpCalls = (more: Partial<TopUp> = {}): TopUp => ({
  type: 'calls',
  planKey: 'calls-100',
  priceKey: 'once',
  quantity: 2,
  threshold: 10,
  coolDown: 'P1D',
  mostPerMonth: 3,
  ...more,
})

export const nothing = noFacts

export const forgotten: BillingMemory = {
  done: [],
  charges: [],
  overdueSince: {},
  changes: [],
  switches: {},
  movedTimers: {},
  takenBack: [],
}

export const situation = (
  facts: Partial<BillingFacts>,
  now: number,
  memory: Partial<BillingMemory> = {},
): BillingSituation => ({
  organisationId: 'org',
  facts: { ...nothing, ...facts },
  memory: { ...forgotten, ...memory },
  plans,
  policy: builtInBillingPolicy,
  now,
})
