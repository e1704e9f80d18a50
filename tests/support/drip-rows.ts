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
  cohortId: string
  senderId: string
  /** By seat, from 1. */
  people: { seat: number; enrolmentId: string; contactId: string; email: string }[]
}

export interface WantedDrip {
  steps: Step[]
  people?: number
  definition?: Partial<SequenceDefinition>
  ratePerSecond?: number
  policy?: SendingPolicy
  enteredAt?: Date
  /** Of all of them. */
  timeZone?: string
}

/** A live sequence with a cohort of people who have just entered it. */
export function dripRows(database: Database, organisationId: string, wanted: WantedDrip): Promise<DripRows> {
  const {
    steps,
    people = 3,
    definition = {},
    ratePerSecond = null,
    policy,
    enteredAt = new Date(),
    timeZone = 'UTC',
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
    const cohortId = rowId(
      await tx`insert into cohorts (sequence_id, size, created_at) values (${sequenceId}, ${people}, ${enteredAt}) returning id`,
    )
    const seated: DripRows['people'] = []
    for (let seat = 1; seat <= people; seat += 1) {
      const email = `person${seat}-${crypto.randomUUID().slice(0, 8)}@example.com`
      const contactId = rowId(
        await tx`
          insert into contacts (email, email_hash, time_zone)
          values (${email}, ${addressHash(organisationId, 'email', email)}, ${timeZone}) returning id`,
      )
      const enrolmentId = rowId(
        await tx`
          insert into enrolments (sequence_id, contact_id, cohort_id, seat, version, due_at, source, created_at)
          values (${sequenceId}, ${contactId}, ${cohortId}, ${seat}, 1, ${enteredAt}, 'key:1', ${enteredAt}) returning id`,
      )
      seated.push({ seat, enrolmentId, contactId, email })
    }
    return { organisationId, sequenceId, cohortId, senderId, people: seated }
  })
}
