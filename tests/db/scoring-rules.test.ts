import { expect, test } from 'vitest'
import { createOrganisation } from '../../db/organisations.ts'
import { currentScoringRules, saveScoringRules } from '../../db/scoring-rules.ts'
import { builtInRules, type ScoringRule } from '../../workflows/contracts/scoring-rules.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, system } = await testOrganisation()
const now = new Date('2026-01-05T12:00:00Z')

const newOrganisation = async () => (await createOrganisation(system, 'Test', 'US')).id
const rule = (points: number): ScoringRule => ({ reason: 'x', points, when: [{ field: 'https', is: false }] })
const current = (owner: string) => database.as(owner, currentScoringRules)
const save = (owner: string, ...rules: ScoringRule[]) =>
  database.as(owner, (tx) => saveScoringRules(tx, { rules, actor: 'key:1', now }))

test('until an organisation saves rules of its own, it scores by those that come with the code', async () => {
  const owner = await newOrganisation()
  expect(await current(owner)).toEqual({ version: 0, rules: builtInRules, actor: null, createdAt: null })
})

test('what is saved last is current, and what was saved before stays as it was', async () => {
  const owner = await newOrganisation()
  expect(await save(owner, rule(1))).toMatchObject({ version: 1 })
  expect(await save(owner, rule(2))).toEqual({ version: 2, rules: [rule(2)], actor: 'key:1', createdAt: now })
  expect(await current(owner)).toMatchObject({ version: 2, rules: [rule(2)] })
  const first = await database.as(owner, (tx) => tx`select rules from scoring_rules where version = 1`)
  expect(first).toEqual([{ rules: [rule(1)] }])
  const change = database.as(owner, (tx) => tx`update scoring_rules set rules = '[]'`)
  await expect(change).rejects.toMatchObject({ code: '42501' })
})

test('twenty saved at once take twenty versions without a gap', async () => {
  const owner = await newOrganisation()
  const saved = await Promise.all(Array.from({ length: 20 }, (_, points) => save(owner, rule(points))))
  expect(saved.map(({ version }) => version).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1))
})

test('each organisation has its own rules and versions', async () => {
  const ours = await newOrganisation()
  const theirs = await newOrganisation()
  await save(theirs, rule(1))
  expect(await current(ours)).toMatchObject({ version: 0 })
  expect(await save(ours, rule(2))).toMatchObject({ version: 1 })
})
