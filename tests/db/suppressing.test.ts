import { expect, test } from 'vitest'
import { addressHash } from '../../db/addresses.ts'
import type { Tx } from '../../db/client.ts'
import { lockPersons } from '../../db/person-locks.ts'
import { type AddressToSuppress, suppressAddress, suppressAddresses } from '../../db/suppressing.ts'
import { dripSequenceId } from '../../workflows/contracts/drip-sequence.ts'
import { testOrganisation } from '../support/organisation.ts'
import { contactRow, journeyRow } from '../support/people-rows.ts'

const { database, organisationId } = await testOrganisation()
const now = new Date('2026-01-05T12:00:00Z')
const told = { requestId: 'r', now }

const as = <T>(work: (tx: Tx) => Promise<T>) => database.as(organisationId, work)
const wanted = (address: string, changes: Partial<AddressToSuppress> = {}): AddressToSuppress => ({
  organisationId,
  channel: 'email',
  address,
  purpose: 'marketing',
  reason: 'unsubscribed',
  actor: 'inbound/1',
  sourceKey: `inbound/${crypto.randomUUID()}`,
  occurredAt: now,
  ...changes,
})
const statusOf = (enrolmentId: string) =>
  as(async (tx) => (await tx`select status, reason from enrolments where id = ${enrolmentId}`)[0])
const eventsOf = (contactId: string) =>
  as((tx) => tx`select type, data from contact_events where contact_id = ${contactId} order by id`)

test('everyone who has the address is told of it, in whatever case it is written, and nobody else', async () => {
  const both = [
    await contactRow(database, organisationId, { email: 'info@shared.test' }),
    await contactRow(database, organisationId, { email: 'Info@Shared.test' }),
  ]
  const other = await contactRow(database, organisationId, { email: 'other@shared.test' })
  const { id, isNew } = await as((tx) => suppressAddress(tx, wanted('INFO@shared.test'), told))
  expect(isNew).toBe(true)
  const data = { suppressionId: id, channel: 'email', purpose: 'marketing', reason: 'unsubscribed' }
  for (const contactId of both) expect(await eventsOf(contactId)).toEqual([{ type: 'suppression.added', data }])
  expect(await eventsOf(other)).toEqual([])
})

test.each([
  ['unsubscribed', 'marketing', { status: 'exited', reason: 'opt_out' }],
  ['manual', null, { status: 'exited', reason: 'opt_out' }],
  ['opt_out', 'transactional', { status: 'active', reason: null }],
  ['complaint', null, { status: 'exited', reason: 'complaint' }],
  ['hard_bounce', null, { status: 'exited', reason: 'bounce' }],
] as const)('a marketing journey under %s of purpose %s is then %o', async (reason, purpose, then) => {
  const email = `${reason}@journey.test`
  const contactId = await contactRow(database, organisationId, { email })
  const { enrolmentId, sequenceId, cohortId } = await journeyRow(database, organisationId, contactId, {
    exitOn: ['bounce'],
  })
  const { workflowIds } = await as((tx) => suppressAddress(tx, wanted(email, { reason, purpose }), told))
  expect(await statusOf(enrolmentId)).toEqual(then)
  expect(workflowIds).toEqual(then.status === 'exited' ? [dripSequenceId(sequenceId, cohortId)] : [])
})

test('a number that is suppressed ends no journey of e-mails', async () => {
  const phone = '+15125550111'
  const contactId = await contactRow(database, organisationId, { email: 'a@number.test', phone })
  const { enrolmentId } = await journeyRow(database, organisationId, contactId)
  await as((tx) => suppressAddress(tx, wanted(phone, { channel: 'whatsapp', purpose: null }), told))
  expect(await statusOf(enrolmentId)).toMatchObject({ status: 'active' })
  expect(await eventsOf(contactId)).toMatchObject([{ type: 'suppression.added', data: { channel: 'whatsapp' } }])
})

test('told twice it is one suppression and one event; told by something else it is another event', async () => {
  const contactId = await contactRow(database, organisationId, { email: 'twice@twice.test' })
  const once = wanted('twice@twice.test')
  const first = await as((tx) => suppressAddress(tx, once, told))
  expect(await as((tx) => suppressAddress(tx, once, told))).toEqual({ id: first.id, isNew: false, workflowIds: [] })
  expect(await eventsOf(contactId)).toHaveLength(1)
  await as((tx) => suppressAddress(tx, wanted('twice@twice.test'), told))
  expect(await eventsOf(contactId)).toHaveLength(2)
})

test('an address is known by its hash alone, also when the contact has left it: who said stop is heard, a bounce is not theirs', async () => {
  const contactId = await contactRow(database, organisationId, { email: 'new@moved.test' })
  const { enrolmentId } = await journeyRow(database, organisationId, contactId, { exitOn: ['bounce'] })
  const old = {
    ...wanted(''),
    address: undefined,
    addressHash: addressHash(organisationId, 'email', 'old@moved.test'),
    contactId,
  }
  await as((tx) => suppressAddress(tx, { ...old, reason: 'hard_bounce', purpose: null }, told))
  expect(await statusOf(enrolmentId)).toMatchObject({ status: 'active' })
  await as((tx) => suppressAddress(tx, old, told))
  expect(await statusOf(enrolmentId)).toEqual({ status: 'exited', reason: 'opt_out' })
})

test('whoever has the turn of the address or of a contact after a suppression sees it', async () => {
  const email = 'claim@turn.test'
  const contactId = await contactRow(database, organisationId, { email })
  const hash = addressHash(organisationId, 'email', email)
  for (const turn of [{ contactIds: [contactId] }, { addressHashes: [hash] }]) {
    const [suppressed, asked] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const suppression = as(async (tx) => {
      await suppressAddress(tx, wanted(email, { purpose: 'contactIds' in turn ? 'marketing' : null }), told)
      suppressed.resolve()
      await asked.promise
    })
    await suppressed.promise
    const asking = Promise.withResolvers<number>()
    const claim = as(async (tx) => {
      const [backend] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`
      asking.resolve(backend?.pid ?? 0)
      await lockPersons(tx, turn)
      return tx`select 1 from suppressions where address_hash = ${hash} and lifted_at is null`
    })
    const pid = await asking.promise
    const waits = () =>
      as((tx) => tx`select 1 from pg_locks where pid = ${pid} and locktype = 'advisory' and not granted`)
    await expect.poll(waits).toHaveLength(1)
    asked.resolve()
    await suppression
    expect(await claim).toHaveLength('contactIds' in turn ? 1 : 2)
  }
})

test('suppressions and claims of the same people in any order never wait for each other for good', async () => {
  const emails = Array.from({ length: 6 }, (_, n) => `crowd-${n}@crowd.test`)
  const ids = await Promise.all(emails.map((email) => contactRow(database, organisationId, { email })))
  const hashes = emails.map((email) => addressHash(organisationId, 'email', email))
  const rounds = Array.from({ length: 30 }, async (_, n) => {
    const turned = [...emails.slice(n % 6), ...emails.slice(0, n % 6)]
    if (n % 2 === 1)
      return as((tx) =>
        suppressAddresses(
          tx,
          turned.map((email) => wanted(email)),
          told,
        ),
      )
    await as((tx) => lockPersons(tx, { contactIds: ids, addressHashes: hashes }))
    return []
  })
  const suppressed = (await Promise.all(rounds)).flat()
  expect(suppressed.filter(({ isNew }) => isNew)).toHaveLength(6)
  expect(new Set(suppressed.map(({ id }) => id)).size).toBe(6)
})
