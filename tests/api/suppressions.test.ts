import { expect, test } from 'vitest'
import { z } from 'zod'
import { addressHash } from '../../db/addresses.ts'
import { testApi } from '../support/api.ts'
import { contactRow, journeyRow } from '../support/people-rows.ts'

const { ask, database, organisationId, neighbour, stories } = await testApi()

const Suppression = z.looseObject({ id: z.string(), address: z.string().nullable(), liftedAt: z.string().nullable() })
const Page = z.object({ data: z.array(Suppression), nextCursor: z.string().nullable() })
const Saved = z.object({ suppression: Suppression, created: z.boolean() })

const suppress = async (body: object) =>
  Saved.parse(await (await ask('POST', '/suppressions', { body: { channel: 'email', ...body } })).json())
const list = async (query: string, key?: string) =>
  Page.parse(await (await ask('GET', `/suppressions?${query}`, key ? { key } : {})).json()).data
const lift = async (id: string) =>
  Suppression.parse(await (await ask('POST', `/suppressions/${id}/lift`, { body: {} })).json())
const eventsOf = (contactId: string) =>
  database.as(organisationId, (tx) => tx`select type from contact_events where contact_id = ${contactId} order by id`)

test('an address is suppressed for everyone who has it, their journeys end, and their workflows are told', async () => {
  const contactId = await contactRow(database, organisationId, { email: 'ann@stop.test' })
  const { enrolmentId, cohortId } = await journeyRow(database, organisationId, contactId)
  const { suppression, created } = await suppress({ address: 'ANN@stop.test', purpose: 'marketing', reason: 'opt_out' })
  expect(created).toBe(true)
  expect(suppression).toMatchObject({
    address: 'ANN@stop.test',
    reason: 'opt_out',
    purpose: 'marketing',
    liftedAt: null,
  })
  const [enrolment] = await database.as(
    organisationId,
    (tx) => tx`
    select status, reason from enrolments where id = ${enrolmentId}`,
  )
  expect(enrolment).toEqual({ status: 'exited', reason: 'opt_out' })
  await expect
    .poll(() => stories.delivered.map(({ workflowId }) => workflowId))
    .toContainEqual(expect.stringContaining(cohortId))
  expect(await suppress({ address: 'ann@stop.test', purpose: 'marketing' })).toMatchObject({
    created: false,
    suppression: { id: suppression.id, reason: 'opt_out' },
  })
  expect(await eventsOf(contactId)).toEqual([{ type: 'suppression.added' }])
})

test("a contact's own address is meant by the contact's id", async () => {
  const phone = '+15125550177'
  const contactId = await contactRow(database, organisationId, { phone })
  const { suppression } = await suppress({ contactId, channel: 'whatsapp' })
  expect(suppression).toMatchObject({ address: phone, contactId, purpose: null, reason: 'manual' })
  expect(await list('channel=whatsapp')).toMatchObject([{ id: suppression.id, address: phone }])
  const none = await ask('POST', '/suppressions', { body: { contactId, channel: 'email' } })
  expect(await none.json()).toMatchObject({ errors: [{ pointer: '/contactId' }] })
  const unknown = await ask('POST', '/suppressions', { body: { contactId: crypto.randomUUID(), channel: 'email' } })
  expect(unknown.status).toBe(404)
})

test('no answer shows a hash, and an address only where a contact has it or the question told it', async () => {
  const address = 'nobody@known.test'
  await suppress({ address, reason: 'manual' })
  const all = await (await ask('GET', '/suppressions?limit=100')).text()
  const hash = addressHash(organisationId, 'email', address)
  for (const secret of [address, hash.toString('hex'), hash.toString('base64')]) expect(all).not.toContain(secret)
  expect(await list('address=Nobody@Known.test')).toMatchObject([{ address }])
  await contactRow(database, organisationId, { email: address })
  expect(await list('limit=100')).toContainEqual(expect.objectContaining({ address }))
})

test('a lifted one counts no more, says who lifted it, is listed on request, and can be made anew', async () => {
  const contactId = await contactRow(database, organisationId, { email: 'back@lift.test' })
  const { suppression } = await suppress({ address: 'back@lift.test' })
  const lifted = await lift(suppression.id)
  expect(lifted).toMatchObject({ id: suppression.id, liftedBy: expect.stringMatching(/^key:/) })
  expect(await lift(suppression.id)).toEqual(lifted)
  expect(await list('address=back@lift.test')).toEqual([])
  expect(await list('address=back@lift.test&includeLifted=true')).toEqual([lifted])
  const anew = await suppress({ address: 'back@lift.test' })
  expect(anew).toMatchObject({ created: true })
  expect(anew.suppression.id).not.toBe(suppression.id)
  expect((await eventsOf(contactId)).map(({ type }) => type)).toEqual([
    'suppression.added',
    'suppression.lifted',
    'suppression.added',
  ])
})

test('filters narrow each other, and another organisation sees nothing and may suppress the same address itself', async () => {
  await suppress({ address: 'one@filter.test', reason: 'opt_out' })
  await suppress({ address: '+15125550188', channel: 'sms', reason: 'opt_out' })
  expect(await list('address=one@filter.test&reason=opt_out')).toHaveLength(1)
  expect(await list('address=one@filter.test&reason=manual')).toEqual([])
  expect(await list('address=one@filter.test&channel=sms')).toEqual([])
  expect(await list('address=%2B15125550188')).toMatchObject([{ channel: 'sms' }])
  const { key } = await neighbour()
  expect(await list('limit=100', key)).toEqual([])
  const body = { address: 'one@filter.test', channel: 'email' }
  const theirs = await ask('POST', '/suppressions', { key, body })
  expect(await theirs.json()).toMatchObject({ created: true })
})

test.each([
  ['neither address nor contact', { channel: 'email' }, '/address'],
  ['both', { channel: 'email', address: 'a@b.test', contactId: crypto.randomUUID() }, '/address'],
  ['a number as an e-mail', { channel: 'email', address: '+15125550100' }, '/address'],
  ['a national number', { channel: 'sms', address: '512 555 0100' }, '/address'],
  ['a reason that only providers have', { channel: 'email', address: 'a@b.test', reason: 'hard_bounce' }, '/reason'],
])('%s is refused', async (_, body, pointer) => {
  const response = await ask('POST', '/suppressions', { body })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ errors: [{ pointer }] })
})

test('a thousand addresses are suppressed by one request, wrong ones reported, known ones left as they are', async () => {
  const contactId = await contactRow(database, organisationId, { email: 'person-7@many.test' })
  await suppress({ address: 'person-8@many.test' })
  const addresses = Array.from({ length: 1_000 }, (_, n) => (n === 9 ? 'wrong' : `person-${n}@many.test`))
  const send = () => ask('POST', '/suppressions/list', { body: { addresses, channel: 'email' } })
  const Answer = z.object({ created: z.int(), failed: z.int(), lines: z.array(z.looseObject({ index: z.int() })) })
  const { created, failed, lines } = Answer.parse(await (await send()).json())
  expect({ created, failed }).toEqual({ created: 998, failed: 1 })
  expect(lines.map(({ index }) => index)).toEqual(addresses.map((_, index) => index))
  expect(lines[9]).toMatchObject({ errors: [{ detail: expect.stringContaining('ann@example.com') }] })
  expect(await eventsOf(contactId)).toEqual([{ type: 'suppression.added' }])
  expect(Answer.parse(await (await send()).json())).toMatchObject({ created: 0, failed: 1 })
})
