import { addressHash } from '../../db/addresses.ts'
import type { Database } from '../../db/client.ts'
import type { SendingPolicy } from '../../workflows/contracts/sending.ts'
import type { MessageStep, SequenceDefinition, Step } from '../../workflows/contracts/sequences.ts'
import { rowId } from './row-id.ts'

export const aMessage = (key: string, changes: Partial<MessageStep> = {}): MessageStep => ({
  key,
  type: 'message',
  channel: 'email',
  subject: `Subject of ${key}`,
  text: 'Hello {{ contact.email }}',
  ...changes,
})

export interface DripRows {
  organisationId: string
  sequenceId: string
  /** Of the first of them. */
  cohortId: string
  senderId: string
  people: { seat: number; cohortId: string; enrolmentId: string; contactId: string; email: string }[]
}

export interface WantedDrip {
  steps: Step[]
  people?: number
  definition?: Partial<SequenceDefinition>
  ratePerSecond?: number
  policy?: SendingPolicy
  enteredAt?: Date
  /** Of all of them, or of each by number from 0. */
  timeZone?: string | ((index: number) => string)
  /** Whether everybody has a cohort of their own. */
  eachAlone?: boolean
}

/** A live sequence with a cohort of people who have just entered it, on seats from 1. */
export function dripRows(database: Database, organisationId: string, wanted: WantedDrip): Promise<DripRows> {
  const {
    steps,
    people = 3,
    definition = {},
    ratePerSecond = null,
    policy,
    enteredAt = new Date(),
    timeZone = 'UTC',
    eachAlone = false,
  } = wanted
  return database.as(organisationId, async (tx) => {
    const senderId = rowId(
      await tx`
        insert into senders (channel, provider, name, address, postal_address, rate_per_second)
        values ('email', 'resend', 'Maple Dental', 'hello@maple-dental.test', '1 Main Street', ${ratePerSecond}) returning id`,
    )
    const whole: SequenceDefinition = {
      purpose: 'marketing',
      senderId,
      entry: 'once',
      exitOn: ['reply', 'bounce', 'goal'],
      goal: null,
      steps,
      ...definition,
    }
    if (policy) {
      await tx`
        insert into policies (policy, actor, updated_at) values (${tx.json({ ...policy })}, 'key:1', now())
        on conflict (organisation_id) do update set policy = excluded.policy`
    }
    const sequenceId = rowId(
      await tx`insert into sequences (name, status, version, actor) values ('Onboarding', 'live', 1, 'key:1') returning id`,
    )
    await tx`
      insert into sequence_versions (sequence_id, version, definition, actor, created_at)
      values (${sequenceId}, 1, ${tx.json(JSON.parse(JSON.stringify(whole)))}, 'key:1', now())`
    const newCohort = async (size: number) =>
      rowId(
        await tx`
          insert into cohorts (sequence_id, size, closed_at, created_at)
          values (${sequenceId}, ${size}, ${enteredAt}, ${enteredAt}) returning id`,
      )
    const shared = eachAlone ? '' : await newCohort(people)
    const seated: DripRows['people'] = []
    for (let index = 0; index < people; index += 1) {
      const [cohortId, seat] = eachAlone ? [await newCohort(1), 1] : [shared, index + 1]
      const email = `person${index}-${crypto.randomUUID().slice(0, 8)}@example.com`
      const zone = typeof timeZone === 'string' ? timeZone : timeZone(index)
      const contactId = rowId(
        await tx`
          insert into contacts (email, email_hash, time_zone)
          values (${email}, ${addressHash(organisationId, 'email', email)}, ${zone}) returning id`,
      )
      const enrolmentId = rowId(
        await tx`
          insert into enrolments (sequence_id, contact_id, cohort_id, seat, version, due_at, source, created_at)
          values (${sequenceId}, ${contactId}, ${cohortId}, ${seat}, 1, ${enteredAt}, 'key:1', ${enteredAt}) returning id`,
      )
      seated.push({ seat, cohortId, enrolmentId, contactId, email })
    }
    const cohortId = seated[0]?.cohortId ?? shared
    return { organisationId, sequenceId, cohortId, senderId, people: seated }
  })
}
