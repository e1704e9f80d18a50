import { z } from 'zod'
import type { ChangeRequest } from '../../db/billing-requests.ts'
import { limitedActs, limitPeriods } from '../../workflows/contracts/plans.ts'
import {
  accessLevels,
  operatorSwitches,
  stripeStatuses,
  subscriptionStates,
  type Timer,
} from '../../workflows/contracts/subscriptions.ts'
import { Balance } from './credit-answers.ts'

export const Money = z
  .strictObject({
    amount: z.int().meta({ description: 'In minor units of the currency: cents of a dollar', example: 9900 }),
    currency: z.string().meta({ description: 'ISO 4217', example: 'USD' }),
  })
  .meta({ id: 'Money' })

const Access = z.enum(accessLevels)
const moment = z.iso.datetime()
const stripeId = z.string().meta({ description: 'As Stripe names it' })

export const TimerAnswer = z
  .strictObject({
    key: z.string().meta({ example: 'billing/0198c7e6-0000-7000-8000-000000000000/trial/sub_1/1793836800000/1' }),
    at: moment,
    what: z.string().meta({ description: 'What is done or happens then', example: 'trial_ending' }),
    isMovable: z.boolean().meta({
      description:
        'Whether an operator can move it; else the moment follows from what Stripe has, or from the rules of an automatic top-up',
    }),
  })
  .meta({ id: 'BillingTimer' })

const SubscribedPlan = z
  .strictObject({
    key: z.string(),
    version: z.int().nullable().meta({ description: 'By which it was bought; null: the catalogue does not know it' }),
    name: z.string().nullable(),
    priceKey: z.string().nullable().meta({ description: 'Among the prices of the plan' }),
    quantity: z.int(),
    price: Money.nullable().meta({ description: 'Of one, for each `every`' }),
    every: z.enum(['P1M', 'P1Y']),
    period: z.strictObject({ startsAt: moment, endsAt: moment.meta({ description: 'When the next one begins' }) }),
  })
  .meta({ id: 'SubscribedPlan' })

const SubscriptionAnswer = z
  .strictObject({
    id: stripeId,
    state: z.enum(subscriptionStates).meta({
      description: '`grace`: overdue, with less access. `suspended`: without any, and may come back',
    }),
    stripeStatus: z.enum(stripeStatuses),
    access: Access,
    plans: z.array(SubscribedPlan),
    trialEndsAt: moment.nullable(),
    cancelsAt: moment.nullable().meta({ description: 'When it is going to end; null: it goes on' }),
    endedAt: moment.nullable(),
    overdueSince: moment.nullable(),
  })
  .meta({ id: 'Subscription' })

const UsedLimit = z
  .strictObject({
    act: z.enum(limitedActs),
    per: z.enum(limitPeriods),
    most: z.int(),
    used: z.int().meta({ description: 'In the period that runs' }),
    until: moment.nullable().meta({ description: 'When it begins anew, where it is one of the period' }),
  })
  .meta({ id: 'UsedLimit' })

export const PendingChange = z
  .strictObject({
    id: z.uuid(),
    status: z.enum(['requested', 'waiting']).meta({ description: '`requested`: it is being carried out' }),
    subscriptionId: stripeId,
    planKey: z.string(),
    priceKey: z.string(),
    when: z.enum(['now', 'period_end']),
    dueAt: moment.nullable(),
    requestedAt: moment,
  })
  .meta({ id: 'PendingPlanChange' })

export const Billing = z
  .strictObject({
    state: z.enum(['none', ...subscriptionStates]).meta({
      description: 'The best of all subscriptions; `none`: there is none yet',
    }),
    access: Access.meta({ description: 'What the organisation may do: all, with less, or nothing that is paid for' }),
    isFrozen: z.boolean().meta({ description: 'A dispute is open: nothing is refunded, and nobody is dunned' }),
    seenAt: moment.nullable().meta({ description: 'When Stripe was last looked at; null: never yet' }),
    subscriptions: z.array(SubscriptionAnswer),
    next: z.array(TimerAnswer).meta({ description: 'What is to come, the earliest first' }),
    entitlements: z
      .strictObject({ features: z.array(z.string()), limits: z.array(UsedLimit) })
      .nullable()
      .meta({ description: 'Null: nothing limits the organisation' }),
    credits: z.array(Balance),
    openInvoices: z.array(
      z.strictObject({
        id: stripeId,
        number: z.string().nullable().meta({ description: 'Null: the draft of a subscription that is `unpaid`' }),
        due: Money,
        dueAt: moment.nullable(),
        overdueSince: moment.nullable(),
        payUrl: z.string().nullable().meta({ description: 'Where a person pays it' }),
      }),
    ),
    balanceAtStripe: Money.nullable().meta({
      description:
        'Above 0 in the customer\u2019s favour, such as what is left of a change to a smaller plan: coming invoices cost less by it. Below 0 it is owed, and comes on top. Null: nothing was billed yet',
    }),
    disputes: z
      .array(z.strictObject({ id: stripeId, amount: Money, status: z.string(), evidenceDueAt: moment.nullable() }))
      .meta({ description: 'Payments that the bank of whoever paid has taken back, or may' }),
    card: z
      .strictObject({ brand: z.string(), last4: z.string(), expiresAt: moment })
      .nullable()
      .meta({ description: 'What is paid with. `expiresAt`: the first moment at which it is no longer valid' }),
    pendingChange: PendingChange.nullable(),
    switches: z
      .array(z.strictObject({ name: z.enum(operatorSwitches), reason: z.string(), author: z.string(), since: moment }))
      .meta({ description: 'What an operator has switched on for the organisation' }),
  })
  .meta({ id: 'Billing' })

export function timerAnswer({ key, at, what, isMovable }: Timer): z.input<typeof TimerAnswer> {
  return { key, at: iso(at), what, isMovable }
}

/** `timers`: of the last look, by one of which it may have been moved. */
export function pendingAnswer(
  { id, status, request, dueAt, createdAt }: ChangeRequest,
  timers: readonly Timer[] = [],
): z.input<typeof PendingChange> {
  const timer = timers.find(({ key }) => key.endsWith(`/change/${id}`))
  const { subscriptionId, planKey, priceKey, when } = request
  const requestedAt = createdAt.toISOString()
  const isWaiting = status === 'waiting'
  return {
    id,
    status: isWaiting ? status : 'requested',
    subscriptionId,
    planKey,
    priceKey,
    when,
    dueAt: isoOrNull(timer?.at ?? dueAt?.getTime()),
    requestedAt,
  }
}

export const iso = (ms: number): string => new Date(ms).toISOString()
export const isoOrNull = (ms: number | null | undefined): string | null =>
  ms === null || ms === undefined ? null : iso(ms)
