/** What every part that sends shares: channels, purposes, states of a message, the organisation's policy. */

export const channels = ['email', 'sms', 'whatsapp', 'voice'] as const
export type Channel = (typeof channels)[number]

/** `transactional`: notices about what somebody has asked or pays for; neither window, gap nor unsubscribe holds them back. */
export const purposes = ['marketing', 'transactional'] as const
export type Purpose = (typeof purposes)[number]

export const suppressionReasons = ['unsubscribed', 'opt_out', 'hard_bounce', 'complaint', 'manual'] as const
export type SuppressionReason = (typeof suppressionReasons)[number]

/** `unconfirmed`: it may have been accepted, and nobody can ask again. The terminal ones last. */
export const messageStatuses = ['planned', 'sending', 'unconfirmed', 'sent', 'skipped', 'rejected', 'expired'] as const
export type MessageStatus = (typeof messageStatuses)[number]

/**
 * Why a message did not go, or not yet. `plan_limit`: the organisation's plans have no more messages for now; `no_access`: they give none until
 * something is paid.
 */
export type NotSentReason =
  | 'outside_window'
  | 'no_common_window'
  | 'min_gap'
  | 'sender_rate'
  | 'paused'
  | 'plan_limit'
  | 'no_access'
  | 'no_consent'
  | 'suppressed'
  | 'no_address'
  | 'no_sender'
  | 'missing_variable'
  | 'exited'
  | 'expired'

/** When an organisation writes to people. Hours are those of the recipient; durations ISO 8601. */
export interface SendingPolicy {
  window: {
    /** Local times as HH:MM; a window may run over midnight. From and to the same time is the whole day. */
    from: string
    to: string
    /** What becomes of a marketing message outside of it: it waits, or is left out. */
    outside: 'hold' | 'skip'
  }
  /** Between two marketing messages to one person, over all sequences. */
  minGap: string
  /** The channels on which marketing needs a recorded consent; elsewhere it is enough that none was withdrawn. */
  consentRequired: Channel[]
  /** After how long a journey goes on as if a message had been sent whose outcome nobody knows. */
  unconfirmedAfter: string
}

export const builtInPolicy: SendingPolicy = {
  window: { from: '08:00', to: '21:00', outside: 'hold' },
  minGap: 'PT0S',
  consentRequired: [],
  unconfirmedAfter: 'PT1H',
}

/** A message as it is handed to a provider's client, and stored before: nothing is added to it on the way. */
export interface RenderedEmail {
  from: string
  to: string
  replyTo: string | null
  subject: string
  html: string
  text: string
  headers: Record<string, string>
  /** Names and values that come back with everything the provider tells of it. */
  tags: Record<string, string>
}
