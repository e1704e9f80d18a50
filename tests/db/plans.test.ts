import postgres from 'postgres'
import { expect, test } from 'vitest'
import { migrate } from '../../db/migrate.ts'
import { platformOrganisationId } from '../../db/organisations.ts'
import { findPlan, findPlanVersion, listPlans, lockCatalogue, retirePlan, savePlan } from '../../db/plans.ts'
import { seededPlans } from '../../db/seeded-plans.ts'
import { Plan } from '../../workflows/contracts/plans.schema.ts'
import type { Plan as Definition } from '../../workflows/contracts/plans.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, system, fresh, organisationId: ordinary } = await testOrganisation()
const platform = await platformOrganisationId(system)
const now = new Date('2026-01-05T12:00:00Z')

const plan = (key: string, changes: Partial<Definition> = {}) =>
  Plan.parse({
    key,
    name: key,
    kind: 'one_time',
    family: key,
    rank: 1,
    prices: [{ key: 'once', amount: 500, currency: 'EUR', every: null, setting: settingOf(key) }],
    ...changes,
  })
const settingOf = (key: string) => `STRIPE_PRICE_${key.toUpperCase()}`
const save = (definition: Definition, owner = platform) =>
  database.as(owner, async (tx) => {
    await lockCatalogue(tx)
    return savePlan(tx, { definition, actor: 'key:1', now })
  })
const find = (key: string) => database.as(ordinary, (tx) => findPlan(tx, key))

test('a fresh database has the three families for everybody, and credits that can be bought', async () => {
  const all = await database.as(ordinary, (tx) => listPlans(tx, { family: null, withRetired: false }))
  expect(all.map(({ definition: { family, key } }) => `${family}/${key}`)).toEqual([
    'call-credits/calls-60',
    'call-credits/calls-300',
    'call-credits/calls-1200',
    'prospecting/scout',
    'prospecting/hunter',
    'prospecting/command',
    'suite/starter',
    'suite/professional',
    'suite/enterprise',
  ])
  const amounts = (await database.as(ordinary, (tx) => listPlans(tx, { family: 'prospecting', withRetired: false })))
    .flatMap(({ definition }) => definition.prices)
    .map(({ amount, currency, every }) => [amount, currency, every])
  expect(amounts).toEqual([9900, 14900, 24900, 49900].map((amount) => [amount, 'USD', 'P1M']))
  const pack = all[0]
  expect(pack).toMatchObject({ version: 1, actor: 'system', definition: { kind: 'credit_pack' } })
  expect(pack?.definition.credits).toEqual([{ type: 'call_seconds', amount: 3600, rollsOver: 0 }])
})

test('what is saved last is bought, what was saved before stays as it was and cannot be changed', async () => {
  expect(await save(plan('first'))).toMatchObject({ version: 1, newest: 1 })
  expect(await save(plan('first', { name: 'Renamed' }))).toMatchObject({ version: 2, actor: 'key:1', createdAt: now })
  expect(await find('first')).toMatchObject({ version: 2, definition: plan('first', { name: 'Renamed' }) })
  const before = await database.as(ordinary, (tx) => findPlanVersion(tx, 'first', 1))
  expect(before).toMatchObject({ version: 1, newest: 2, definition: plan('first') })
  const change = database.as(platform, (tx) => tx`update plan_versions set definition = '{}'`)
  await expect(change).rejects.toMatchObject({ code: '42501' })
  const removal = database.as(platform, (tx) => tx`delete from plans where key = 'first'`)
  await expect(removal).rejects.toMatchObject({ code: '42501' })
})

test('everybody reads the catalogue, and the platform alone writes it', async () => {
  await save(plan('guarded'))
  for (const definition of [plan('own'), plan('guarded', { name: 'Taken over' })]) {
    await expect(save(definition, ordinary)).rejects.toMatchObject({ code: '42501' })
  }
  const version = database.as(
    ordinary,
    (tx) => tx`
      insert into plan_versions (plan_key, version, definition, actor, created_at)
      values ('guarded', 2, '{}', 'key:2', ${now})`,
  )
  await expect(version).rejects.toMatchObject({ code: '42501' })
  await database.as(ordinary, (tx) => retirePlan(tx, 'guarded', now))
  expect(await find('guarded')).toMatchObject({ version: 1, retiredAt: null })
  expect(await find('own')).toBeNull()
})

test('twenty versions saved at once are twenty versions', async () => {
  const saved = await Promise.all(Array.from({ length: 20 }, (_, rank) => save(plan('busy', { rank }))))
  expect(saved.map(({ version }) => version).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1))
})

test('a setting stays with the plan that named it once, also when its price is gone', async () => {
  await save(plan('moved'))
  await save(plan('moved', { prices: plan('moving').prices }))
  const places = await database.as(platform, lockCatalogue)
  expect(places.find(({ key }) => key === 'moved')?.settings.toSorted()).toEqual([
    settingOf('moved'),
    settingOf('moving'),
  ])
})

test('a migration leaves a catalogue as it is in which there is anything, and fills an empty one once', async () => {
  await save(plan('kept'))
  await save(plan('kept', { name: 'Ours' }))
  await database.as(platform, (tx) => retirePlan(tx, 'scout', now))
  const catalogue = () => database.as(ordinary, (tx) => listPlans(tx, { family: null, withRetired: true }))
  const before = await catalogue()
  await migrate(fresh)
  expect(await catalogue()).toEqual(before)

  const owner = postgres(fresh.ownerUrl, { max: 1 })
  await owner`truncate plans, plan_versions`
  await owner.end()
  await Promise.all([migrate(fresh), migrate(fresh)])
  const seeded = (await catalogue()).map(({ version, definition }) => ({ version, definition }))
  expect(seeded).toHaveLength(seededPlans().length)
  for (const definition of seededPlans()) expect(seeded).toContainEqual({ version: 1, definition })
})
