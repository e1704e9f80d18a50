import type { Channel, MessageStatus, Purpose, RenderedEmail } from '../workflows/contracts/sending.ts'
import type { Tx } from './client.ts'
import { giveBackToLimits } from './limit-counts.ts'

/** A message that somebody in a sequence has got, or was to get. */
export interface JourneyMessage {
  id: string
  enrolmentId: string
  stepKey: string
  status: MessageStatus
  batchId: string | null
  claimedAt: Date | null
  unconfirmedAt: Date | null
  lookUp: string | null
}

export async function messagesOf(
  tx: Tx,
  who: { contactIds: readonly string[]; enrolmentIds: readonly string[] },
): Promise<JourneyMessage[]> {
  return tx<JourneyMessage[]>`
    select id, enrolment_id, step_key, status, batch_id, claimed_at, unconfirmed_at, look_up from messages
    where contact_id = any(${[...who.contactIds]}) and enrolment_id = any(${[...who.enrolmentIds]})`
}

/** What is claimed together leaves in one call of the provider. */
export interface MessageBatch {
  id: string
  senderId: string
  providerKey: string
  claim: string
  /** When it was decided: a call that begins long after that is not made. */
  claimedAt: Date
  messages: BatchMember[]
}

export interface BatchMember {
  id: string
  actKey: string
  contactId: string
  channel: Channel
  purpose: Purpose
  /** These are null for what is no step of a journey. */
  enrolmentId: string | null
  sequenceId: string | null
  stepKey: string | null
  addressHash: Uint8Array
  rendered: RenderedEmail
}

/**
 * Claims messages before they are sent, and keeps the very call. Call it inside the turns of all concerned. Throws when one of
 * them is claimed already, which their turns exclude.
 */
export async function claimMessages(tx: Tx, batch: MessageBatch): Promise<void> {
  await tx`
    insert into send_batches (id, sender_id, provider_key, first_called_at)
    values (${batch.id}, ${batch.senderId}, ${batch.providerKey}, ${batch.claimedAt})`
  const members = batch.messages.map(({ addressHash, rendered, ...member }, position) => ({
    ...member,
    position,
    hash: Buffer.from(addressHash).toString('hex'),
    rendered,
  }))
  const claimed = await tx`
    insert into messages (id, act_key, contact_id, channel, purpose, sender_id, enrolment_id, sequence_id, step_key, address_hash,
      rendered, batch_id, position, status, claim, claimed_at, created_at)
    select id, "actKey", "contactId", channel, purpose, ${batch.senderId}, "enrolmentId", "sequenceId", "stepKey",
      decode(hash, 'hex'), rendered, ${batch.id}, position, 'sending', ${batch.claim}, ${batch.claimedAt}, ${batch.claimedAt}
    from json_to_recordset(${JSON.stringify(members)}::text::json) as member(
      id uuid, "actKey" text, "contactId" uuid, channel text, purpose text, "enrolmentId" uuid, "sequenceId" uuid,
      "stepKey" text, hash text, rendered json, position int)
    on conflict (organisation_id, act_key) do update
      set status = 'sending', reason = null, claim = excluded.claim, claimed_at = excluded.claimed_at, batch_id = excluded.batch_id,
        position = excluded.position, rendered = excluded.rendered, sender_id = excluded.sender_id,
        address_hash = excluded.address_hash
      where messages.status = 'planned'
    returning id`
  if (claimed.length !== members.length) throw new Error('a message was claimed by somebody else')
}

/** Notes messages that are not sent, with the reason; one that was planned before is given up. */
export async function skipMessages(
  tx: Tx,
  skipped: readonly (Omit<BatchMember, 'id' | 'rendered' | 'addressHash'> & { reason: string })[],
  now: Date,
): Promise<void> {
  if (skipped.length === 0) return
  await tx`
    insert into messages (act_key, contact_id, channel, purpose, enrolment_id, sequence_id, step_key, status, reason, created_at)
    select "actKey", "contactId", channel, purpose, "enrolmentId", "sequenceId", "stepKey", 'skipped', reason, ${now}
    from jsonb_to_recordset(${tx.json(skipped.map((message) => ({ ...message })))}) as message(
      "actKey" text, "contactId" uuid, channel text, purpose text, "enrolmentId" uuid, "sequenceId" uuid,
      "stepKey" text, reason text)
    on conflict (organisation_id, act_key) do update set status = 'skipped', reason = excluded.reason
      where messages.status = 'planned'`
}

/** What became of a claimed message. */
export type MessageOutcome =
  | { id: string; is: 'sent'; providerMessageId: string }
  | { id: string; is: 'rejected'; code: string }
  /** Surely not taken, for this reason. */
  | { id: string; is: 'planned'; code: string | null }

/**
 * Records what became of messages, for whoever holds their claim; a word of the provider's that came first stands. One that was taken for
 * unclear is settled, too, as long as nobody else has claimed it. Returns the ids of those that it holds for.
 */
export async function recordOutcomes(
  tx: Tx,
  claim: string,
  outcomes: readonly MessageOutcome[],
  now: Date,
): Promise<Set<string>> {
  if (outcomes.length === 0) return new Set()
  const rows = await tx<{ id: string; countedAt: Date | null }[]>`
    update messages
    set status = outcome."is", reason = outcome.code, provider_message_id = coalesce(outcome."providerMessageId", provider_message_id),
      sent_at = case when outcome."is" = 'sent' then ${now} end,
      claim = case when outcome."is" <> 'planned' then claim end,
      claimed_at = case when outcome."is" <> 'planned' then claimed_at end
    from jsonb_to_recordset(${tx.json(outcomes.map((outcome) => ({ ...outcome })))}) as outcome(
      id uuid, "is" text, code text, "providerMessageId" text)
    where messages.id = outcome.id and messages.claim = ${claim} and messages.status in ('sending', 'unconfirmed')
    returning messages.id, case when outcome."is" = 'planned' then ${countedAt(tx)} end as counted_at`
  await giveBackCounts(tx, rows)
  return new Set(rows.map(({ id }) => id))
}

/** A call that was claimed and whose outcome is not known. */
export interface UnclearBatch {
  id: string
  senderId: string
  providerKey: string
  /** Since when the provider may know the key. */
  firstCalledAt: Date
  members: UnclearMember[]
}

interface UnclearMember {
  id: string
  contactId: string
  /** Null: no step of a journey. */
  enrolmentId: string | null
  addressHash: Uint8Array
  status: MessageStatus
  claimedAt: Date | null
  unconfirmedAt: Date | null
  rendered: RenderedEmail
}

/** All that left in these calls, in the order of each, whatever has become of them since. */
export async function unclearBatches(tx: Tx, batchIds: readonly string[]): Promise<UnclearBatch[]> {
  const batches = await tx<Omit<UnclearBatch, 'members'>[]>`
    select id, sender_id, provider_key, first_called_at from send_batches where id = any(${[...batchIds]})`
  const members = await tx<(UnclearMember & { batchId: string })[]>`
    select batch_id, id, contact_id, enrolment_id, address_hash, status, claimed_at, unconfirmed_at, rendered
    from messages where batch_id = any(${[...batchIds]}) order by batch_id, position`
  const ofBatch = Map.groupBy(members, ({ batchId }) => batchId)
  return batches.map((batch) => ({ ...batch, members: ofBatch.get(batch.id) ?? [] }))
}

/** Takes over the claim of messages that are still `sending`; call it inside the turns of all concerned. */
export async function takeOverClaims(tx: Tx, ids: readonly string[], claim: string, now: Date): Promise<string[]> {
  const taken = await tx<{ id: string }[]>`
    update messages set claim = ${claim}, claimed_at = ${now}
    where id = any(${[...ids]}) and status = 'sending' returning id`
  return taken.map(({ id }) => id)
}

/** Nobody can tell by a repetition any more whether these were sent, unless the provider has spoken of them meanwhile. */
export async function markUnconfirmed(tx: Tx, ids: readonly string[], now: Date): Promise<void> {
  await tx`
    update messages
    set status = case when provider_message_id is null then 'unconfirmed' else 'sent' end,
      unconfirmed_at = case when provider_message_id is null then ${now}::timestamptz end,
      -- What was said of an earlier call says nothing of this one.
      look_up = null,
      sent_at = case when provider_message_id is null then sent_at else coalesce(sent_at, claimed_at) end
    where id = any(${[...ids]}) and status = 'sending'`
}

/**
 * What a look-up has brought: found, it was sent; not found, it is to be sent again, unless nobody wants that any more. It holds for the call
 * that was asked about: one that has been claimed anew since is another's.
 */
export async function recordLookUp(
  tx: Tx,
  { id, batchId }: { id: string; batchId: string },
  found: LookUpResult,
  now: Date,
): Promise<void> {
  const isFound = found.is === 'found'
  const unsent = found.is === 'not_found' && !found.mayGoAgain ? 'skipped' : 'planned'
  const status = isFound ? 'sent' : found.is === 'not_found' ? unsent : 'unconfirmed'
  const unsettled = isFound ? ['unconfirmed', 'planned'] : ['unconfirmed']
  const settled = await tx<{ countedAt: Date | null }[]>`
    update messages
    set status = ${status}, look_up = ${found.is}, reason = ${status === 'skipped' ? 'exited' : null},
      provider_message_id = coalesce(${isFound ? found.providerMessageId : null}, provider_message_id),
      sent_at = case when ${isFound} then coalesce(sent_at, claimed_at, ${now}) end,
      claim = case when ${status} in ('sent', 'unconfirmed') then claim end
    where id = ${id} and batch_id = ${batchId} and status = any(${unsettled})
    returning case when ${found.is} = 'not_found' then ${countedAt(tx)} end as counted_at`
  await giveBackCounts(tx, settled)
}

type LookUpResult =
  | { is: 'found'; providerMessageId: string }
  | { is: 'not_found'; mayGoAgain: boolean }
  | { is: 'not_possible' }

/** When a message in a call was counted, where its organisation's plans limit messages: repeated, it is not counted again. Null: it never counts. */
export const countedAt = (tx: Tx) => tx`
  case when purpose <> 'transactional' then (select first_called_at from send_batches where send_batches.id = messages.batch_id) end`

/** These were claimed and did not go: others may in their place. */
export function giveBackCounts(tx: Tx, unsent: readonly { countedAt: Date | null }[]): Promise<void> {
  return giveBackToLimits(
    tx,
    'messages',
    unsent.flatMap(({ countedAt: at }) => at ?? []),
  )
}
