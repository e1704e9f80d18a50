import { createHash } from 'node:crypto'
import type { Decision } from '../../db/journeys.ts'

/** The names of many variables may be long; a history is not where to read them all. */
const longestDetail = 500

type Whom = Pick<Decision, 'contactId' | 'enrolmentId'>

interface Deferral {
  reason: string
  until?: Date | null
  zone?: string | null
  /** What stands still, where that is the reason. */
  pausedBy?: 'organisation' | 'sequence' | 'sender'
  at: Date
}

/** That a message does not go yet, and why: once for the same time, or once at all where it is a matter of seconds. */
export function deferral(
  { contactId, enrolmentId }: Whom,
  stepKey: string | null,
  { reason, until = null, zone = null, pausedBy, at }: Deferral,
): Decision {
  const when = reason === 'sender_rate' ? '' : (until ?? at).toISOString()
  return {
    contactId,
    enrolmentId,
    type: 'message.deferred',
    sourceKey: `defer/${enrolmentId}/${stepKey}/${reason}/${when}`,
    data: { stepKey, reason, until: until?.toISOString() ?? null, zone, ...(pausedBy && { detail: pausedBy }) },
  }
}

/** That a person is held where they stand, and why. */
export function holding(
  { contactId, enrolmentId }: Whom,
  stepKey: string | null,
  reason: string,
  at: Date,
  detail?: string,
): Decision {
  const digest = createHash('sha256')
    .update(detail ?? '')
    .digest('base64url')
  return {
    contactId,
    enrolmentId,
    type: 'enrolment.held',
    sourceKey: `held/${enrolmentId}/${stepKey}/${reason}/${at.toISOString()}/${digest}`,
    data: { stepKey, reason, ...(detail !== undefined && { detail: detail.slice(0, longestDetail) }) },
  }
}
