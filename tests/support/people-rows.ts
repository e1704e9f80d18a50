import { addressHash, contactAddressHash } from '../../db/addresses.ts'
import type { Database } from '../../db/client.ts'
import type { EnrolmentStatus, SequenceDefinition } from '../../workflows/contracts/sequences.ts'
import { rowId } from './row-id.ts'

/** A contact's row. Returns its id. */
export function contactRow(
  database: Database,
  organisationId: string,
  { email = null, phone = null }: { email?: string | null; phone?: string | null } = {},
): Promise<string> {
  const emailHash = email === null ? null : addressHash(organisationId, 'email', email)
  const phoneHash = phone === null ? null : contactAddressHash(organisationId, 'sms', phone)
  return database.as(organisationId, async (tx) => {
    const rows = await tx`
      insert into contacts (email, email_hash, phone, phone_hash)
      values (${email}, ${emailHash}, ${phone}, ${phoneHash}) returning id`
    return rowId(rows)
  })
}

/** Somebody on the way through a sequence of their own that is called `Onboarding`. Returns the enrolment and its sequence. */
export function journeyRow(
  database: Database,
  organisationId: string,
  contactId: string,
  changes: Partial<Pick<SequenceDefinition, 'purpose' | 'exitOn' | 'goal'>> & {
    status?: EnrolmentStatus
    waitingFor?: string[]
  } = {},
): Promise<{ enrolmentId: string; sequenceId: string; cohortId: string }> {
  const { status = 'active', waitingFor = null, ...rest } = changes
  const definition = { purpose: 'marketing', entry: 'once', exitOn: [], goal: null, steps: [], ...rest }
  return database.as(organisationId, async (tx) => {
    const sequenceId = rowId(
      await tx`insert into sequences (name, status, version, actor) values ('Onboarding', 'live', 1, 'key:1') returning id`,
    )
    await tx`insert into sequence_versions (sequence_id, version, definition, actor, created_at)
      values (${sequenceId}, 1, ${tx.json(definition)}, 'key:1', now())`
    const cohortId = rowId(
      await tx`insert into cohorts (sequence_id, size, created_at) values (${sequenceId}, 1, now()) returning id`,
    )
    const enrolmentId = rowId(
      await tx`
        insert into enrolments (sequence_id, contact_id, cohort_id, seat, version, status, waiting_for, source, created_at)
        values (${sequenceId}, ${contactId}, ${cohortId}, 1, 1, ${status}, ${waitingFor}, 'key:1', '2026-01-05T12:00:00Z')
        returning id`,
    )
    return { enrolmentId, sequenceId, cohortId }
  })
}
