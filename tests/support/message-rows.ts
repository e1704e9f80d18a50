import { addressHash } from '../../db/addresses.ts'
import type { Database } from '../../db/client.ts'
import type { MessageStatus, Purpose } from '../../workflows/contracts/sending.ts'
import { rowId } from './row-id.ts'

interface MessageToInsert {
  contactId: string
  /** To whom it went. */
  email: string
  senderId?: string
  enrolmentId?: string
  sequenceId?: string
  purpose?: Purpose
  status?: MessageStatus
  providerMessageId?: string
  claimedAt?: Date
}

/** A message that was claimed. Returns its id. */
export function messageRow(database: Database, organisationId: string, message: MessageToInsert): Promise<string> {
  const { contactId, email, senderId, enrolmentId, sequenceId, providerMessageId } = message
  const { purpose = 'marketing', status = 'sent', claimedAt = new Date('2026-01-05T12:00:00Z') } = message
  const isUnconfirmed = status === 'unconfirmed'
  return database.as(organisationId, async (tx) => {
    const rendered = {
      from: 'Sender <hello@sender.test>',
      to: email,
      replyTo: null,
      subject: 'Hello',
      html: '<p>Hello</p>',
      text: 'Hello',
      headers: { 'List-Unsubscribe': '<https://throughline.test/u/x>' },
      tags: { organisation: organisationId },
    }
    const rows = await tx`
      insert into messages (act_key, contact_id, channel, purpose, sender_id, enrolment_id, sequence_id, step_key, address_hash,
        rendered, status, claim, claimed_at, sent_at, unconfirmed_at, look_up, provider_message_id, created_at)
      values (${`test/${crypto.randomUUID()}`}, ${contactId}, 'email', ${purpose}, ${senderId ?? null}, ${enrolmentId ?? null},
        ${sequenceId ?? null}, 'hello', ${addressHash(organisationId, 'email', email)}, ${tx.json(rendered)}, ${status},
        ${crypto.randomUUID()}, ${claimedAt}, ${status === 'sent' ? claimedAt : null}, ${isUnconfirmed ? claimedAt : null},
        ${isUnconfirmed ? 'not_possible' : null}, ${providerMessageId ?? null}, ${claimedAt})
      returning id`
    return rowId(rows)
  })
}
