import { expect, test } from 'vitest'
import { testOrganisation } from '../support/organisation.ts'

const { database, organisationId } = await testOrganisation()

test('a table that was just filled and never analysed is read by its keys, not through all rows of the organisation', async () => {
  const plan = await database.as(organisationId, async (tx) => {
    const contacts = await tx<{ id: string }[]>`
      insert into contacts (external_id) select 'planned-' || number from generate_series(1, 2000) as number returning id`
    const some = contacts.slice(0, 100).map(({ id }) => id)
    return tx<{ queryPlan: string }[]>`explain select email from contacts where id = any(${some})`
  })
  const text = plan.map((line) => Object.values(line).join('')).join('\n')
  expect(text).toContain('contacts_pkey')
})
