import { letRequestWait, type Requested, withdrawChange } from '../../db/billing-requests.ts'
import { findBillingState } from '../../db/billing-states.ts'
import { moveTimer, switchOff, switchOn, wasMoved } from '../../db/billing-switches.ts'
import type { Tx } from '../../db/client.ts'
import type { BillingRequest, RequestOutcome } from '../../workflows/contracts/billing-requests.ts'
import type { SubscriptionFacts } from '../../workflows/contracts/subscriptions.ts'
import { againstChangeWithin } from '../../workflows/rules/plan-change-limits.ts'
import { aheadOfNextPeriod } from '../../workflows/rules/plan-change-times.ts'
import { isUnderWay } from '../../workflows/rules/subscription-state.ts'

/** What our rows alone decide of a request; null: it is the provider's to do. */
export async function carryOutInRows(
  tx: Tx,
  { id, request, actor }: Requested,
  now: Date,
): Promise<RequestOutcome | null> {
  if (request.kind === 'switch_on') {
    const { name, reason } = request
    return (await switchOn(tx, { name, reason, author: actor }, now)) ? done : refused('switched_already')
  }
  if (request.kind === 'switch_off')
    return (await switchOff(tx, request.name, now)) ? done : refused('switched_already')
  const last = await findBillingState(tx)
  if (last === null) return refused('wrong_state')
  const { facts, timers, isFrozen } = last
  if (request.kind === 'move_timer') {
    const { timerKey, to } = request
    const timer = timers.find(({ key }) => key === timerKey)
    // One that was moved out of sight is still ours to move.
    const isMoved = timer === undefined && (await wasMoved(tx, timerKey))
    if (timer === undefined && !isMoved) return refused('not_found')
    if (timer?.isMovable === false) return refused('not_movable')
    await moveTimer(tx, { timerKey, to: new Date(to), author: actor }, now)
    return done
  }
  if (request.kind === 'refund' || request.kind === 'pay_now') return isFrozen ? refused('dispute_open') : null
  const subscription = facts.subscriptions.find((one) => one.id === request.subscriptionId)
  if (subscription === undefined) return refused('not_found')
  // What was never paid for can be ended at once, and nothing else.
  if (subscription.status === 'incomplete' && request.kind === 'cancel' && request.when === 'now') return null
  if (!isUnderWay(subscription)) return refused('not_under_way')
  if (request.kind === 'change_plan' && request.when === 'now') {
    const against = againstChangeWithin(subscription, facts)
    if (against) return refused(against)
  }
  return ofSubscription(tx, { id, request, subscription, now })
}

type OfSubscription = Extract<BillingRequest, { subscriptionId: string }>

async function ofSubscription(
  tx: Tx,
  {
    id,
    request,
    subscription,
    now,
  }: { id: string; request: OfSubscription; subscription: SubscriptionFacts; now: Date },
): Promise<RequestOutcome | null> {
  const { cancelsAt } = subscription
  if (request.kind === 'undo_change') {
    return (await withdrawChange(tx, request.subscriptionId, now)) ? done : refused('nothing_to_undo')
  }
  if (request.kind === 'undo_cancel') return cancelsAt === null ? refused('nothing_to_undo') : null
  if (request.kind === 'cancel') {
    // One that ends with its period may be taken back, and then has the change that waits still.
    if (request.when === 'now') await withdrawChange(tx, request.subscriptionId, now)
    return null
  }
  if (request.when === 'now') return null
  if (cancelsAt !== null) return refused('ends_already')
  await letRequestWait(tx, id, new Date(Math.max(now.getTime(), aheadOfNextPeriod(subscription))))
  return { is: 'waiting' }
}

const done: RequestOutcome = { is: 'done' }
const refused = (code: string): RequestOutcome => ({ is: 'refused', code })
