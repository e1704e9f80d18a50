import type { ReplyFact } from '../workflows/contracts/inbound-events.ts'
import { addressHash } from './addresses.ts'
import type { Tx } from './client.ts'
import { recordContactEvent } from './contact-events.ts'
import { later, type Told } from './message-facts.ts'
import { namedBy } from './message-routing.ts'
import { lockPersons } from './person-locks.ts'

/** Who wrote to us, and the message that was answered: null where none was ever sent. */
export interface Writer {
  contactId: string
  messageId: string | null
  enrolmentId: string | null
  claimedAt: Date | null
}

/** People with one address. More are no people. */
const mostWriters = 100

/**
 * Everybody whom a reply may come from: those with the address it was sent from, if it names a message of this organisation's or the
 * organisation has written there; where nobody has it, the one whose message it names, since people answer from other addresses than they are
 * written to. What it answers is the message that it names, else the newest.
 */
export function findWriters(tx: Tx, organisationId: string, { from, inReplyTo }: ReplyFact): Promise<Writer[]> {
  const hash = addressHash(organisationId, 'email', from)
  const { ids, names } = namedBy(inReplyTo)
  return tx<Writer[]>`
    with named as (
      select id, contact_id from messages where id = any(${ids}::uuid[]) or provider_message_id = any(${names})
    ), known as materialized (
      select id from contacts where email_hash = ${hash}
    ), writers as (
      select id from known
      where exists (select from named) or exists (
        select from messages
        where contact_id in (select id from known) and address_hash = ${hash} and status in ('sending', 'unconfirmed', 'sent')
      )
      union
      select contact_id from named where not exists (select from known)
    )
    select writers.id as contact_id, answered.id as message_id, answered.enrolment_id, answered.claimed_at
    from writers left join lateral (
      select id, enrolment_id, claimed_at from messages
      where contact_id = writers.id and channel = 'email' and status in ('sending', 'unconfirmed', 'sent')
      order by id in (select id from named) desc, claimed_at desc nulls last limit 1
    ) as answered on true
    order by writers.id limit ${mostWriters}`
}

/**
 * Records that somebody has answered, which ends the journeys that end with a reply. What a machine has answered is recorded as that: nobody
 * has read anything. Returns the workflows that are told of it.
 */
export async function applyReply(tx: Tx, writers: readonly Writer[], fact: ReplyFact, told: Told): Promise<string[]> {
  await lockPersons(tx, { contactIds: writers.map(({ contactId }) => contactId) })
  const workflowIds = new Set<string>()
  for (const { contactId, messageId, enrolmentId, claimedAt } of writers) {
    const at = later(claimedAt, told.occurredAt)
    if (!fact.isAutomatic) await tx`update messages set replied_at = least(replied_at, ${at}) where id = ${messageId}`
    const recorded = await recordContactEvent(
      tx,
      {
        contactId,
        type: fact.isAutomatic ? 'message.auto_replied' : 'message.received',
        data: { provider: told.provider },
        // Several people may have the address that it came from.
        sourceKey: writers.length === 1 ? told.sourceKey : `${told.sourceKey}/${contactId}`,
        enrolmentId,
        messageId,
        occurredAt: at,
      },
      { ...told, ...(!fact.isAutomatic && { ends: { reason: 'reply' as const } }) },
    )
    for (const workflowId of recorded.workflowIds) workflowIds.add(workflowId)
  }
  return [...workflowIds]
}
