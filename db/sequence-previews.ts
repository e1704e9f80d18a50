import type { SendingPolicy } from '../workflows/contracts/sending.ts'
import { addressHash } from './addresses.ts'
import type { Tx } from './client.ts'
import { wholePolicy } from './policies.ts'
import { type Reach, reachColumns } from './reach.ts'

/** What the organisation says of times. */
export interface PreviewGround {
  policy: SendingPolicy
  isPaused: boolean
  /** ISO 3166-1 alpha-2. */
  country: string
  /** As IANA names it. */
  timeZone: string
}

export async function previewGround(tx: Tx): Promise<PreviewGround> {
  const [row] = await tx<(Omit<PreviewGround, 'policy'> & { policy: Partial<SendingPolicy> | null })[]>`
    select policy, paused_at is not null as is_paused, country, time_zone from organisations left join policies on policies.organisation_id = organisations.id
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

/** A contact as a message would meet it now. Null when there is none. */
export async function previewedContact(tx: Tx, contactId: string): Promise<(PreviewedPerson & Reach) | null> {
  const [row] = await tx<(PreviewedPerson & Reach)[]>`
    select external_id, email, phone, country, time_zone, language, properties, ${reachColumns(tx, null)}
    from contacts where id = ${contactId} and erased_at is null`
  return row ?? null
}

/** The same of somebody who is no contact: only of their address something may be known. */
export async function previewedStranger(tx: Tx, organisationId: string, email: string | null): Promise<Reach> {
  const hash = email === null ? null : addressHash(organisationId, 'email', email)
  const [row] = await tx<Reach[]>`
    select ${reachColumns(tx, null)}
    from (select null::uuid as id, ${organisationId}::uuid as organisation_id, ${hash}::bytea as email_hash) as contacts`
  if (!row) throw new Error('a select without a table returned no row')
  return row
}
