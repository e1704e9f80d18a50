import { expect, test } from 'vitest'
import { addressHash } from '../../../db/addresses.ts'
import { billingNotices } from '../../support/billing-notices.ts'

const { database, platformId, asPlatform, sandbox, billed, later, aNotice, send, followUp, messages, rowOf } =
  await billingNotices()

const dayMs = 86_400_000

test('a notice is a transactional e-mail of the platform: who pays gets it, without a link to unsubscribe', async () => {
  const act = aNotice()
  expect(await send(act, { portalUrl: 'https://app.example.com/billing' })).toEqual({ status: 'sent', reason: null })
  const [message] = await messages()
  expect(message).toMatchObject({
    to: billed().email,
    subject: 'A payment for Scout has failed',
  })
  const row = await rowOf(act)
  expect(row?.['rendered'].from).toBe('Fixit <billing@throughline.test>')
  expect(row?.['rendered'].text).toBe(`Hello Maple Dental,

We could not take the payment for Scout: USD 99.00 (invoice TL-0001).
We try again; a new card is charged at once.

To pay now: https://invoice.stripe.test/in_1
To pay or change your card: https://app.example.com/billing

Fixit
`)
  expect(JSON.stringify(row?.['rendered'])).not.toMatch(/unsubscribe/i)
  expect(row).toMatchObject({ purpose: 'transactional', contactId: billed().contactId })
})

test('however often and by however many it is asked for, a notice goes once', async () => {
  const act = aNotice()
  const together = await Promise.all(Array.from({ length: 5 }, () => send(act)))
  expect(together.every(({ status }) => status === 'sent' || status === 'sending')).toBe(true)
  expect(await send(act)).toEqual({ status: 'sent', reason: null })
  expect(await messages()).toHaveLength(1)
})

test('an address that bounced or complained gets no notice, and it is said why; one that unsubscribed does', async () => {
  const hash = addressHash(platformId, 'email', billed().email)
  const suppressedFor = (purpose: string | null) =>
    asPlatform(
      (tx) => tx`insert into suppressions (channel, address_hash, purpose, reason, actor)
        values ('email', ${hash}, ${purpose}, 'complaint', 'inbound/1')`,
    )
  await suppressedFor('marketing')
  expect(await send(aNotice())).toMatchObject({ status: 'sent' })
  await suppressedFor(null)
  const act = aNotice()
  expect(await send(act)).toEqual({ status: 'skipped', reason: 'suppressed' })
  expect(await rowOf(act)).toMatchObject({ status: 'skipped', reason: 'suppressed' })
  expect(await messages()).toHaveLength(1)
})

test('without an address, a sender or a contact it is left out, and the story goes on', async () => {
  const [unreachable, unsent, unknown] = [aNotice(), aNotice(), aNotice()]
  await asPlatform((tx) => tx`update contacts set email = null, email_hash = null where id = ${billed().contactId}`)
  expect(await send(unreachable)).toEqual({ status: 'skipped', reason: 'no_address' })
  const hash = addressHash(platformId, 'email', billed().email)
  await asPlatform(
    (tx) => tx`update contacts set email = ${billed().email}, email_hash = ${hash} where id = ${billed().contactId}`,
  )
  await asPlatform((tx) => tx`update senders set channel = 'voice'`)
  expect(await send(unsent)).toEqual({ status: 'skipped', reason: 'no_sender' })
  await database.as(billed().organisationId, (tx) => tx`update stripe_customers set contact_id = null`)
  expect(await send(unknown)).toEqual({ status: 'skipped', reason: 'no_contact' })
  expect(await messages()).toEqual([])
})

test('an answer that got lost is asked for again under the same key', async () => {
  await sandbox().addFault({ provider: 'resend', kind: 'accept-then-drop', rate: 1, count: 1 })
  const act = aNotice()
  const { status } = await send(act)
  if (status !== 'sent') {
    later(5_000)
    await followUp()
  }
  expect(await rowOf(act)).toMatchObject({ status: 'sent' })
  expect(await messages()).toHaveLength(1)
})

test('one that may have gone holds nobody up: it is looked up once the provider has forgotten the key', async () => {
  const forgetful = { keyLifetimeMs: 0 }
  await sandbox().addFault({ provider: 'resend', kind: 'accept-then-drop', rate: 1, count: 1 })
  const act = aNotice()
  expect(await send(act, forgetful)).toMatchObject({ status: 'sending' })
  later(60_000)
  expect((await followUp(forgetful)).again).not.toBeNull()
  expect(await rowOf(act)).toMatchObject({ status: 'unconfirmed' })
  await followUp(forgetful)
  expect(await rowOf(act)).toMatchObject({ status: 'sent' })
  expect(await followUp(forgetful)).toEqual({ again: null })
  expect(await messages()).toHaveLength(1)
})

test('while the provider is away a notice waits, and after three days it tells of what is over', async () => {
  const away = { provider: 'resend', kind: 'status', status: 429, retryAfterSeconds: 30 } as const
  await sandbox().addFault({ ...away, count: 1 })
  const soon = aNotice()
  expect(await send(soon)).toMatchObject({ status: 'planned' })
  later(60_000)
  expect(await followUp()).toEqual({ again: null })
  expect(await rowOf(soon)).toMatchObject({ status: 'sent' })

  await sandbox().addFault({ ...away, count: 1 })
  const late = aNotice()
  await send(late)
  later(4 * dayMs)
  expect(await followUp()).toEqual({ again: null })
  expect(await rowOf(late)).toMatchObject({ status: 'skipped', reason: 'expired' })
  expect(await messages()).toHaveLength(1)
})

test('a platform that is paused keeps notices back until it goes on', async () => {
  const pause = (at: Date | null) =>
    asPlatform(
      (tx) => tx`insert into policies (policy, actor, updated_at, paused_at) values ('{}', 'key:1', now(), ${at})
        on conflict (organisation_id) do update set paused_at = excluded.paused_at`,
    )
  await pause(new Date())
  const act = aNotice()
  expect(await send(act)).toEqual({ status: 'planned', reason: 'paused' })
  await pause(null)
  later(15 * 60_000)
  await followUp()
  expect(await rowOf(act)).toMatchObject({ status: 'sent' })
})

test('one follows up its own notices, not those of others', async () => {
  await sandbox().addFault({ provider: 'resend', kind: 'status', status: 429, retryAfterSeconds: 30, count: 1 })
  const { key, ...body } = aNotice()
  const theirs = { ...body, key: key.replace(/^billing\/[^/]+/, `billing/${crypto.randomUUID()}`) }
  await send(theirs)
  expect(await followUp()).toEqual({ again: null })
  expect(await rowOf(theirs)).toMatchObject({ status: 'planned' })
})

test('operators are told at their own address, if they have given one', async () => {
  const dispute = (key: string) =>
    ({ is: 'tell_operator', notice: 'dispute_due', about: 'dp_1', step: 1, isLast: false, key }) as const
  const key = `billing/${billed().organisationId}/dispute/dp_1/reminder`
  expect(await send(dispute(`${key}/1`))).toEqual({ status: 'skipped', reason: 'no_contact' })
  expect(await send(dispute(`${key}/2`), { operatorEmail: 'ops@throughline.test' })).toMatchObject({ status: 'sent' })
  expect(await send(dispute(`${key}/3`), { operatorEmail: 'desk@throughline.test' })).toMatchObject({ status: 'sent' })
  const sent = await messages()
  expect(sent.map(({ to }) => to)).toEqual(['ops@throughline.test', 'desk@throughline.test'])
  expect(sent[0]?.subject).toBe('Evidence for the dispute of Maple Dental is due by June 15, 2026 (UTC)')
  expect((await rowOf(dispute(`${key}/2`)))?.['rendered'].text).toContain(
    'The dispute dp_1 of Maple Dental, JPY 9,900, waits for your evidence',
  )
})
