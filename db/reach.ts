import type { Purpose } from '../workflows/contracts/sending.ts'
import type { Tx } from './client.ts'

/** What decides, besides the address and the time, whether an e-mail reaches somebody. A preview reads it as a turn does. */
export interface Reach {
  /** The purposes for which the address is suppressed; 'all' for every one. */
  suppressedFor: (Purpose | 'all')[]
  /** The newest word on marketing e-mail. */
  consent: 'granted' | 'withdrawn' | null
  /** When the last marketing message to them went, or may have gone. */
  lastSentAt: Date | null
}

/** The columns of `Reach` for each row of `contacts`. `exceptBatchId`: the messages of that call are not counted as sent. */
export const reachColumns = (tx: Tx, exceptBatchId: string | null) => tx`
  array(
    select coalesce(purpose, 'all') from suppressions
    where suppressions.organisation_id = contacts.organisation_id and channel = 'email' and address_hash = contacts.email_hash
      and lifted_at is null
  ) as suppressed_for,
  (
    select state from consents where contact_id = contacts.id and channel = 'email' and purpose = 'marketing'
    order by given_at desc, id desc limit 1
  ) as consent,
  (
    select claimed_at from messages
    where messages.contact_id = contacts.id and claimed_at is not null and purpose = 'marketing'
      and messages.status in ('sending', 'unconfirmed', 'sent')
      and ${exceptBatchId === null ? tx`true` : tx`batch_id is distinct from ${exceptBatchId}`}
    order by claimed_at desc limit 1
  ) as last_sent_at`

/** Whether nothing of this purpose is sent to them. */
export function isSuppressed({ suppressedFor }: Pick<Reach, 'suppressedFor'>, purpose: Purpose): boolean {
  return suppressedFor.includes('all') || suppressedFor.includes(purpose)
}
