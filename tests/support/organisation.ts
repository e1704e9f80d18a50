import type postgres from 'postgres'
import { afterAll } from 'vitest'
import { connectDatabase, connectSystem, type Database } from '../../db/client.ts'
import { createOrganisation } from '../../db/organisations.ts'
import { type FreshDatabase, freshDatabase } from './fresh-database.ts'

export interface TestOrganisation {
  fresh: FreshDatabase
  database: Database
  system: postgres.Sql
  organisationId: string
}

/** A database of this test file's own with one organisation in it. Call it at the top of the file; it ends with the file. */
export async function testOrganisation(): Promise<TestOrganisation> {
  const fresh = await freshDatabase()
  const database = connectDatabase(fresh.appUrl, { name: 'test', poolSize: 20 })
  const system = connectSystem(fresh.systemUrl, { name: 'test' })
  afterAll(async () => {
    await Promise.all([database.close(), system.end()])
    await fresh.drop()
  })
  const { id } = await createOrganisation(system, 'Test organisation', 'US')
  return { fresh, database, system, organisationId: id }
}
