import type { Channel, NotSentReason, Purpose, SendingPolicy } from '../contracts/sending.ts'
import { durationMs } from './durations.ts'
import { nextAllowed } from './send-window.ts'

/** `defer`: not before `until`, held back by the window of `zone` where that is what holds it back. `hold`: no time will ever do. */
export type SendDecision =
  | { do: 'send' }
  | { do: 'skip'; reason: NotSentReason }
  | { do: 'defer'; reason: NotSentReason; until: Date; zone: string | null }
  | { do: 'hold'; reason: NotSentReason }

/** A message that is about to go. */
export interface SendAct {
  purpose: Purpose
  channel: Channel
  /** When its step was come to, and for how long after that it is worth sending, ISO 8601. */
  arrivedAt: Date
  expiresAfter?: string | undefined
  now: Date
}

export interface Recipient {
  /** On the channel. */
  address: string | null
  /** All that the person may be in; at least one. */
  zones: readonly string[]
  /** For this channel and purpose. */
  isSuppressed: boolean
  /** The newest word on this channel and purpose. */
  consent: 'granted' | 'withdrawn' | null
  /** The last marketing message to the person, of any sequence. */
  lastSentAt: Date | null
}

/** What becomes of a message now, by what is known of its recipient now. */
export function decideSend(act: SendAct, person: Recipient, policy: SendingPolicy): SendDecision {
  const isMarketing = act.purpose === 'marketing'
  if (person.address === null) return { do: 'skip', reason: 'no_address' }
  if (person.isSuppressed) return { do: 'skip', reason: 'suppressed' }
  if (isMarketing && !isAgreedTo(act.channel, person, policy)) return { do: 'skip', reason: 'no_consent' }
  if (isExpired(act)) return { do: 'skip', reason: 'expired' }
  return isMarketing ? decideTime(act.now, person, policy) : { do: 'send' }
}

function isAgreedTo(channel: Channel, { consent }: Recipient, { consentRequired }: SendingPolicy): boolean {
  return consent === 'granted' || (consent === null && !consentRequired.includes(channel))
}

function isExpired({ arrivedAt, expiresAfter, now }: SendAct): boolean {
  return expiresAfter !== undefined && now.getTime() - arrivedAt.getTime() > durationMs(expiresAfter)
}

function decideTime(now: Date, { zones, lastSentAt }: Recipient, { window, minGap }: SendingPolicy): SendDecision {
  const gapEnd = endOfGap(lastSentAt, minGap)
  const rested = gapEnd > now ? gapEnd : now
  const opening = nextAllowed(window, zones, rested)
  if (opening === null) return { do: 'hold', reason: 'no_common_window' }
  if (opening.at > rested) {
    if (window.outside === 'skip') return { do: 'skip', reason: 'outside_window' }
    return { do: 'defer', reason: 'outside_window', until: opening.at, zone: opening.zone }
  }
  return rested > now ? { do: 'defer', reason: 'min_gap', until: rested, zone: null } : { do: 'send' }
}

// Without a gap the last message counts for nothing, not even when the clock that timed it was ahead of ours.
function endOfGap(lastSentAt: Date | null, minGap: string): Date {
  const gapMs = durationMs(minGap)
  return new Date(lastSentAt === null || gapMs === 0 ? -Infinity : lastSentAt.getTime() + gapMs)
}
