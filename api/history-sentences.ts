import { z } from 'zod'
import type { HistoryEntry } from '../db/contact-history.ts'

/** What entries may carry that a sentence is made of. Others wrote it: what is not as expected is left out. */
const text = z.string().nullable().catch(null)
const Details = z
  .object({ reason: text, detail: text, until: z.iso.datetime().nullable().catch(null), zone: text })
  .extend({ channel: text, purpose: text, source: text, textVersion: text, as: text })
  .catch({
    reason: null,
    detail: null,
    until: null,
    zone: null,
    channel: null,
    purpose: null,
    source: null,
    textVersion: null,
    as: null,
  })
type Details = z.infer<typeof Details>

export interface Told {
  /** One plain sentence. */
  text: string
  reason: string | null
}

/** Tells what happened in words, times of day in the zone that decided. */
export function historySentence(entry: HistoryEntry): Told {
  const details = Details.parse(entry.data)
  return { text: sentence(entry, details), reason: details.reason }
}

function sentence(entry: HistoryEntry, details: Details): string {
  const { type } = entry
  const simple = simply.get(type)
  if (simple !== undefined) return `${simple}: ${messageOf(entry, details)}`
  switch (type) {
    case 'contact.created':
      return 'contact created'
    case 'message.deferred':
      return `not sent: ${notYet(entry, details)}`
    case 'message.skipped':
      return `not sent: ${whyNot(details.reason)} (${messageOf(entry, details)})`
    case 'message.expired':
      return `not sent: ${whyNot('expired')} (${messageOf(entry, details)})`
    case 'message.rejected':
      return `refused by the provider${withReason(details.reason)} (${messageOf(entry, details)})`
    case 'message.unconfirmed':
      return `perhaps sent, which nobody knows yet: ${messageOf(entry, details)}`
    case 'message.received':
      return `answered: ${messageOf(entry, details)}`
    case 'message.auto_replied':
      return `answered by a machine: ${messageOf(entry, details)}`
    case 'message.resolved':
      return `settled by a person, ${details.as === 'send_again' ? 'to be sent again' : 'as sent'}: ${messageOf(entry, details)}`
    case 'enrolment.started':
      return `entered ${sequenceOf(entry)}`
    case 'enrolment.refused':
      return `not enrolled in ${sequenceOf(entry)}${withReason(details.reason)}`
    case 'enrolment.held':
      return `held ${placeOf(entry)}: ${details.detail ? `${whyNot(details.reason)} (${details.detail})` : whyNot(details.reason)}`
    case 'enrolment.paused':
      return `paused ${placeOf(entry)}`
    case 'enrolment.resumed':
      return `resumed ${placeOf(entry)}`
    case 'enrolment.completed':
      return `completed ${sequenceOf(entry)}`
    case 'enrolment.exited':
      return `left ${sequenceOf(entry)}: ${exits.get(details.reason ?? '') ?? details.reason ?? 'ended early'}`
    case 'consent.granted':
      return `agreed to ${subjectOf(details)}${withReason(details.source)}`
    case 'consent.withdrawn':
      return `took back the consent to ${subjectOf(details)}${withReason(details.source)}`
    case 'suppression.added':
      return `suppressed for ${subjectOf(details)}: ${suppressed.get(details.reason ?? '') ?? details.reason ?? 'no reason given'}`
    case 'suppression.lifted':
      return `no longer suppressed for ${subjectOf(details)}`
    default:
      return type.startsWith('custom.') ? `event: ${type.slice('custom.'.length)}` : type
  }
}

/** Facts about a message that need no more words. */
const simply = new Map([
  ['message.planned', 'planned'],
  ['message.sending', 'being sent'],
  ['message.sent', 'sent'],
  ['message.delivered', 'delivered'],
  ['message.bounced', 'bounced'],
  ['message.complained', 'marked as spam'],
  ['message.opened', 'opened'],
  ['message.clicked', 'clicked'],
])

const reasons = new Map([
  ['outside_window', 'outside the hours in which messages go out'],
  ['no_common_window', 'no hour is allowed in all the zones that may be theirs'],
  ['min_gap', 'too soon after the message before'],
  ['sender_rate', 'the sender has reached its rate'],
  ['paused', 'paused'],
  ['plan_limit', 'the plan has no more messages for now'],
  ['no_access', 'nothing goes out until the subscription is paid'],
  ['no_consent', 'there is no consent'],
  ['suppressed', 'the address is suppressed'],
  ['no_address', 'there is no address'],
  ['no_sender', 'there is no sender'],
  ['missing_variable', 'a variable of the text is not known'],
  ['exited', 'the journey had ended'],
  ['expired', 'it had become too late'],
])

const exits = new Map([
  ['reply', 'answered'],
  ['bounce', 'the address bounced'],
  ['goal', 'reached the goal'],
  ['opt_out', 'wants no more messages'],
  ['complaint', 'marked a message as spam'],
  ['manual', 'taken out by a person'],
  ['exit_step', 'the sequence says so'],
  ['sequence_archived', 'the sequence was archived'],
])

const suppressed = new Map([
  ['unsubscribed', 'unsubscribed'],
  ['opt_out', 'said stop'],
  ['hard_bounce', 'the address does not exist'],
  ['complaint', 'marked a message as spam'],
  ['manual', 'by a person'],
])

const channelNames = new Map([
  ['email', 'e-mail'],
  ['sms', 'SMS'],
  ['whatsapp', 'WhatsApp'],
  ['voice', 'telephone'],
])

function notYet({ at }: HistoryEntry, { reason, detail, until, zone }: Details): string {
  if (until === null) return reason === 'paused' && detail !== null ? `the ${detail} is paused` : whyNot(reason)
  const time = timeIn(new Date(until), at, zone ?? 'UTC')
  return reason === 'outside_window' ? `window opens ${time}` : `${whyNot(reason)}, again at ${time}`
}

function whyNot(reason: string | null): string {
  return reasons.get(reason ?? '') ?? reason ?? 'no reason given'
}

/** Such as `08:00 America/Chicago`; with its date when that is another one than `seenFrom` has there. */
function timeIn(time: Date, seenFrom: Date, zone: string): string {
  const known = isZone(zone) ? zone : 'UTC'
  const [date, clock] = localTime(time, known)
  return localTime(seenFrom, known)[0] === date ? `${clock} ${known}` : `${date} ${clock} ${known}`
}

function localTime(time: Date, timeZone: string): [date: string, clock: string] {
  // Swedish writes dates as ISO 8601 has them.
  const written = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' }).format(time)
  const [date = '', clock = ''] = written.split(' ')
  return [date, clock]
}

function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== ''
  } catch {
    return false // Intl tells by a RangeError alone what it does not know.
  }
}

function messageOf(entry: HistoryEntry, { channel }: Details): string {
  if (entry.stepKey !== null && entry.sequenceName !== null) return `step ${entry.stepKey} of ${entry.sequenceName}`
  return channelNames.get(channel ?? '') ?? 'a message'
}

function placeOf(entry: HistoryEntry): string {
  return entry.stepKey === null ? `in ${sequenceOf(entry)}` : `at step ${entry.stepKey} of ${sequenceOf(entry)}`
}

function sequenceOf({ sequenceName }: HistoryEntry): string {
  return sequenceName ?? 'a sequence'
}

function subjectOf({ channel, purpose }: Details): string {
  return `${purpose === null ? 'everything' : `${purpose} messages`} by ${channelNames.get(channel ?? '') ?? 'any way'}`
}

function withReason(reason: string | null): string {
  return reason === null ? '' : `: ${reason}`
}
