import type { BillingFacts, BillingSituation, Dispute } from '../contracts/subscriptions.ts'
import { durationMs } from './durations.ts'
import { actKey, type Planned } from './planned-acts.ts'

/** Whether refunds and dunning stand still. */
export function isFrozen({ disputes }: BillingFacts): boolean {
  return disputes.some(isOpen)
}

/** What freezes and thaws with each dispute, and who is told of it in time: once it is too late, nobody. */
export function planDisputes({ organisationId, facts, memory, policy, now }: BillingSituation): Planned[] {
  return facts.disputes.flatMap((dispute) => {
    const { id, openedAt } = dispute
    const freeze: Planned = {
      key: `dispute/${id}/freeze`,
      at: openedAt,
      what: 'freeze',
      act: { is: 'freeze', disputeId: id },
      isMovable: false,
    }
    if (isOpen(dispute)) return [freeze, ...warningsOf(dispute, policy.disputeReminders)]
    if (!memory.done.includes(actKey(organisationId, freeze.key))) return []
    return [
      { ...freeze, key: `dispute/${id}/unfreeze`, at: now, what: 'unfreeze', act: { is: 'unfreeze', disputeId: id } },
    ]
  })
}

/** That it is there, and the reminders while an answer is to be given: one ladder, since the newest says all. */
function warningsOf({ id, openedAt, evidenceDueAt, status }: Dispute, reminders: readonly string[]): Planned[] {
  const ladder = `dispute/${id}`
  const opened: Planned = {
    key: `dispute/${id}/opened`,
    at: openedAt,
    what: 'dispute_opened',
    act: { is: 'tell_operator', notice: 'dispute_opened', about: id, step: 1, isLast: true },
    ladder,
  }
  if (evidenceDueAt === null) return [opened]
  return [
    opened,
    ...reminders.map(
      (before, index): Planned => ({
        key: `dispute/${id}/reminder/${index + 1}`,
        at: evidenceDueAt - durationMs(before),
        what: 'dispute_due',
        act: {
          is: 'tell_operator',
          notice: 'dispute_due',
          about: id,
          step: index + 1,
          isLast: index === reminders.length - 1,
        },
        // Answered ones stay in the ladder, so that what they came after is not told again.
        before: status === 'needs_response' ? evidenceDueAt : openedAt,
        ladder,
      }),
    ),
  ]
}

export const isOpen = ({ status }: Dispute): boolean => status === 'needs_response' || status === 'under_review'
