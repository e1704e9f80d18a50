import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow'
import type { Access, Act, SubscriptionState } from './subscriptions.ts'

/** The workflow's input: ids only. It begins with an organisation's first step towards paying, and lives as long as the organisation. */
export interface SubscriptionLifecycleInput {
  organisationId: string
  carried?: CarriedLifecycle
}

/** Between two runs. */
interface CarriedLifecycle {
  /** When it looks by itself at the latest: ms since the epoch. */
  lookAt: number
}

/** What a look came to. */
export interface BillingLook {
  /** Of several subscriptions the best; `none`: there is none yet. */
  state: SubscriptionState | 'none'
  access: Access
  isFrozen: boolean
  /** Due now, in their order. */
  acts: Act[]
  /** What people have asked for and nobody has carried out: the Update that told of it never came. The oldest first. */
  requests: string[]
  /** The first thing to come: ms since the epoch; null: nothing is. */
  next: { at: number; what: string } | null
  /** When metered use is to be reported to Stripe: ms since the epoch; null: none waits. */
  reportAt: number | null
}

export interface SubscriptionView {
  /** Of several subscriptions the best; `none`: there is none yet. */
  state: SubscriptionState | 'none'
  access: Access
  isFrozen: boolean
  next: { at: number; what: string } | null
  /** When it was last looked at Stripe: ms since the epoch. */
  seenAt: number | null
}

export const subscriptionId = (organisationId: string): string => `subscription/${organisationId}`

/** Something may have changed, at Stripe or in our rows. It says no more than that: it may come twice, late, or in any order. */
export const lookAgain = defineSignal('lookAgain')

/**
 * Carries out what a person has asked for: a row of `billing_requests`. It is answered once that is done, or waits for its time; refused with a code
 * as the failure's type, such as `wrong_state`, `conflict` or `payment_required`.
 */
export const carryOut = defineUpdate<'done' | 'waiting', [requestId: string]>('carryOut')

export const subscriptionView = defineQuery<SubscriptionView>('subscriptionView')
