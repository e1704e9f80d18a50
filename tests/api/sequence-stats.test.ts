import { expect, test } from 'vitest'
import { enrolContacts } from '../../db/cohorts.ts'
import { saveSequenceVersion } from '../../db/sequences.ts'
import { testApi } from '../support/api.ts'
import { peopleRows, sequenceRow, welcome } from '../support/sequence-rows.ts'

const { ask, database, organisationId } = await testApi()
const now = new Date('2026-01-05T12:00:00Z')

const stats = async (id: string): Promise<unknown> => (await ask('GET', `/sequences/${id}/stats`)).json()
const none = {
  entered: 0,
  sent: 0,
  unconfirmed: 0,
  rejected: 0,
  skipped: {},
  delivered: 0,
  bounced: 0,
  complained: 0,
  opened: 0,
  clicked: 0,
  replied: 0,
  converted: 0,
  exited: {},
}

test('a sequence that nobody has entered has its steps in their order, and zeros', async () => {
  const id = await sequenceRow(database, organisationId)
  expect(await stats(id)).toEqual({
    totals: { enrolled: 0, underWay: 0, paused: 0, held: {}, completed: 0, exited: {} },
    steps: [
      { key: 'hello', type: 'message', ...none },
      { key: 'pause', type: 'wait', ...none },
      { key: 'reminder', type: 'message', ...none },
    ],
  })
})

test('people and messages are counted at each step, over all versions, and nobody elsewhere', async () => {
  const id = await sequenceRow(database, organisationId)
  const other = await sequenceRow(database, organisationId)
  const contactIds = await peopleRows(database, organisationId, 8)
  await database.as(organisationId, async (tx) => {
    const enrolling = { contactIds, source: 'key:1', requestId: 'request', now }
    await enrolContacts(tx, { ...enrolling, sequenceId: other })
    await enrolContacts(tx, { ...enrolling, sequenceId: id })
    const place = (seat: number, columns: Record<string, unknown>) =>
      tx`update enrolments set ${tx(columns)} where sequence_id = ${id} and seat = ${seat}`
    const visited = ['hello', 'pause', 'reminder']
    await place(1, { status: 'completed', step_key: 'reminder', visited })
    await place(2, { status: 'exited', reason: 'goal', step_key: 'pause', visited: visited.slice(0, 2) })
    await place(3, { status: 'exited', reason: 'reply', step_key: 'pause', visited: visited.slice(0, 2) })
    await place(4, { status: 'held', reason: 'missing_variable', step_key: 'hello', visited: ['hello'] })
    await place(5, { status: 'paused', step_key: 'hello', visited: ['hello'] })
    await place(6, { status: 'exited', reason: 'manual' })
    const message = (seat: number, stepKey: string, columns: Record<string, unknown>) =>
      tx`insert into messages ${tx({
        act_key: `${seat}/${stepKey}`,
        contact_id: contactIds[seat - 1] ?? '',
        channel: 'email',
        purpose: 'marketing',
        sequence_id: id,
        step_key: stepKey,
        created_at: now,
        status: 'sent',
        ...columns,
      })}`
    await message(1, 'hello', { delivered_at: now, opened_at: now, clicked_at: now })
    await message(2, 'hello', { delivered_at: now, complained_at: now })
    await message(3, 'hello', { delivered_at: now, replied_at: now })
    await message(1, 'reminder', { status: 'skipped', reason: 'suppressed' })
    await message(2, 'reminder', { status: 'expired' })
    await message(3, 'reminder', { status: 'rejected', reason: 'invalid_address' })
    await message(4, 'reminder', { status: 'unconfirmed', bounced_at: now })
    const steps = welcome.steps.filter(({ key }) => key !== 'reminder')
    await saveSequenceVersion(tx, id, { definition: { ...welcome, senderId: id, steps }, actor: 'key:1', now })
  })
  expect(await stats(id)).toEqual({
    totals: {
      enrolled: 8,
      underWay: 2,
      paused: 1,
      held: { missing_variable: 1 },
      completed: 1,
      exited: { goal: 1, reply: 1, manual: 1 },
    },
    steps: [
      {
        key: 'hello',
        type: 'message',
        ...none,
        entered: 5,
        sent: 3,
        delivered: 3,
        opened: 1,
        clicked: 1,
        complained: 1,
        replied: 1,
      },
      { key: 'pause', type: 'wait', ...none, entered: 3, converted: 1, exited: { goal: 1, reply: 1 } },
      {
        key: 'reminder',
        type: null,
        ...none,
        entered: 1,
        rejected: 1,
        unconfirmed: 1,
        bounced: 1,
        skipped: { suppressed: 1, expired: 1 },
      },
    ],
  })
})
