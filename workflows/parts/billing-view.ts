import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow'
import { businessStatusKey } from '../../temporal-config/search-attributes.ts'
import type { SubscriptionView } from '../contracts/subscription-lifecycle.ts'
import { timeInUtc } from './cohort-view.ts'

/** What operators see of an organisation's billing in the Temporal Web UI. */
export function showBilling(view: SubscriptionView, waitingFor?: 'repair'): void {
  const { state, access, isFrozen, next, seenAt } = view
  upsertSearchAttributes([{ key: businessStatusKey, value: waitingFor ? `waiting:${waitingFor}` : state }])
  const lines = [
    `**${state}**, access ${access}${isFrozen ? ', frozen by a dispute' : ''}`,
    ...(waitingFor
      ? ['Stripe could not be asked: see the last failed activity. Mend it, then send the signal `lookAgain`.']
      : []),
    next ? `Next: ${next.what}, ${timeInUtc(next.at)}` : 'Nothing is to come by itself.',
    ...(seenAt === null ? [] : [`Last looked at ${timeInUtc(seenAt)}`]),
  ]
  setCurrentDetails(lines.join('\n\n'))
}
