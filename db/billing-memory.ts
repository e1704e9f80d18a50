import { type Act, type BillingMemory, type OperatorSwitch, takenBackBy } from '../workflows/contracts/subscriptions.ts'
import type { KnownSubscription } from './billing-states.ts'
import type { Tx } from './client.ts'

/** What of an organisation's billing stands in our rows alone. */
export async function billingMemory(tx: Tx, subscriptions: readonly KnownSubscription[]): Promise<BillingMemory> {
  const [ended, changes, switches, moved] = await Promise.all([
    tx<{ actKey: string; act: Act | null; begunAt: Date }[]>`
      select act_key, case when act ->> 'is' in ('charge', 'claw_back_credits', 'give_back_credits') then act end as act, begun_at
      from billing_acts where status <> 'doing' order by begun_at, act_key`,
    tx<{ id: string; subscriptionId: string; dueAt: Date }[]>`
      select id, request ->> 'subscriptionId' as subscription_id, due_at from billing_requests
      where kind = 'change_plan' and status = 'waiting'`,
    tx<{ name: OperatorSwitch; reason: string; author: string }[]>`
      select name, reason, author from billing_switches where off_at is null`,
    tx<{ timerKey: string; movedTo: Date }[]>`select timer_key, moved_to from billing_moved_timers`,
  ])
  return {
    done: ended.map(({ actKey }) => actKey),
    charges: ended.flatMap(({ act, begunAt }) =>
      act?.is === 'charge' ? [{ invoiceId: act.invoiceId, cardId: act.cardId, at: begunAt.getTime() }] : [],
    ),
    overdueSince: Object.fromEntries(
      subscriptions.flatMap(({ id, overdueSince }) => (overdueSince === null ? [] : [[id, overdueSince.getTime()]])),
    ),
    changes: changes.map(({ id, subscriptionId, dueAt }) => ({ id, subscriptionId, at: dueAt.getTime() })),
    switches: Object.fromEntries(switches.map(({ name, reason, author }) => [name, { reason, author }])),
    movedTimers: Object.fromEntries(moved.map(({ timerKey, movedTo }) => [timerKey, movedTo.getTime()])),
    takenBack: ended.flatMap(({ act }) => takenBackBy(act)),
  }
}
