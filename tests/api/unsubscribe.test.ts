import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressHash } from '../../db/addresses.ts'
import { messageIdOf, unsubscribeToken } from '../../workflows/contracts/unsubscribe.ts'
import { testApi } from '../support/api.ts'
import { messageRow } from '../support/message-rows.ts'
import { contactRow, journeyRow } from '../support/people-rows.ts'

const { url, database, organisationId, neighbour } = await testApi()

async function recipient(owner = organisationId, email = `${crypto.randomUUID()}@people.test`) {
  const contactId = await contactRow(database, owner, { email })
  const { enrolmentId } = await journeyRow(database, owner, contactId)
  const messageId = await messageRow(database, owner, { contactId, email, enrolmentId })
  return { email, contactId, enrolmentId, messageId, link: `${url}/u/${unsubscribeToken(messageId)}` }
}

const suppressionsOf = (contactId: string, owner = organisationId) =>
  database.as(
    owner,
    (tx) => tx`
      select channel, purpose, reason, actor, lifted_at is null as holds from suppressions
      where contact_id = ${contactId} order by id`,
  )
const oneClick = { method: 'POST', body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }) }

test('a token is its id and nothing else is one', () => {
  fc.assert(fc.property(fc.uuid(), (id) => messageIdOf(unsubscribeToken(id)) === id))
  fc.assert(
    fc.property(fc.string(), (text) => {
      const id = messageIdOf(text)
      return id === null || unsubscribeToken(id) === text
    }),
  )
  expect(unsubscribeToken('0198c2b4-5a3e-7c11-9d4f-2b6a1e8f7c30')).toMatch(/^[\w-]{22}$/)
})

test('opening the link, or asking after it, unsubscribes nobody', async () => {
  const { contactId, link } = await recipient()
  const page = await fetch(link)
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  const text = await page.text()
  expect(text).toMatch(/<form method="post">/)
  expect(text).not.toMatch(/<script|http|@/)
  expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; form-action 'self'/)
  expect(page.headers.get('cache-control')).toBe('no-store')
  await fetch(link, { method: 'HEAD' })
  expect((await fetch(link, { method: 'PUT' })).status).toBe(405)
  expect(await suppressionsOf(contactId)).toEqual([])
})

test('one click suppresses the address for marketing and ends the journey, without cookie or redirect', async () => {
  const { contactId, enrolmentId, messageId, link } = await recipient()
  const response = await fetch(link, { ...oneClick, redirect: 'manual' })
  expect([response.status, response.headers.get('set-cookie')]).toEqual([200, null])
  expect(await response.text()).toContain('get no more of these e-mails')
  expect(await suppressionsOf(contactId)).toEqual([
    { channel: 'email', purpose: 'marketing', reason: 'unsubscribed', actor: `unsubscribe/${messageId}`, holds: true },
  ])
  const journey = await database.as(
    organisationId,
    (tx) => tx`select status, reason from enrolments where id = ${enrolmentId}`,
  )
  expect(journey).toMatchObject([{ status: 'exited', reason: 'opt_out' }])
})

test('however often and in whatever form it is sent, also at once, there is one suppression and the same answer', async () => {
  const { contactId, link } = await recipient()
  const form = new FormData()
  form.set('List-Unsubscribe', 'One-Click')
  const asked = [
    oneClick,
    oneClick,
    { method: 'POST', body: form },
    { method: 'POST' },
    { method: 'POST', body: 'x'.repeat(1e6) },
  ]
  const answers = await Promise.all(asked.map(async (init) => (await fetch(link, init)).text()))
  expect(new Set(answers).size).toBe(1)
  expect(await suppressionsOf(contactId)).toHaveLength(1)
})

test('whoever was let in again can unsubscribe again by the same link', async () => {
  const { contactId, link } = await recipient()
  await fetch(link, oneClick)
  await database.as(
    organisationId,
    (tx) => tx`update suppressions set lifted_at = now() where contact_id = ${contactId}`,
  )
  await fetch(link, oneClick)
  expect(await suppressionsOf(contactId)).toMatchObject([{ holds: false }, { holds: true }])
})

test('it is the address the message went to that is suppressed, in the organisation that sent it', async () => {
  const theirs = await neighbour()
  const email = 'both@people.test'
  const [ours, foreign] = [await recipient(organisationId, email), await recipient(theirs.organisationId, email)]
  await fetch(ours.link, oneClick)
  expect(await suppressionsOf(ours.contactId)).toHaveLength(1)
  expect(await suppressionsOf(foreign.contactId, theirs.organisationId)).toEqual([])
})

test('the link of an older mail also reaches the address that the person has by now', async () => {
  const { contactId, link } = await recipient()
  const email = `${crypto.randomUUID()}@moved.test`
  const hash = addressHash(organisationId, 'email', email)
  await database.as(
    organisationId,
    (tx) => tx`update contacts set email = ${email}, email_hash = ${hash} where id = ${contactId}`,
  )
  const sharing = await contactRow(database, organisationId, { email })
  const { enrolmentId } = await journeyRow(database, organisationId, sharing)
  await Promise.all([fetch(link, oneClick), fetch(link, oneClick)])
  expect(await suppressionsOf(contactId)).toHaveLength(2)
  const [current] = await database.as(
    organisationId,
    (tx) => tx`select purpose, reason from suppressions where address_hash = ${hash}`,
  )
  expect(current).toEqual({ purpose: 'marketing', reason: 'unsubscribed' })
  const [journey] = await database.as(
    organisationId,
    (tx) => tx`select status, reason from enrolments where id = ${enrolmentId}`,
  )
  expect(journey).toEqual({ status: 'exited', reason: 'opt_out' })
})

test('a link that leads nowhere tells nothing, whatever is wrong with it', async () => {
  const email = 'notices@people.test'
  const contactId = await contactRow(database, organisationId, { email })
  const notice = await messageRow(database, organisationId, { contactId, email, purpose: 'transactional' })
  const tokens = [
    unsubscribeToken(notice),
    unsubscribeToken(crypto.randomUUID()),
    'x',
    `${'A'.repeat(21)}B`,
    'a'.repeat(500),
  ]
  const pages = await Promise.all(
    tokens.flatMap((token) =>
      [{}, oneClick].map(async (init) => {
        const response = await fetch(`${url}/u/${token}`, init)
        return [response.status, await response.text()]
      }),
    ),
  )
  expect(new Set(pages.map(String)).size).toBe(1)
  expect(pages[0]).toEqual([404, expect.stringContaining('leads nowhere')])
  expect(await suppressionsOf(contactId)).toEqual([])
})
