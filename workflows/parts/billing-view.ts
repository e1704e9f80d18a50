import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow'
import { businessStatusKey } from '../../temporal-config/search-attributes.ts'
import type { SubscriptionView } from '../contracts/subscription-lifecycle.ts'
import { timeInUtc } from './cohort-view.ts'

/** What operators see of an organisation's billing in the Temporal Web UI: call it whenever something has been seen. */
export function billingView(): (view: SubscriptionView, waitingFor?: 'repair') => void {
  let shown: string | undefined
  return (view, waitingFor) => {
    const status = waitingFor ? `waiting:${waitingFor}` : view.state
    // Each costs an event, and mostly nothing has changed.
    if (status !== shown) upsertSearchAttributes([{ key: businessStatusKey, value: status }])
    shown = status
    setCurrentDetails(detailsOf(view, waitingFor))
  }
}

function detailsOf({ state, access, isFrozen, next, seenAt }: SubscriptionView, waitingFor?: 'repair'): string {
  const lines = [
    `**${state}**, access ${access}${isFrozen ? ', frozen by a dispute' : ''}`,
    ...(waitingFor ? [helpForRepair] : []),
    next ? `Next: ${next.what}, ${timeInUtc(next.at)}` : 'Nothing is to come by itself.',
    ...(seenAt === null ? [] : [`Last looked at ${timeInUtc(seenAt)}`]),
  ]
  return lines.join('\n\n')
}

const helpForRepair =
  'Stripe could not be asked: the last activity that failed says why. Mend it, then send the signal `lookAgain`.'
