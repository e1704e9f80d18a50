import { type ContactProperties, mostProperties, mostPropertyBytes } from '../workflows/contracts/contacts.ts'
import type { PlanRefusal } from '../workflows/contracts/entitlements.ts'
import { addressHash, contactAddressHash } from './addresses.ts'
import type { Tx } from './client.ts'
import { giveBackContactRoom, takeContactRoom } from './entitlements.ts'

export interface Contact {
  id: string
  /** By what the organisation's own systems know the person. */
  externalId: string | null
  email: string | null
  /** E.164. */
  phone: string | null
  /** ISO 3166-1 alpha-2. */
  country: string | null
  /** As IANA names it. */
  timeZone: string | null
  /** BCP 47. */
  language: string | null
  properties: ContactProperties
  /** The business that a campaign found and this contact was made of. */
  prospectId: string | null
  createdAt: Date
  updatedAt: Date
}

/** What is not given stays as it is, null clears. Properties are merged name by name. */
export interface ContactChange {
  externalId?: string | undefined
  email?: string | null | undefined
  phone?: string | null | undefined
  country?: string | null | undefined
  timeZone?: string | null | undefined
  language?: string | null | undefined
  properties?: Record<string, string | number | boolean | null> | null | undefined
}

/** `too_many_properties`: with those already known they are more than a contact may have; nothing of the change was saved. */
export type SavedContact =
  | { outcome: 'saved'; contact: Contact; isNew: boolean }
  | { outcome: 'refused'; because: 'too_many_properties' }

/** A new contact for which the organisation's plans have no room; nothing of it was saved. */
interface ContactWithoutRoom {
  outcome: 'no_room'
  refusal: PlanRefusal
}

/** A change names an externalId that another contact has. */
export class ExternalIdTaken extends Error {
  override name = 'ExternalIdTaken'
}

interface Saving {
  organisationId: string
  now: Date
}

/**
 * Saves contacts and returns what became of each, in their order: who is known by the externalId is changed, everybody else is new. Give each
 * externalId once. Whoever saves the same one at the same moment waits, and then changes what this has made. Where the plans have no room for all
 * new ones, the first have it.
 */
export async function saveContacts(
  tx: Tx,
  changes: readonly ContactChange[],
  saving: Saving,
): Promise<(SavedContact | ContactWithoutRoom)[]> {
  // Many at once wait for many others: one such list after the other. Whoever saves a single one waits for one, and holds up nobody.
  if (changes.length > 1) await lockContactLists(tx)
  const saved = new Map<number, SavedContact | ContactWithoutRoom>()
  let open = [...changes.entries()]
  // Who is made by somebody else between our look and our insert is there at the next look.
  while (open.length > 0) {
    const known = await lockByExternalId(
      tx,
      open.flatMap(([, { externalId }]) => externalId ?? []),
    )
    const ids = await newIds(tx, open.length)
    const rows = open.map(([index, change], place) => {
      const before = known.get(change.externalId ?? '')
      const contact = changed(before ?? blank(ids[place] ?? '', saving.now), change, saving.now)
      return { index, change, contact, isNew: before === undefined }
    })
    const fitting = rows.filter(({ contact }) => hasFewEnoughProperties(contact))
    await update(
      tx,
      fitting.filter(({ isNew }) => !isNew).map(({ contact }) => contact),
      saving.organisationId,
    )
    const fresh = fitting.filter(({ isNew }) => isNew)
    const { taken, refusal } = await takeContactRoom(tx, fresh.length, saving.now)
    const inserted = await insert(
      tx,
      fresh.slice(0, taken).map(({ contact }) => contact),
      saving.organisationId,
    )
    await giveBackContactRoom(tx, taken - inserted.size, saving.now)
    if (refusal) for (const { index } of fresh.slice(taken)) saved.set(index, { outcome: 'no_room', refusal })
    for (const { index, contact, isNew } of rows) {
      if (!hasFewEnoughProperties(contact)) saved.set(index, { outcome: 'refused', because: 'too_many_properties' })
      else if (!isNew || inserted.has(contact.id)) saved.set(index, { outcome: 'saved', contact, isNew })
    }
    open = open.filter(([index]) => !saved.has(index))
  }
  return changes.flatMap((_, index) => saved.get(index) ?? [])
}

/** Changes one by its id; null when there is none. Throws ExternalIdTaken, after which the transaction cannot go on. */
export async function changeContact(
  tx: Tx,
  id: string,
  change: ContactChange,
  saving: Saving,
): Promise<SavedContact | null> {
  // It then waits for whoever inserts the same externalId: as lists do, one after the other.
  if (change.externalId !== undefined) await lockContactLists(tx)
  const [before] = await tx<Contact[]>`select ${columns(tx)} from contacts where id = ${id} for no key update`
  if (!before) return null
  const contact = changed(before, change, saving.now)
  if (!hasFewEnoughProperties(contact)) return { outcome: 'refused', because: 'too_many_properties' }
  try {
    await update(tx, [contact], saving.organisationId)
  } catch (error) {
    if (isExternalIdTaken(error)) throw new ExternalIdTaken('another contact has this externalId', { cause: error })
    throw error
  }
  return { outcome: 'saved', contact, isNew: false }
}

export async function findContact(tx: Tx, id: string): Promise<Contact | null> {
  const [row] = await tx<Contact[]>`select ${columns(tx)} from contacts where id = ${id}`
  return row ?? null
}

/** The newest first. Addresses are compared as they are sent to, so an e-mail's case does not matter. */
export function listContacts(
  tx: Tx,
  page: { limit: number; before: string | null },
  filter: {
    organisationId: string
    externalId?: string | undefined
    email?: string | undefined
    phone?: string | undefined
  },
): Promise<Contact[]> {
  const { organisationId, externalId, email, phone } = filter
  const emailHash = email === undefined ? null : addressHash(organisationId, 'email', email)
  const phoneHash = phone === undefined ? null : contactAddressHash(organisationId, 'sms', phone)
  return tx<Contact[]>`
    select ${columns(tx)} from contacts
    where ${page.before === null ? tx`true` : tx`id < ${page.before}`}
      and ${externalId === undefined ? tx`true` : tx`external_id = ${externalId}`}
      and ${emailHash === null ? tx`true` : tx`email_hash = ${emailHash}`}
      and ${phoneHash === null ? tx`true` : tx`phone_hash = ${phoneHash}`}
    order by id desc limit ${page.limit}`
}

const columns = (tx: Tx) =>
  tx`id, external_id, email, phone, country, time_zone, language, properties, prospect_id, created_at, updated_at`

/** Whoever makes or changes many contacts does so after whoever else is at it. */
export async function lockContactLists(tx: Tx): Promise<void> {
  await tx`select pg_advisory_xact_lock(hashtextextended('contacts/' || current_organisation(), 0))`
}

/** Rows rather than turns are locked: a turn takes room in the memory that all of the database's locks share. */
async function lockByExternalId(tx: Tx, externalIds: readonly string[]): Promise<Map<string, Contact>> {
  if (externalIds.length === 0) return new Map()
  const rows = await tx<Contact[]>`
    select ${columns(tx)} from contacts where external_id = any(${[...externalIds]}::text[])
    order by external_id for no key update`
  return new Map(rows.map((row) => [row.externalId ?? '', row]))
}

async function newIds(tx: Tx, count: number): Promise<string[]> {
  const rows = await tx<{ id: string }[]>`select uuidv7() as id from generate_series(1, ${count})`
  return rows.map(({ id }) => id)
}

function blank(id: string, now: Date): Contact {
  const unknown = { externalId: null, email: null, phone: null, country: null, timeZone: null, language: null }
  return { id, ...unknown, properties: {}, prospectId: null, createdAt: now, updatedAt: now }
}

function changed(before: Contact, change: ContactChange, now: Date): Contact {
  const { properties, ...fields } = change
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  return { ...before, ...given, properties: mergedProperties(before.properties, properties), updatedAt: now }
}

function mergedProperties(before: ContactProperties, change: ContactChange['properties']): ContactProperties {
  if (change === undefined) return before
  const merged = new Map<string, string | number | boolean>(change === null ? [] : Object.entries(before))
  for (const [name, value] of Object.entries(change ?? {})) {
    if (value === null) merged.delete(name)
    else merged.set(name, value)
  }
  return Object.fromEntries(merged)
}

function hasFewEnoughProperties({ properties }: Contact): boolean {
  return (
    Object.keys(properties).length <= mostProperties &&
    Buffer.byteLength(JSON.stringify(properties)) <= mostPropertyBytes
  )
}

/** Returns the ids of those that are inserted: whose externalId has meanwhile been taken is not. */
async function insert(tx: Tx, contacts: readonly Contact[], organisationId: string): Promise<Set<string>> {
  if (contacts.length === 0) return new Set()
  const rows = await tx<{ id: string }[]>`
    insert into contacts (id, external_id, email, email_hash, phone, phone_hash, country, time_zone, language, properties, created_at, updated_at)
    select id, external_id, email, decode(email_hash, 'hex'), phone, decode(phone_hash, 'hex'), country, time_zone, language, properties,
      updated_at, updated_at
    from ${lines(tx, contacts, organisationId)}
    on conflict (organisation_id, external_id) do nothing
    returning id`
  return new Set(rows.map(({ id }) => id))
}

async function update(tx: Tx, contacts: readonly Contact[], organisationId: string): Promise<void> {
  if (contacts.length === 0) return
  await tx`
    update contacts set external_id = line.external_id, email = line.email, email_hash = decode(line.email_hash, 'hex'), phone = line.phone,
      phone_hash = decode(line.phone_hash, 'hex'), country = line.country, time_zone = line.time_zone, language = line.language,
      properties = line.properties, updated_at = line.updated_at
    from ${lines(tx, contacts, organisationId)}
    where contacts.id = line.id`
}

function lines(tx: Tx, contacts: readonly Contact[], organisationId: string) {
  const rows = contacts.map(({ email, phone, ...contact }) => ({
    id: contact.id,
    external_id: contact.externalId,
    email,
    email_hash: email === null ? null : addressHash(organisationId, 'email', email).toString('hex'),
    phone,
    phone_hash: phone === null ? null : contactAddressHash(organisationId, 'sms', phone).toString('hex'),
    country: contact.country,
    time_zone: contact.timeZone,
    language: contact.language,
    properties: contact.properties,
    updated_at: contact.updatedAt.toISOString(),
  }))
  return tx`jsonb_to_recordset(${tx.json(rows)}) as line(id uuid, external_id text, email text, email_hash text, phone text, phone_hash text,
    country text, time_zone text, language text, properties jsonb, updated_at timestamptz)`
}

function isExternalIdTaken(error: unknown): boolean {
  return error instanceof Error && 'constraint_name' in error && error.constraint_name === 'contacts_external_id'
}
