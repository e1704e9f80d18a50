import type { Channel, MessageStatus, RenderedEmail } from '../workflows/contracts/sending.ts'
import { addressHash } from './addresses.ts'
import type { Tx } from './client.ts'
import { saveContacts } from './contacts.ts'
import type { JourneySender } from './journeys.ts'
import { type Reach, reachColumns } from './reach.ts'

/** Messages of the platform's organisation that tell others of their billing, by the act that each tells of. */

export interface Notice {
  id: string
  actKey: string
  contactId: string
  status: MessageStatus
  reason: string | null
  batchId: string | null
  claimedAt: Date | null
  lookUp: string | null
  /** Null: it was left out before it was written. */
  rendered: RenderedEmail | null
  createdAt: Date
}

export async function findNotice(tx: Tx, actKey: string): Promise<Notice | null> {
  const [row] = await tx<Notice[]>`
    select id, act_key, contact_id, status, reason, batch_id, claimed_at, look_up, rendered, created_at
    from messages where act_key = ${actKey}`
  return row ?? null
}

/** In the order of all messages. */
export async function newMessageId(tx: Tx): Promise<string> {
  const [row] = await tx<{ id: string }[]>`select uuidv7() as id`
  if (!row) throw new Error('select returned no row')
  return row.id
}

export interface NewNotice {
  id: string
  actKey: string
  contactId: string
  addressHash: Uint8Array
  rendered: RenderedEmail
}

/** Writes a notice down before it goes, once under its key. */
export async function planNotice(tx: Tx, notice: NewNotice, now: Date): Promise<void> {
  const { id, actKey, contactId, rendered } = notice
  await tx`
    insert into messages (id, act_key, contact_id, channel, purpose, address_hash, rendered, status, created_at)
    values (${id}, ${actKey}, ${contactId}, 'email', 'transactional', ${Buffer.from(notice.addressHash)},
      ${JSON.stringify(rendered)}::text::json, 'planned', ${now})
    on conflict (organisation_id, act_key) do nothing`
}

/** Why a notice that is planned does not go yet. */
export async function delayNotice(tx: Tx, id: string, reason: string): Promise<void> {
  await tx`update messages set reason = ${reason} where id = ${id} and status = 'planned'`
}

/** The keys under a prefix of notices that have not gone, or may have, the oldest first. What was looked up in vain is left to people. */
export async function openNotices(tx: Tx, prefix: string): Promise<string[]> {
  const rows = await tx<{ actKey: string }[]>`
    select act_key from messages
    where enrolment_id is null and act_key collate "C" >= ${prefix} and act_key collate "C" < ${`${prefix}\u{10ffff}`}
      and (status in ('planned', 'sending') or (status = 'unconfirmed' and look_up is null))
    order by id`
  return rows.map(({ actKey }) => actKey)
}

export interface NoticeRecipient extends Pick<Reach, 'suppressedFor'> {
  email: string | null
  emailHash: Buffer | null
}

export async function noticeRecipient(tx: Tx, contactId: string): Promise<NoticeRecipient | null> {
  const [row] = await tx<NoticeRecipient[]>`
    select email, email_hash, ${reachColumns(tx, null)} from contacts where id = ${contactId}`
  return row ?? null
}

/** The organisation's first sender of a channel, by this provider's account. */
export async function firstSender(tx: Tx, channel: Channel, provider: string): Promise<JourneySender | null> {
  const [row] = await tx<JourneySender[]>`
    select id, channel, provider, name, address, reply_to, postal_address, rate_per_second::float8,
      nullif(next_slot_at, '-infinity') as next_slot_at, paused_at is not null as is_paused
    from senders where channel = ${channel} and provider = ${provider} order by id limit 1`
  return row ?? null
}

/**
 * The contact of the platform that stands for an organisation: notices go to it. Made where there is none; an e-mail address that is not given
 * stays. As the platform's organisation.
 */
export function platformContactFor(
  tx: Tx,
  who: { organisationId: string; name: string; email?: string | undefined },
  saving: { platformId: string; now: Date },
): Promise<string> {
  const { organisationId, name, email } = who
  return savedContact(tx, { externalId: `organisation/${organisationId}`, email, properties: { name } }, saving)
}

/** The contact of the platform that operators' notices go to. */
export async function operatorContact(
  tx: Tx,
  email: string,
  saving: { platformId: string; now: Date },
): Promise<string> {
  const hash = addressHash(saving.platformId, 'email', email)
  const [known] = await tx<{ id: string }[]>`
    select id from contacts where external_id = 'operator' and email_hash = ${hash}`
  return known?.id ?? (await savedContact(tx, { externalId: 'operator', email }, saving))
}

async function savedContact(
  tx: Tx,
  change: Parameters<typeof saveContacts>[1][number],
  { platformId, now }: { platformId: string; now: Date },
): Promise<string> {
  const [saved] = await saveContacts(tx, [change], { organisationId: platformId, now })
  if (saved?.outcome !== 'saved') throw new Error('a contact with one property has too many')
  return saved.contact.id
}
