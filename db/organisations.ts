import type { Sql } from './client.ts'

export interface Organisation {
  id: string
  name: string
  /** ISO 3166-1 alpha-2. */
  country: string
  /** How many searches it may pay for in a month (UTC); null: as many as the provider gives. */
  monthlySearches: number | null
  /** As IANA names it. */
  timeZone: string
}

/** As the system login: an organisation belongs to no request before it exists. Throws when the country is no ISO code. */
export async function createOrganisation(system: Sql, name: string, country: string): Promise<Organisation> {
  const [row] = await system<Organisation[]>`
    insert into organisations (name, country) values (${name}, ${country})
    returning id, name, country, time_zone, monthly_searches`
  if (!row) throw new Error('insert returned no row')
  return row
}

export async function organisationExists(system: Sql, id: string): Promise<boolean> {
  const [row] = await system`select 1 from organisations where id = ${id}`
  return row !== undefined
}

/** The organisation of this transaction. */
export async function currentOrganisation(tx: Sql): Promise<Organisation> {
  const [row] = await tx<Organisation[]>`
    select id, name, country, time_zone, monthly_searches from organisations where id = current_organisation()`
  if (!row) throw new Error('the transaction has no organisation')
  return row
}

/** Whether there is an organisation of this transaction's id. */
export async function organisationIsThere(tx: Sql): Promise<boolean> {
  const [row] = await tx`select 1 from organisations where id = current_organisation()`
  return row !== undefined
}

/** Sets how many searches an organisation may pay for in a month; false when there is no such organisation. */
export async function allowSearches(system: Sql, organisationId: string, monthly: number | null): Promise<boolean> {
  const [row] = await system`
    update organisations set monthly_searches = ${monthly} where id = ${organisationId} returning 1`
  return row !== undefined
}

/** The organisation that runs Throughline itself: the catalogue is its, and it writes the notices to all others. The first migration made it. */
export async function platformOrganisationId(system: Sql): Promise<string> {
  const [row] = await system<{ id: string }[]>`select id from organisations where is_platform`
  if (!row) throw new Error('there is no organisation of the platform')
  return row.id
}

/** Whether the organisation of this transaction is the platform's. */
export async function isPlatform(tx: Sql): Promise<boolean> {
  const [row] = await tx<{ isPlatform: boolean }[]>`
    select is_platform from organisations where id = current_organisation()`
  return row?.isPlatform ?? false
}
