/** The catalogue: what an organisation can buy, as data. Durations are ISO 8601, amounts of money minor units of the currency. */

export const planKinds = ['subscription', 'credit_pack', 'one_time'] as const
export type PlanKind = (typeof planKinds)[number]

/** What a plan can limit. */
export const limitedActs = ['searches', 'messages', 'contacts'] as const
export type LimitedAct = (typeof limitedActs)[number]

export const limitPeriods = ['period', 'day', 'total'] as const
export type LimitPeriod = (typeof limitPeriods)[number]

/** With the plans that were taken away. */
export const mostPlans = 200

export interface Plan {
  /** Names it for ever: 'scout'. */
  key: string
  name: string
  kind: PlanKind
  /** Plans of one family take each other's place; the higher rank is the bigger plan. Kind and family stay with the key. */
  family: string
  rank: number
  prices: PlanPrice[]
  /** Before the first payment; null: none. */
  trial: string | null
  /** Granted with each period, or with the purchase. */
  credits: IncludedCredits[]
  entitlements: Entitlements
  dunning: DunningPolicy
  grace: GracePolicy
}

interface PlanPrice {
  /** Among those of its plan: 'monthly'. */
  key: string
  amount: number
  /** ISO 4217, upper case. */
  currency: string
  /** Null: paid once. */
  every: 'P1M' | 'P1Y' | null
  /** The setting that holds the price's id at Stripe: 'STRIPE_PRICE_SCOUT'. No other plan has it, nor had it in any version. */
  setting: string
  /** What is paid by use beside it, beyond the credits; left out: nothing is. */
  meters?: PlanMeter[]
}

/** Credits of a type are burned first; what they do not cover is told Stripe as it is used, and invoiced when the period ends. */
export interface PlanMeter {
  type: string
  /** The `event_name` of the meter at Stripe, which counts in the type's smallest unit. */
  event: string
  /** The setting that holds the id of the metered price at Stripe. No other price has it. */
  setting: string
}

interface IncludedCredits {
  type: string
  /** Of a subscription for a month: who pays by the year is granted twelve times as much with the year. */
  amount: number
  /** Of what is left at the end of a period, so much goes on to the end of the next; for a month like the amount. */
  rollsOver: number
}

interface Entitlements {
  features: string[]
  /** What is not listed has no limit. */
  limits: Limit[]
}

interface Limit {
  act: LimitedAct
  /** `period`: for a month of it, like credits. */
  most: number
  per: LimitPeriod
}

/** What is done about a payment that fails. */
export interface DunningPolicy {
  /** When notices go out, after the payment has failed; the first may be PT0S. */
  notices: string[]
  /** When it is given up, after the payment has failed. */
  givenUpAfter: string
}

/** What is left of the access while a payment is overdue. */
export interface GracePolicy {
  /** Whole until then, after the payment has failed; then reduced. */
  reducedAfter: string
  /** None from then on. */
  revokedAfter: string
}

/** Where a plan says nothing of its own. */
export const usualDunning: DunningPolicy = { notices: ['PT0S', 'P2D', 'P7D', 'P14D', 'P21D'], givenUpAfter: 'P28D' }
export const usualGrace: GracePolicy = { reducedAfter: 'P7D', revokedAfter: 'P21D' }
