import postgres from 'postgres'
import { beforeAll, expect, test } from 'vitest'
import { createOrganisation } from '../../db/organisations.ts'
import { testOrganisation } from '../support/organisation.ts'

const { fresh, database, system, organisationId: ours } = await testOrganisation()
const theirs = (await createOrganisation(system, 'Theirs', 'GB')).id

beforeAll(async () => {
  await database.as(theirs, (tx) => tx`insert into prospects (name) values ('Their prospect')`)
  await database.as(ours, (tx) => tx`insert into prospects (name) values ('Our prospect')`)
})

test('the catalogue has no table of an organisation without forced row-level security and its policy', async () => {
  const owner = postgres(fresh.ownerUrl, { max: 1 })
  const tables = await owner<{ name: string; forced: boolean; policies: string[]; hasOrganisation: boolean }[]>`
    select relname as name, relrowsecurity and relforcerowsecurity as forced,
      exists (select from pg_attribute where attrelid = pg_class.oid and attname = 'organisation_id' and attnotnull)
        as "hasOrganisation",
      array(select polname::text from pg_policy where polrelid = pg_class.oid order by polname) as policies
    from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')`
  await owner.end()
  const withoutOrganisation = tables.filter((table) => !table.hasOrganisation).map(({ name }) => name)
  expect(withoutOrganisation.sort()).toEqual(['inbound_events', 'organisations', 'schema_migrations'])
  const open = tables.filter((table) => table.name !== 'schema_migrations')
  expect(open.filter((table) => !table.forced || !table.policies.includes('organisation_rows'))).toEqual([])
})

test('a query without a filter sees nothing foreign', async () => {
  const rows = await database.as(ours, (tx) => tx<{ name: string }[]>`select name from prospects`)
  expect(rows.map(({ name }) => name)).toEqual(['Our prospect'])
  const organisations = await database.as(ours, (tx) => tx<{ id: string }[]>`select id from organisations`)
  expect(organisations.map(({ id }) => id)).toEqual([ours])
})

test('a row cannot be written for another organisation', async () => {
  const attempt = database.as(ours, (tx) => tx`insert into prospects (organisation_id, name) values (${theirs}, 'x')`)
  await expect(attempt).rejects.toMatchObject({ code: '42501' })
  const moved = database.as(ours, (tx) => tx`update prospects set organisation_id = ${theirs}`)
  await expect(moved).rejects.toMatchObject({ code: '42501' })
})

test('without an organisation nothing is seen, and a transaction leaves none behind for the next', async () => {
  const app = postgres(fresh.appUrl, { max: 1 })
  expect(await app`select * from prospects`).toHaveLength(0)
  await app.begin(async (tx) => {
    await tx`select set_config('app.organisation_id', ${ours}, true)`
    expect(await tx`select * from prospects`).toHaveLength(1)
  })
  expect(await app`select * from prospects`).toHaveLength(0)
  await app.end()
})

test('the owner of the tables sees no rows, and no login passes row-level security by', async () => {
  const owner = postgres(fresh.ownerUrl, { max: 1 })
  expect(await owner`select * from prospects`).toHaveLength(0)
  const privileged = await owner`
    select rolname from pg_roles where rolname like 'throughline_%' and (rolbypassrls or rolsuper)`
  expect(privileged).toHaveLength(0)
  await owner.end()
})

test('the ledger is append-only for those who write it', async () => {
  const edit = database.as(ours, (tx) => tx`update spend set units = 2`)
  await expect(edit).rejects.toMatchObject({ code: '42501' })
  const removal = database.as(ours, (tx) => tx`delete from spend`)
  await expect(removal).rejects.toMatchObject({ code: '42501' })
})
