import type { OperatorSwitch } from './subscriptions.ts'

/** What a person can ask an organisation's subscription story to do. Stored first: it travels by the id of its row. */
export type BillingRequest =
  /** `priceKey`: of the plan, where it has several. */
  | { kind: 'change_plan'; subscriptionId: string; planKey: string; priceKey: string; when: 'now' | 'period_end' }
  /** Takes back a change that waits. */
  | { kind: 'undo_change'; subscriptionId: string }
  | { kind: 'cancel'; subscriptionId: string; when: 'now' | 'period_end' }
  /** Takes back an end at the end of the period. */
  | { kind: 'undo_cancel'; subscriptionId: string }
  | { kind: 'pay_now'; invoiceId: string }
  /** `amount`: minor units of the payment's currency; null: all that is left of it. */
  | { kind: 'refund'; paymentId: string; amount: number | null }
  /** `to`: ms since the epoch. */
  | { kind: 'move_timer'; timerKey: string; to: number }
  | { kind: 'switch_on'; name: OperatorSwitch; reason: string }
  | { kind: 'switch_off'; name: OperatorSwitch }

/**
 * `refused`: nothing was changed; `code` says why: a word of ours, to which the API knows what to do, or a provider's. `declineCode`: why the charge was
 * declined, by the provider's code.
 */
export type RequestOutcome = { is: 'done' | 'waiting' } | { is: 'refused'; code: string; declineCode?: string }
