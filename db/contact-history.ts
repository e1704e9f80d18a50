import type { JSONValue } from 'postgres'
import { channels } from '../workflows/contracts/sending.ts'
import { addressHash } from './addresses.ts'
import type { Tx } from './client.ts'

/** One thing that happened to a person, or was decided about them. */
export interface HistoryEntry {
  /** Where it stands among others of the same moment. */
  key: string
  at: Date
  /** The same in microseconds since the epoch, as the database orders by it. */
  atMicros: string
  type: string
  data: JSONValue
  messageId: string | null
  enrolmentId: string | null
  sequenceId: string | null
  sequenceName: string | null
  stepKey: string | null
}

export type HistoryPlace = Pick<HistoryEntry, 'atMicros' | 'key'>

/** Whose history is asked for, with the addresses of now. */
export interface Whose {
  id: string
  organisationId: string
  email: string | null
  phone: string | null
}

/**
 * The story of one person, newest first: what was recorded about them, and what rows tell beyond that. Where both tell the same, the record is
 * taken, which has each time that it happened; but when a message was sent the row tells, since a provider's word of it may come after what was
 * decided meanwhile.
 */
export function contactHistory(
  tx: Tx,
  whose: Whose,
  page: { limit: number; before: HistoryPlace | null },
): Promise<HistoryEntry[]> {
  const isBefore =
    page.before === null
      ? tx`true`
      : tx`(entry.at, entry.key collate "C") <
          (timestamptz 'epoch' + ${page.before.atMicros}::bigint * interval '1 microsecond', ${page.before.key}::text)`
  return tx<HistoryEntry[]>`
    with recorded as (
      select id, type, data, message_id, enrolment_id, occurred_at from contact_events where contact_id = ${whose.id}
    ), entry as (
      select type, occurred_at as at, type || '/' || id as key, data, message_id, enrolment_id
      from recorded
      where not (type in ('consent.granted', 'consent.withdrawn') and data ? 'consentId')
        and not (type = 'message.sent' and exists (select from messages where id = recorded.message_id and sent_at is not null))
      union all ${created(tx, whose.id)}
      union all ${messages(tx, whose.id)}
      union all ${enrolments(tx, whose.id)}
      union all ${consents(tx, whose.id)}
      union all ${suppressions(tx, whose)}
    )
    select entry.key, entry.at, (extract(epoch from entry.at) * 1000000)::bigint::text as at_micros, entry.type, entry.data,
      entry.message_id, coalesce(entry.enrolment_id, message.enrolment_id) as enrolment_id, sequence.id as sequence_id,
      sequence.name as sequence_name, coalesce(message.step_key, entry.data ->> 'stepKey') as step_key
    from entry
      left join messages as message on message.id = entry.message_id
      left join enrolments as enrolment on enrolment.id = coalesce(entry.enrolment_id, message.enrolment_id)
      left join sequences as sequence on sequence.id = coalesce(enrolment.sequence_id, message.sequence_id)
    where ${isBefore}
    order by entry.at desc, entry.key collate "C" desc limit ${page.limit}`
}

const created = (tx: Tx, contactId: string) => tx`
  select 'contact.created', created_at, 'contact.created/' || id, '{}'::jsonb, null::uuid, null::uuid
  from contacts where id = ${contactId}`

const messages = (tx: Tx, contactId: string) => tx`
  select fact.type, fact.at, fact.type || '/' || message.id,
    jsonb_build_object('channel', channel, 'purpose', purpose, 'reason', reason, 'lookUp', look_up), message.id, message.enrolment_id
  from messages as message
    cross join lateral (values
      ('message.planned', case when status = 'planned' then created_at end),
      ('message.sending', case when status = 'sending' then coalesce(claimed_at, created_at) end),
      ('message.unconfirmed', unconfirmed_at),
      ('message.sent', sent_at),
      ('message.' || status, case when status in ('skipped', 'rejected', 'expired') then coalesce(claimed_at, created_at) end),
      ('message.delivered', delivered_at),
      ('message.bounced', bounced_at),
      ('message.complained', complained_at),
      ('message.opened', opened_at),
      ('message.clicked', clicked_at),
      ('message.received', replied_at)
    ) as fact (type, at)
  where contact_id = ${contactId} and fact.at is not null
    and (fact.type = 'message.sent'
      or not exists (
        select from recorded where recorded.message_id = message.id and recorded.type = fact.type
          -- One call that was unclear says nothing of the next.
          and (fact.type <> 'message.unconfirmed' or recorded.occurred_at = fact.at)
      ))`

const enrolments = (tx: Tx, contactId: string) => tx`
  select fact.type, fact.at, fact.type || '/' || enrolment.id, jsonb_build_object('reason', reason, 'stepKey', step_key), null, enrolment.id
  from enrolments as enrolment
    cross join lateral (values
      ('enrolment.started', created_at),
      ('enrolment.' || status, case when status in ('completed', 'exited') then ended_at
        when status in ('held', 'paused') then coalesce(arrived_at, created_at) end)
    ) as fact (type, at)
  where contact_id = ${contactId} and fact.at is not null
    and not exists (select from recorded where recorded.enrolment_id = enrolment.id and recorded.type = fact.type)`

const consents = (tx: Tx, contactId: string) => tx`
  select 'consent.' || state, given_at, 'consent.' || state || '/' || id,
    jsonb_build_object('channel', channel, 'purpose', purpose, 'source', source, 'textVersion', text_version), null, null
  from consents where contact_id = ${contactId}`

/** Those of the person's addresses that came before the person, or the address, did: of the others there is a record. */
function suppressions(tx: Tx, { email, phone, organisationId }: Whose) {
  const own = channels.flatMap((channel) => {
    const address = channel === 'email' ? email : phone
    return address === null ? [] : [{ channel, hash: addressHash(organisationId, channel, address) }]
  })
  const isOwn = own
    .map(({ channel, hash }) => tx`(channel = ${channel} and address_hash = ${hash})`)
    .reduce((any, next) => tx`${any} or ${next}`, tx`false`)
  return tx`
    select 'suppression.added', created_at, 'suppression.added/' || id,
      jsonb_build_object('channel', channel, 'purpose', purpose, 'reason', reason, 'suppressionId', id), null, null
    from suppressions
    where lifted_at is null and (${isOwn}) and not exists (
      select from recorded where recorded.type = 'suppression.added' and recorded.data ->> 'suppressionId' = suppressions.id::text)`
}
