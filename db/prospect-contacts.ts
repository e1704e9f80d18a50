import { addressHash, contactAddressHash } from './addresses.ts'
import type { Tx } from './client.ts'
import { lockContactLists } from './contacts.ts'
import { PlanRefused, takeContactRoom } from './entitlements.ts'

/** A business as somebody to write to. */
export interface ProspectPerson {
  prospectId: string
  email: string
  /** E.164. */
  phone: string | null
  name: string | null
  website: string | null
  score: number
}

interface Saving {
  organisationId: string
  /** ISO 3166-1 alpha-2. */
  country: string
  now: Date
}

/**
 * Makes each prospect a contact and returns the contacts' ids by theirs; an erased one has none. Whoever is a contact already, by an earlier
 * campaign or by the same e-mail address, stays as they are known: what is added is the name, website and score, of which only the score takes
 * the place of what was there. Throws PlanRefused where the organisation's plans have no room for all of them.
 */
export async function contactsOfProspects(
  tx: Tx,
  people: readonly ProspectPerson[],
  saving: Saving,
): Promise<Map<string, string>> {
  if (people.length === 0) return new Map()
  await lockContactLists(tx)
  const lines = linesOf(tx, people, saving)
  await tx`
    update contacts set prospect_id = line.prospect_id
    from ${lines}
    where not exists (select from contacts as made where made.prospect_id = line.prospect_id)
      and contacts.id = (
        select own.id from contacts as own
        where own.email_hash = decode(line.email_hash, 'hex') and own.prospect_id is null and own.erased_at is null
        order by own.id limit 1)`
  const [fresh] = await tx<{ people: number }[]>`
    select count(*)::int as people from ${lines}
    where not exists (select from contacts where contacts.prospect_id = line.prospect_id)`
  const { refusal } = await takeContactRoom(tx, fresh?.people ?? 0, saving.now)
  if (refusal !== null) throw new PlanRefused(refusal)
  const rows = await tx<{ id: string; prospectId: string }[]>`
    insert into contacts (prospect_id, email, email_hash, phone, phone_hash, country, properties, created_at, updated_at)
    select prospect_id, email, decode(email_hash, 'hex'), phone, decode(phone_hash, 'hex'), ${saving.country}, properties,
      ${saving.now}, ${saving.now}
    from ${lines} order by prospect_id
    on conflict (organisation_id, prospect_id) do update
      set properties = excluded.properties || contacts.properties || jsonb_build_object('score', excluded.properties -> 'score'),
        updated_at = ${saving.now}
      where contacts.erased_at is null
    returning id, prospect_id`
  return new Map(rows.map(({ id, prospectId }) => [prospectId, id]))
}

/**
 * Of these contacts those whose e-mail address somebody else has who is, or was, on their way through the sequence; of several that
 * have one address, all but the first.
 */
export async function sharingAnAddress(
  tx: Tx,
  sequenceId: string,
  contactIds: readonly string[],
): Promise<Map<string, { isUnderWay: boolean }>> {
  const rows = await tx<{ id: string; place: number; isUnderWay: boolean | null }[]>`
    select contacts.id, row_number() over (partition by email_hash order by contacts.id)::int as place, theirs.is_under_way
    from contacts left join lateral (
      select bool_or(status in ('active', 'paused', 'held')) as is_under_way
      from contacts as other join enrolments on enrolments.contact_id = other.id
      where other.email_hash = contacts.email_hash and other.id <> contacts.id and sequence_id = ${sequenceId}
    ) as theirs on true
    where contacts.id = any(${[...contactIds]}::uuid[]) and email_hash is not null`
  return new Map(
    rows
      .filter(({ place, isUnderWay }) => place > 1 || isUnderWay !== null)
      .map(({ id, place, isUnderWay }) => [id, { isUnderWay: place > 1 || isUnderWay === true }]),
  )
}

function linesOf(tx: Tx, people: readonly ProspectPerson[], { organisationId }: Saving) {
  const rows = people.map(({ prospectId, email, phone, name, website, score }) => ({
    prospect_id: prospectId,
    email,
    email_hash: addressHash(organisationId, 'email', email).toString('hex'),
    phone,
    phone_hash: phone === null ? null : contactAddressHash(organisationId, 'sms', phone).toString('hex'),
    properties: { ...(name !== null && { name }), ...(website !== null && { website }), score },
  }))
  return tx`jsonb_to_recordset(${tx.json(rows)})
    as line(prospect_id uuid, email text, email_hash text, phone text, phone_hash text, properties jsonb)`
}
