import type { ConsentState } from '../workflows/contracts/contacts.ts'
import type { Channel, Purpose } from '../workflows/contracts/sending.ts'
import type { Tx } from './client.ts'
import { recordContactEvent } from './contact-events.ts'
import { lockPersons } from './person-locks.ts'

export interface NewConsent {
  contactId: string
  channel: Channel
  purpose: Purpose
  state: ConsentState
  /** The very words that were agreed to, and their version; null for what was taken back without any. */
  text: string | null
  textVersion: string | null
  /** Where it was said: a form, a call, a list that was taken over. */
  source: string
  givenAt: Date
  actor: string
}

export interface Consent extends NewConsent {
  id: string
  createdAt: Date
}

/** What counts now of a channel and purpose, and since when. */
export type CurrentConsent = Pick<Consent, 'id' | 'channel' | 'purpose' | 'state' | 'givenAt'>

/**
 * Adds what a person agreed to or took back, and records it as a fact about them. A consent to e-mail that is withdrawn, unless a later one was
 * told of before, ends the journeys of its purpose as an opt-out does. Takes the person's turn: whatever is claimed after this transaction's
 * commit has seen it. `workflowIds`: whom to hand over after the commit.
 */
export async function recordConsent(
  tx: Tx,
  consent: NewConsent,
  told: { requestId: string; now: Date },
): Promise<{ consent: Consent; workflowIds: string[] }> {
  const { contactId, channel, purpose, state, text, textVersion, source, givenAt, actor } = consent
  await lockPersons(tx, { contactIds: [contactId] })
  const [row] = await tx<Consent[]>`
    insert into consents (contact_id, channel, purpose, state, text, text_version, source, given_at, actor, created_at)
    values (${contactId}, ${channel}, ${purpose}, ${state}, ${text}, ${textVersion}, ${source}, ${givenAt}, ${actor}, ${told.now})
    returning ${columns(tx)}`
  if (!row) throw new Error('insert returned no row')
  const event = {
    contactId,
    type: `consent.${state}`,
    data: { consentId: row.id, channel, purpose, source },
    sourceKey: `consent/${row.id}`,
    occurredAt: givenAt,
  }
  const counts = (await currentConsents(tx, contactId)).some(({ id }) => id === row.id)
  const isOptOut = state === 'withdrawn' && channel === 'email' && counts
  const { workflowIds } = await recordContactEvent(tx, event, {
    ...told,
    ...(isOptOut && { ends: { reason: 'opt_out', purpose } }),
  })
  return { consent: row, workflowIds }
}

/** In the order in which they were recorded, the newest first. */
export function listConsents(
  tx: Tx,
  contactId: string,
  page: { limit: number; before: string | null },
): Promise<Consent[]> {
  return tx<Consent[]>`
    select ${columns(tx)} from consents
    where contact_id = ${contactId} and ${page.before === null ? tx`true` : tx`id < ${page.before}`}
    order by id desc limit ${page.limit}`
}

/** The newest of each channel and purpose by when it was given; what was never asked for is not there. */
export function currentConsents(tx: Tx, contactId: string): Promise<CurrentConsent[]> {
  return tx<CurrentConsent[]>`
    select distinct on (channel, purpose) id, channel, purpose, state, given_at from consents
    where contact_id = ${contactId} order by channel, purpose, given_at desc, id desc`
}

const columns = (tx: Tx) =>
  tx`id, contact_id, channel, purpose, state, text, text_version, source, given_at, actor, created_at`
