import type { ReplyFact } from '../workflows/contracts/inbound-events.ts'
import { addressHash } from './addresses.ts'
import type { Tx } from './client.ts'
import { recordContactEvent } from './contact-events.ts'
import { later, type Told } from './message-facts.ts'
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
 * Everybody whom a reply may come from: those with the address it was sent from; where there are none, the one whose message it names, since
 * people answer from other addresses than they are written to. What it answers is the message that it names, else the newest.
 */
export function findWriters(tx: Tx, organisationId: string, { from, inReplyTo }: ReplyFact): Promise<Writer[]> {
  const hash = addressHash(organisationId, 'email', from)
  const names = [...new Set(inReplyTo.flatMap(namesWithin))]
  return tx<Writer[]>`
    with named as (
      select id, contact_id from messages where id = any(${names.filter(isUuid)}::uuid[]) or provider_message_id = any(${names})
    ), writers as (
      select id from contacts where email_hash = ${hash}
      union
      select contact_id from named where not exists (select from contacts where email_hash = ${hash})
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

const uuid = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/gi

/** What a Message-Id may name a message by: what stands before the @, and any of our ids within. */
function namesWithin(id: string): string[] {
  const local = id.trim().replace(/^</, '').split('@')[0] ?? ''
  return [local, ...(local.match(uuid) ?? [])].filter((name) => name !== '').map((name) => name.toLowerCase())
}

function isUuid(name: string): boolean {
  return name.replace(uuid, '') === '' && name.length === 36
}
