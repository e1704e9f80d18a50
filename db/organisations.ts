import type { Sql } from './client.ts'

export interface Organisation {
  id: string
  name: string
  /** ISO 3166-1 alpha-2. */
  country: string
}

/** As the system login: an organisation belongs to no request before it exists. Throws when the country is no ISO code. */
export async function createOrganisation(system: Sql, name: string, country: string): Promise<Organisation> {
  const [row] = await system<Organisation[]>`
    insert into organisations (name, country) values (${name}, ${country}) returning id, name, country`
  if (!row) throw new Error('insert returned no row')
  return row
}

/** The organisation of this transaction. */
export async function currentOrganisation(tx: Sql): Promise<Organisation> {
  const [row] = await tx<Organisation[]>`select id, name, country from organisations where id = current_organisation()`
  if (!row) throw new Error('the transaction has no organisation')
  return row
}
