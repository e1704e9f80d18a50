import { expect, test } from 'vitest'
import { platformOrganisationId } from '../../db/organisations.ts'
import { planOfPrices } from '../../db/plan-of-price.ts'
import { lockCatalogue, savePlan } from '../../db/plans.ts'
import { Plan } from '../../workflows/contracts/plans.schema.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, system, organisationId } = await testOrganisation()
const platform = await platformOrganisationId(system)

const save = (setting: string) =>
  database.as(platform, async (tx) => {
    await lockCatalogue(tx)
    const prices = [{ key: 'monthly', amount: 500, currency: 'EUR', every: 'P1M' as const, setting }]
    const definition = Plan.parse({ key: 'care', name: 'Care', kind: 'subscription', family: 'care', rank: 1, prices })
    await savePlan(tx, { definition, actor: 'key:1', now: new Date('2026-01-05T12:00:00Z') })
  })

test('a price that only an earlier version of its plan had still stands for the plan, for everybody', async () => {
  await save('STRIPE_PRICE_CARE')
  await save('STRIPE_PRICE_CARE_DEARER')
  const prices = {
    STRIPE_PRICE_CARE: 'price_old',
    STRIPE_PRICE_CARE_DEARER: 'price_new',
    STRIPE_PRICE_SCOUT: 'price_scout',
    STRIPE_PRICE_OF_NO_PLAN: 'price_nobody',
  }
  const plans = await database.as(organisationId, (tx) => planOfPrices(tx, prices))
  expect([...plans]).toEqual([
    ['price_old', { planKey: 'care' }],
    ['price_new', { planKey: 'care' }],
    ['price_scout', { planKey: 'scout' }],
  ])
})
