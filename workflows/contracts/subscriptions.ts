/**
 * The life of an organisation's subscriptions: what is fetched from Stripe, reduced to what decides; what we remember ourselves; what is
 * decided. Moments are ms since the epoch, durations ISO 8601, amounts minor units of their currency.
 */
import type { GrantSource } from './credits.ts'
import { type DunningPolicy, type GracePolicy, type Plan, usualDunning, usualGrace } from './plans.ts'

export const stripeStatuses = [
  'incomplete',
  'incomplete_expired',
  'trialing',
  'active',
  'past_due',
  'canceled',
  'unpaid',
  'paused',
] as const
export type StripeStatus = (typeof stripeStatuses)[number]

/** Ours, the better first. `grace`: overdue, with less access; `suspended`: without any, and may come back. */
export const subscriptionStates = ['active', 'trialing', 'past_due', 'grace', 'suspended', 'ended'] as const
export type SubscriptionState = (typeof subscriptionStates)[number]

/** Of several subscriptions the best; `none`: there is none. */
export function bestState(subscriptions: readonly { state: SubscriptionState }[]): SubscriptionState | 'none' {
  const states = subscriptions.map(({ state }) => state)
  return subscriptionStates.find((one) => states.includes(one)) ?? 'none'
}

/** The lesser last. */
export const accessLevels = ['full', 'reduced', 'none'] as const
export type Access = (typeof accessLevels)[number]

/** What Stripe has of a customer at one moment, in any order. */
export interface BillingFacts {
  subscriptions: SubscriptionFacts[]
  /** Those that are open: final, and not paid. */
  openInvoices: OpenInvoice[]
  /** What was paid lately, and whatever refunds and disputes are about. A trial's invoice of 0 is paid, too. */
  payments: Payment[]
  refunds: Refund[]
  disputes: Dispute[]
  /** What the customer pays with. */
  card: Card | null
}

export interface SubscriptionFacts {
  id: string
  status: StripeStatus
  startedAt: number
  items: SubscriptionItem[]
  /** Ids of the prices that are paid by use beside the items; left out: none is. */
  meteredPriceIds?: string[]
  trialEndsAt: number | null
  /** When it is going to end, whether at a date or with its period. */
  cancelsAt: number | null
  endedAt: number | null
  /** What it is charged by before what the customer pays with; null: nothing of its own. */
  ownCardId: string | null
  /** Set while invoices are made and not collected; the status stays what it was. */
  collectionPaused: { resumesAt: number | null } | null
}

/** A price that our catalogue has not stands under a plan that is not found: it brings nothing, and the built-in policies hold. */
interface SubscriptionItem {
  planKey: string
  every: 'P1M' | 'P1Y'
  period: Period
}

interface Period {
  startsAt: number
  /** The moment at which the next begins. */
  endsAt: number
}

export interface OpenInvoice {
  id: string
  /** Null: not of a subscription. It is nobody's dunning case, and never charged by itself. */
  subscriptionId: string | null
  amountDue: number
  /** ISO 4217, in capitals. */
  currency: string
  /** Since its payment first failed or, where the customer pays by themselves, since it was due; null: it is in time. */
  overdueSince: number | null
  /** Null: nobody has tried to charge it, and so do we not. */
  lastAttemptAt: number | null
  /** What it was charged by then; null: nobody knows, or there was nothing. */
  lastAttemptCardId: string | null
  /** Stripe's own next one. */
  nextAttemptAt: number | null
  /** What the last attempt failed with. */
  declineCode: string | null
  /** The newest of a subscription that is `unpaid`: of those Stripe only drafts what comes next, and waits to be asked for it. Left out: it is none. */
  isDraft?: true
}

export interface Card {
  id: string
  /** The first moment at which it is no longer valid. */
  expiresAt: number
  /** Since when it is what the customer pays with. */
  defaultSince: number
}

/** Of an invoice, or of a checkout that has none. */
export interface Payment {
  id: string
  paidAt: number
  amount: number
  /** ISO 4217, in capitals. */
  currency: string
  lines: PaidLine[]
}

export interface PaidLine {
  planKey: string
  quantity: number
  /** Null: bought once. */
  subscription: { id: string; every: 'P1M' | 'P1Y'; anchoredAt: number; period: Period } | null
  /** 1: a whole period, or a purchase. Else the part of one that a change in its middle is charged for or, below 0, credited. */
  share: number
  source: Extract<GrantSource, 'plan' | 'purchase' | 'top_up'>
}

export interface Refund {
  id: string
  paymentId: string
  amount: number
  status: 'pending' | 'succeeded' | 'failed'
  at: number
}

export interface Dispute {
  id: string
  paymentId: string | null
  amount: number
  /** `closed`: without a decision, such as an inquiry that came to nothing. */
  status: 'needs_response' | 'under_review' | 'won' | 'lost' | 'closed'
  openedAt: number
  /** Null: no response is possible, or none is any more. */
  evidenceDueAt: number | null
}

/** Money as it is shown: an integer in minor units, ISO 4217 in capitals. */
export interface Money {
  amount: number
  currency: string
}

/** What decides nothing and people want to see. */
export interface ShownBilling {
  card: { brand: string; last4: string; expiresAt: number } | null
  openInvoices: { id: string; number: string | null; due: Money; dueAt: number | null; payUrl: string | null }[]
  disputes: { id: string; amount: Money; status: string; evidenceDueAt: number | null }[]
  subscriptions: { id: string; prices: { priceId: string; quantity: number; amount: Money }[] }[]
  /** Of invoices that are open or paid, by id. Left out, like the next: seen before it was asked for. */
  invoiceNumbers?: Readonly<Record<string, string>>
  /** What coming invoices cost less by or, below 0, more; null: nothing was billed yet. */
  balance?: Money | null
}

/** What stands in no fact of Stripe's. */
export interface BillingMemory {
  /** Keys of acts that are done. */
  done: string[]
  /** Ours and those that the customer has asked for. */
  charges: ChargeAttempt[]
  /** As the decision before gave it, by subscription: holds only where no open invoice tells. */
  overdueSince: Record<string, number>
  changes: PendingChange[]
  switches: Partial<Record<OperatorSwitch, SwitchedOn>>
  /** To when an operator has moved a timer, by its key. */
  movedTimers: Record<string, number>
  /** One for each act that is over. */
  takenBack: TakenBack[]
}

/** Credits of a grant that were taken because its money went back or, below 0, given back because that has come again. */
export interface TakenBack {
  grantKey: string
  amount: number
}

interface ChargeAttempt {
  invoiceId: string
  cardId: string
  at: number
}

/** A change of plan that waits, for the end of a period as a rule. */
interface PendingChange {
  id: string
  subscriptionId: string
  at: number
}

/** `noDunning`: no notices, and nothing is given up. `keepEntitlements`: nothing is taken away because a payment is overdue. */
export const operatorSwitches = ['noAutomaticCharge', 'noDunning', 'keepEntitlements'] as const
export type OperatorSwitch = (typeof operatorSwitches)[number]

interface SwitchedOn {
  reason: string
  author: string
}

/** The credits of an organisation, as far as something is done about them when they run low. */
export interface CreditWatch {
  accounts: WatchedCredits[]
  /** Those that are switched on, one a type. */
  topUps: TopUp[]
  /** All that are over, of every type, the earliest first. */
  attempts: TopUpAttempt[]
}

export interface WatchedCredits {
  type: string
  balance: number
  /** What the period began with, and what was granted since. */
  periodGranted: number
  periodBeganAt: number
  /** The lowest share of that, in per cent, that burning has brought the balance to in this period; 100: none yet. */
  fallenTo: number
}

/** What is bought by itself once a balance is below the threshold. */
export interface TopUp {
  type: string
  planKey: string
  /** Of the plan. */
  priceKey: string
  quantity: number
  threshold: number
  /** ISO 8601: for so long after one attempt there is no other, whatever came of it. */
  coolDown: string
  /** Attempts in a calendar month (UTC). */
  mostPerMonth: number
}

interface TopUpAttempt {
  type: string
  at: number
  hasFailed: boolean
}

/** What holds for every plan. */
export interface BillingPolicy {
  /** Before a trial ends. */
  trialReminders: string[]
  /** Before a period ends, by its length; null: none. */
  renewalNotices: Record<'P1M' | 'P1Y', string | null>
  /** Before the card expires. */
  cardExpiryNotice: string
  /** Before the evidence is due. */
  disputeReminders: string[]
  /** After the last subscription has ended; whoever left longer ago is left in peace. */
  winBack: { after: string; atMost: string }
  /** For what no plan of the catalogue has a word. */
  dunning: DunningPolicy
  grace: GracePolicy
  /** Beyond the end of its period credits last so much longer, since Stripe charges the next an hour or so after that. */
  creditsOutlast: string
}

export const builtInBillingPolicy: BillingPolicy = {
  trialReminders: ['P3D', 'P1D'],
  renewalNotices: { P1M: 'P7D', P1Y: 'P30D' },
  cardExpiryNotice: 'P30D',
  disputeReminders: ['P7D', 'P3D', 'P1D'],
  winBack: { after: 'P7D', atMost: 'P90D' },
  dunning: usualDunning,
  grace: usualGrace,
  creditsOutlast: 'PT2H',
}

/** Everything that a decision depends on. */
export interface BillingSituation {
  organisationId: string
  facts: BillingFacts
  memory: BillingMemory
  plans: readonly Plan[]
  policy: BillingPolicy
  /** Without it nothing is watched. */
  credits?: CreditWatch | undefined
  now: number
}

export interface BillingDecision {
  /** By id. */
  subscriptions: SubscriptionDecision[]
  /** The best that any of them gives. */
  access: Access
  /** Whether a dispute is open: no refund is made, and nobody is dunned. */
  isFrozen: boolean
  /** Of the open invoices that are overdue. A case that is no longer told of has recovered, or its subscription has ended. */
  dunning: DunningDecision[]
  /** Due now, in the order in which they are to be done. */
  acts: Act[]
  /** After now, the earliest first: until then nothing becomes due by itself. */
  timers: Timer[]
}

export interface SubscriptionDecision {
  id: string
  state: SubscriptionState
  access: Access
  /** To be remembered; null: not overdue. */
  overdueSince: number | null
}

export interface DunningDecision {
  invoiceId: string
  subscriptionId: string
  /** `frozen`: by a dispute, an operator, or because collection is paused. `exhausted`: only a new card is charged. */
  status: 'open' | 'frozen' | 'exhausted'
}

export const customerNotices = [
  'trial_ending',
  'trial_ended',
  'renewal',
  'card_expiring',
  'payment_failed',
  'access_reduced',
  'access_revoked',
  'credits_low',
  'credits_exhausted',
  'top_up_failed',
] as const
export type CustomerNotice = (typeof customerNotices)[number]

export type OperatorNotice = 'dispute_opened' | 'dispute_due'

/** An act with the key under which it is done once: `billing/{organisationId}/...`. */
export type Act = ActBody & { key: string }

export type ActBody =
  /**
   * `about`: the id, at Stripe, of what it is about; of credits their type. `step`: from 1, in a ladder of notices, and `isLast` of it; of
   * credits the share, in per cent, that the balance has fallen to.
   */
  | { is: 'notice'; notice: CustomerNotice; about: string; step: number; isLast: boolean }
  | { is: 'tell_operator'; notice: OperatorNotice; about: string; step: number; isLast: boolean }
  | { is: 'freeze' | 'unfreeze'; disputeId: string }
  /** `drafted`: the invoice has to be finalised first. */
  | { is: 'charge'; invoiceId: string; cardId: string; because: 'new_card' | 'stripe_gave_up' | 'drafted' | 'asked' }
  | { is: 'give_up'; invoiceId: string }
  | { is: 'use_card'; subscriptionId: string; cardId: string }
  | { is: 'change_plan'; changeId: string; subscriptionId: string }
  | ({ is: 'grant_credits' } & DueGrant)
  | { is: 'claw_back_credits'; grantKey: string; amount: number; because: 'money_back' | 'smaller_plan' }
  /** Of those that were taken because of `money_back`. */
  | { is: 'give_back_credits'; grantKey: string; amount: number }
  /** What remains of a grant, and of what has rolled over from it. */
  | { is: 'end_credits'; grantKey: string }
  /** Paid at once, with what the customer pays with. */
  | { is: 'top_up'; type: string; planKey: string; priceKey: string; quantity: number }
  | { is: 'win_back'; subscriptionId: string }

/** As it is remembered. */
export function takenBackBy(act: ActBody | null): TakenBack[] {
  if (act?.is === 'give_back_credits') return [{ grantKey: act.grantKey, amount: -act.amount }]
  if (act?.is !== 'claw_back_credits' || act.because !== 'money_back') return []
  return [{ grantKey: act.grantKey, amount: act.amount }]
}

export interface DueGrant {
  type: string
  amount: number
  source: PaidLine['source']
  expiresAt: number | null
  rollsOver: { most: number; until: number } | null
  /** Whether low-credit notices begin anew. */
  beginsPeriod: boolean
}

/** What a timer announces: an act, or that something changes by itself. */
export type TimerWhat =
  | ActBody['is']
  | CustomerNotice
  | OperatorNotice
  | 'trial_end'
  | 'first_payment_expires'
  | 'period_end'
  | 'renewal_check'
  | 'subscription_end'
  | 'collection_resumes'

export interface Timer {
  /** Of the act, where there is one. */
  key: string
  at: number
  what: TimerWhat
  /** Whether an operator may move it; else it follows from what Stripe has, or from how a top-up is set. */
  isMovable: boolean
}
