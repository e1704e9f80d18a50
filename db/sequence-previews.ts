import type { Purpose, SendingPolicy } from '../workflows/contracts/sending.ts'
import { addressHash } from './addresses.ts'
import type { Tx } from './client.ts'
import { wholePolicy } from './policies.ts'

/** What the organisation says of times. */
export interface PreviewGround {
  policy: SendingPolicy
  /** As IANA names it. */
  timeZone: string
}

export async function previewGround(tx: Tx): Promise<PreviewGround> {
  const [row] = await tx<{ policy: Partial<SendingPolicy> | null; timeZone: string }[]>`
    select policy, time_zone from organisations left join policies on policies.organisation_id = organisations.id
    where organisations.id = current_organisation()`
  if (!row) throw new Error('the transaction has no organisation')
  return { ...row, policy: wholePolicy(row.policy) }
}

/** Somebody as the plan of their journey is made of. */
export interface PreviewedPerson {
  externalId: string | null
  email: string | null
  phone: string | null
  country: string | null
  timeZone: string | null
  language: string | null
  properties: Record<string, unknown>
}

/** What decides whether messages reach them. */
export interface PreviewedReach {
  isSuppressed: boolean
  consent: 'granted' | 'withdrawn' | null
  lastSentAt: Date | null
}

/** A contact as a message of this purpose would meet it now. Null when there is none. */
export async function previewedContact(
  tx: Tx,
  contactId: string,
  purpose: Purpose,
): Promise<(PreviewedPerson & PreviewedReach) | null> {
  const [row] = await tx<(PreviewedPerson & PreviewedReach)[]>`
    select external_id, email, phone, country, time_zone, language, properties,
      exists (
        select from suppressions where channel = 'email' and address_hash = email_hash and lifted_at is null
          and (purpose is null or purpose = ${purpose})
      ) as is_suppressed,
      (
        select state from consents where contact_id = contacts.id and channel = 'email' and purpose = ${purpose}
        order by given_at desc, id desc limit 1
      ) as consent,
      (
        select claimed_at from messages
        where contact_id = contacts.id and purpose = 'marketing' and claimed_at is not null
          and status in ('sending', 'unconfirmed', 'sent')
        order by claimed_at desc limit 1
      ) as last_sent_at
    from contacts where id = ${contactId} and erased_at is null`
  return row ?? null
}

/** The same of somebody who is no contact: only of their address something may be known. */
export async function previewedStranger(
  tx: Tx,
  organisationId: string,
  email: string | null,
  purpose: Purpose,
): Promise<PreviewedReach> {
  const hash = email === null ? null : addressHash(organisationId, 'email', email)
  const [row] = await tx<{ isSuppressed: boolean }[]>`
    select exists (
      select from suppressions where channel = 'email' and address_hash = ${hash} and lifted_at is null
        and (purpose is null or purpose = ${purpose})
    ) as is_suppressed`
  return { isSuppressed: row?.isSuppressed ?? false, consent: null, lastSentAt: null }
}
