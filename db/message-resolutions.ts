import type { MessageStatus } from '../workflows/contracts/sending.ts'
import type { EnrolmentStatus } from '../workflows/contracts/sequences.ts'
import type { Tx } from './client.ts'
import { recordContactEvent } from './contact-events.ts'
import { countedAt, giveBackCounts } from './messages.ts'
import { lockPersons } from './person-locks.ts'
import { type Journey, wakeJourneys } from './waking.ts'

export const resolutions = ['sent', 'send_again'] as const
/** What somebody decides of a message that may have gone or not. */
export type Resolution = (typeof resolutions)[number]

type Resolved = { is: 'resolved'; workflowIds: string[] } | { is: 'refused'; status: MessageStatus }

/**
 * Settles a message whose outcome nobody knows. `send_again` forgets the call it was part of, so that it goes out in one of its own; its
 * journey stays where it has got to meanwhile. Not for a journey that was ended early: whoever replied or opted out gets nothing more of it.
 * Null when there is no such message.
 */
export async function resolveMessage(
  tx: Tx,
  id: string,
  as: Resolution,
  { actor, ...told }: { actor: string; requestId: string; now: Date },
): Promise<Resolved | null> {
  const [person] = await tx<{ contactId: string }[]>`select contact_id from messages where id = ${id}`
  if (!person) return null
  const { contactId } = person
  await lockPersons(tx, { contactIds: [contactId] })

  const [message] = await tx<Unconfirmed[]>`
    select messages.status, unconfirmed_at, ${countedAt(tx)} as counted_at, enrolment_id, enrolments.status as journey
    from messages left join enrolments on enrolments.id = enrolment_id where messages.id = ${id} for update of messages`
  if (!message) throw new Error('a message that was found a moment ago is gone')
  const { status, journey, enrolmentId, unconfirmedAt } = message
  const isOver = as === 'send_again' && journey === 'exited'
  if (status !== 'unconfirmed' || isOver) return { is: 'refused', status }

  if (as === 'sent') {
    await tx`
      update messages set status = 'sent', sent_at = coalesce(sent_at, claimed_at, ${told.now}) where id = ${id}`
  } else {
    // The row forgets it; whoever asks why somebody got it twice is told.
    const doubt = { type: 'message.unconfirmed', sourceKey: `unconfirmed/${id}/${unconfirmedAt?.toISOString() ?? ''}` }
    await recordContactEvent(
      tx,
      { contactId, ...doubt, enrolmentId, messageId: id, occurredAt: unconfirmedAt ?? told.now },
      told,
    )
    await tx`
      update messages set status = 'planned', claim = null, claimed_at = null, batch_id = null, position = null,
        unconfirmed_at = null, look_up = null, reason = null
      where id = ${id}`
    await giveBackCounts(tx, [message])
  }
  const recorded = await recordContactEvent(
    tx,
    {
      contactId,
      type: 'message.resolved',
      data: { as, actor },
      // Sent again, it may come to be unconfirmed again.
      sourceKey: `resolve/${id}/${unconfirmedAt?.toISOString() ?? ''}`,
      enrolmentId,
      messageId: id,
      occurredAt: told.now,
    },
    told,
  )
  const journeys = await tx<Journey[]>`
    select organisation_id, sequence_id, cohort_id, seat from enrolments where id = ${enrolmentId}`
  const woken = await wakeJourneys(tx, journeys, told)
  return { is: 'resolved', workflowIds: [...new Set([...recorded.workflowIds, ...woken])] }
}

interface Unconfirmed {
  status: MessageStatus
  unconfirmedAt: Date | null
  countedAt: Date | null
  enrolmentId: string | null
  journey: EnrolmentStatus | null
}
