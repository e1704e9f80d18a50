import type { JourneySender, Traveller } from '../../db/journeys.ts'
import { isSuppressed } from '../../db/reach.ts'
import type { NotSentReason } from '../../workflows/contracts/sending.ts'
import type { MessageStep } from '../../workflows/contracts/sequences.ts'
import { decideSend, type SendDecision } from '../../workflows/rules/send-decision.ts'
import { possibleZones } from '../../workflows/rules/zones.ts'
import { later } from '../clock.ts'
import type { TurnContext } from './turns.ts'

/** A call that has not begun this long after its claim is not made: what was decided holds for so long and no longer. */
export const startWithinMs = 10_000

/** Whether a message may go now. */
export type MessageDecision =
  | { do: 'send'; sender: JourneySender }
  | { do: 'skip'; reason: NotSentReason }
  | { do: 'hold'; reason: NotSentReason }
  /** `until` null: until somebody resumes the sender, or pays for access. Both wake whoever waits. */
  | { do: 'defer'; reason: NotSentReason; until: Date | null; zone: string | null; pausedBy?: 'sender' }

/** Decides by the person, the policy, the sender and what is paid for whether a message goes now, and still may when its call begins. */
export function decideMessage(
  traveller: Traveller,
  step: MessageStep,
  arrivedAt: Date,
  context: TurnContext,
): MessageDecision {
  const { ground, now } = context
  const { purpose, senderId } = context.definitionOf(traveller.version)
  const sender = ground.senders.find(({ id }) => id === senderId)
  if (!sender) throw new Error('the sequence has no such sender')
  if (sender.isPaused) return { do: 'defer', reason: 'paused', until: null, zone: null, pausedBy: 'sender' }
  const { email: address, consent, lastSentAt } = traveller
  const person = {
    address,
    zones: possibleZones(traveller, ground),
    isSuppressed: isSuppressed(traveller, purpose),
    consent,
    lastSentAt,
  }
  const { channel, expiresAfter } = step
  const decideAt = (at: Date): SendDecision =>
    decideSend({ purpose, channel, arrivedAt, expiresAfter, now: at }, person, ground.policy)
  const decided = decideAt(now)
  // It must still be right when the call begins.
  const decision = decided.do === 'send' ? decideAt(later(now, startWithinMs)) : decided
  if (decision.do !== 'send') return decision
  if (purpose !== 'transactional' && ground.entitlements?.access === 'none') {
    return { do: 'defer', reason: 'no_access', until: null, zone: null }
  }
  return { do: 'send', sender }
}
