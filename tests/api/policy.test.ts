import { expect, test } from 'vitest'
import { currentPolicy } from '../../db/policies.ts'
import { dripSequenceId, lookAgain } from '../../workflows/contracts/drip-sequence.ts'
import { builtInPolicy } from '../../workflows/contracts/sending.ts'
import { testApi } from '../support/api.ts'
import { contactRow, journeyRow } from '../support/people-rows.ts'

const { ask, database, neighbour, system } = await testApi()

const read = async (key: string): Promise<unknown> => (await ask('GET', '/policy', { key })).json()
const change = async (key: string, body: object): Promise<unknown> =>
  (await ask('POST', '/policy', { key, body })).json()

test('the policy is the one that comes with Throughline until something of it is changed; the rest stays', async () => {
  const { key } = await neighbour()
  expect(await read(key)).toEqual({ ...builtInPolicy, pausedAt: null, actor: null, updatedAt: null })
  await change(key, { window: { ...builtInPolicy.window, outside: 'skip' } })
  await change(key, { minGap: 'P1D', consentRequired: ['email'] })
  expect(await read(key)).toMatchObject({
    ...builtInPolicy,
    window: { ...builtInPolicy.window, outside: 'skip' },
    minGap: 'P1D',
    consentRequired: ['email'],
    actor: expect.stringMatching(/^key:/),
  })
})

test('two changes at once both hold', async () => {
  const { key } = await neighbour()
  await Promise.all([
    change(key, { minGap: 'PT2H' }),
    change(key, { window: { ...builtInPolicy.window, from: '09:30' } }),
  ])
  expect(await read(key)).toMatchObject({ minGap: 'PT2H', window: { from: '09:30', to: '21:00' } })
})

test.each([
  [{ window: { ...builtInPolicy.window, from: '8:00' } }, '/window/from'],
  [{ window: { ...builtInPolicy.window, to: '24:00' } }, '/window/to'],
  [{ window: { ...builtInPolicy.window, outside: 'drop' } }, '/window/outside'],
  [{ minGap: 'P1M' }, '/minGap'],
  [{ minGap: 'P91D' }, '/minGap'],
  [{ unconfirmedAfter: '1 hour' }, '/unconfirmedAfter'],
  [{ consentRequired: ['email', 'email'] }, '/consentRequired'],
  [{ consentRequired: ['fax'] }, '/consentRequired/0'],
  [{ colour: 'blue' }, '/colour'],
])('the change %j is refused', async (body, pointer) => {
  const response = await ask('POST', '/policy', { body })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ errors: [{ pointer }] })
})

test('a pause of the whole organisation is a row at once, and its end tells everyone under way', async () => {
  const { key, organisationId } = await neighbour()
  const policy = () => database.as(organisationId, currentPolicy)
  const contactId = await contactRow(database, organisationId)
  const { sequenceId, cohortId } = await journeyRow(database, organisationId, contactId, { status: 'paused' })
  const told = () => system`select signal from outbox where workflow_id = ${dripSequenceId(sequenceId, cohortId)}`
  await ask('POST', '/policy/pause', { key })
  const { pausedAt } = await policy()
  expect(pausedAt).not.toBeNull()
  await ask('POST', '/policy/pause', { key })
  expect(await policy()).toMatchObject({ policy: builtInPolicy, pausedAt })
  expect(await told()).toEqual([])
  await ask('POST', '/policy/resume', { key })
  expect(await policy()).toMatchObject({ policy: builtInPolicy, pausedAt: null })
  expect(await told()).toEqual([{ signal: lookAgain.name }])
})

test('another window lets those go on whom no hour was allowed', async () => {
  const { key, organisationId } = await neighbour()
  const contactId = await contactRow(database, organisationId)
  const { enrolmentId: id } = await journeyRow(database, organisationId, contactId)
  const held = { status: 'held', reason: 'no_common_window' }
  await database.as(organisationId, (tx) => tx`update enrolments set ${tx(held)} where id = ${id}`)
  const enrolment = async () => (await ask('GET', `/enrolments/${id}`, { key })).json()
  await change(key, { minGap: 'PT1H' })
  expect(await enrolment()).toMatchObject(held)
  await change(key, { window: { ...builtInPolicy.window, from: '00:00', to: '00:00' } })
  expect(await enrolment()).toMatchObject({ status: 'active', reason: null })
})
