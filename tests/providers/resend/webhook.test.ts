import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { BadSignature } from '../../../activities/ports.ts'
import { createResendWebhooks } from '../../../providers/resend/webhook.ts'
import { webhookSecret } from '../../support/resend.ts'

const now = new Date('2026-11-21T10:00:00Z')
const ids = {
  organisation_id: '0199b3a0-0000-7000-8000-000000000001',
  message_id: '0199b3a0-0000-7000-8000-000000000002',
}
const mail = { email_id: 'mail-1', tags: ids }
const reply = { email_id: 'mail-2', from: 'Ann <Ann@Example.com>', to: ['Replies@maple.test'], subject: 'Re: Hello' }

function read(type: string, data: unknown) {
  return deliver(JSON.stringify({ type, created_at: '2026-11-21T09:59:58Z', data }))
}

function deliver(body: string | Buffer, changes: Record<string, string | undefined> = {}) {
  const rawBody = Buffer.from(body)
  const headers = {
    'svix-id': 'msg_1',
    'svix-timestamp': String(now.getTime() / 1000),
    'svix-signature': new Webhook(webhookSecret).sign('msg_1', now, rawBody),
    ...changes,
  }
  return createResendWebhooks(webhookSecret)(rawBody, headers, now)
}

describe('an event', () => {
  test('is known by the id of its delivery, and keeps what came', () => {
    const [event] = read('email.delivered', mail)
    expect(event).toMatchObject({ id: 'msg_1', type: 'email.delivered', occurredAt: new Date('2026-11-21T09:59:58Z') })
    expect(event?.payload).toMatchObject({ data: mail })
  })

  test.each([
    ['email.sent', {}, { event: 'sent', isPermanent: false }],
    ['email.delivered', {}, { event: 'delivered', isPermanent: false }],
    ['email.bounced', { bounce: { type: 'Permanent' } }, { event: 'bounced', isPermanent: true }],
    ['email.bounced', { bounce: { type: 'Transient' } }, { event: 'bounced', isPermanent: false }],
    ['email.bounced', {}, { event: 'bounced', isPermanent: false }],
    ['email.suppressed', {}, { event: 'bounced', isPermanent: true }],
    ['email.complained', {}, { event: 'complained', isPermanent: false }],
    ['email.opened', {}, { event: 'opened', isPermanent: false }],
    ['email.clicked', {}, { event: 'clicked', isPermanent: false }],
    ['email.failed', {}, { event: 'rejected', isPermanent: false }],
  ])('%s with %o says %o', (type, more, fact) => {
    expect(read(type, { ...mail, ...more })[0]?.fact).toEqual({
      kind: 'message',
      organisationId: ids.organisation_id,
      messageId: ids.message_id,
      providerMessageId: 'mail-1',
      ...fact,
    })
  })

  test.each(['email.delivery_delayed', 'email.scheduled', 'contact.created', 'toString', 'something.new'])(
    '%s says nothing that we go by',
    (type) => expect(read(type, mail)[0]?.fact).toBeNull(),
  )

  test('whose data is not what it should be is kept all the same', () => {
    for (const data of [null, 'x', {}, { email_id: 7 }]) expect(read('email.sent', data)[0]?.fact).toBeNull()
  })

  test('carries our ids as an object or as pairs, and nobody else’s', () => {
    const pairs = Object.entries(ids).map(([name, value]) => ({ name, value }))
    expect(read('email.sent', { ...mail, tags: pairs })[0]?.fact).toMatchObject({ messageId: ids.message_id })
    for (const tags of [undefined, { message_id: 'newsletter-7' }, 'x']) {
      const fact = read('email.sent', { ...mail, tags })[0]?.fact
      expect(fact).toMatchObject({ messageId: null, organisationId: null, providerMessageId: 'mail-1' })
    }
  })
})

describe('a reply', () => {
  test('is told by bare addresses, with what it answers where that is said', () => {
    expect(read('email.received', reply)[0]?.fact).toEqual({
      kind: 'reply',
      from: 'ann@example.com',
      to: ['replies@maple.test'],
      inReplyTo: [],
      providerMessageId: 'mail-2',
      isAutomatic: false,
    })
    const headers = [
      { name: 'In-Reply-To', value: '<b@maple.test>' },
      { name: 'References', value: '<a@maple.test> <b@maple.test>' },
    ]
    const inReplyTo = ['<b@maple.test>', '<a@maple.test>']
    expect(read('email.received', { ...reply, headers })[0]?.fact).toMatchObject({ inReplyTo })
  })

  test.each([
    [{ headers: { 'Auto-Submitted': 'auto-replied' } }],
    [{ headers: { 'X-Autoreply': 'yes' } }],
    [{ headers: { Precedence: 'bulk' } }],
    [{ subject: 'Automatic reply: Your check-up' }],
    [{ subject: 'Out of office' }],
    [{ subject: 'Automatische Antwort: Termin' }],
    [{ subject: 'Undeliverable: Your check-up' }],
  ])('with %o was written by a machine', (changes) => {
    expect(read('email.received', { ...reply, ...changes })[0]?.fact).toMatchObject({ isAutomatic: true })
  })

  test.each([[{ headers: { 'Auto-Submitted': 'no' } }], [{ subject: 'Re: automatic reply to your offer' }]])(
    'with %o was written by a person',
    (changes) =>
      expect(read('email.received', { ...reply, ...changes })[0]?.fact).toMatchObject({ isAutomatic: false }),
  )
})

describe('a delivery', () => {
  const body = JSON.stringify({ type: 'email.sent', created_at: now.toISOString(), data: mail })
  const signature = new Webhook(webhookSecret).sign('msg_1', now, body)

  test('is believed by any of several signatures, while a secret is being replaced', () => {
    expect(deliver(body, { 'svix-signature': `v1,AAAA v1a,BBBB ${signature}` })).toHaveLength(1)
  })

  test.each([
    ['without an id', { 'svix-id': undefined }],
    ['under another id', { 'svix-id': 'msg_2' }],
    ['without a time', { 'svix-timestamp': undefined }],
    ['at no time', { 'svix-timestamp': 'now' }],
    ['at another time', { 'svix-timestamp': String(now.getTime() / 1000 - 1) }],
    ['without a signature', { 'svix-signature': undefined }],
    ['with an empty one', { 'svix-signature': '' }],
    ['with one of an unknown kind', { 'svix-signature': signature.replace('v1,', 'v2,') }],
  ])('%s is refused', (_what, changes) => {
    expect(() => deliver(body, changes)).toThrow(BadSignature)
  })

  test.each(['', 'nonsense', '[]', '{"type":1}', Buffer.from([0xff, 0xfe])])(
    'of %o is refused, signed or not',
    (odd) => {
      expect(() => deliver(odd)).toThrow(BadSignature)
    },
  )
})
