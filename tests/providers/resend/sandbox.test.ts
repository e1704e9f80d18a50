import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type InboundEvent, idTags } from '../../../activities/ports.ts'
import { createResendWebhooks } from '../../../providers/resend/webhook.ts'
import { eventually } from '../../support/eventually.ts'
import { anEmail, neverAborted, resendOn, webhookSecret } from '../../support/resend.ts'
import { startTestSandbox, type TestSandbox } from '../../support/sandbox.ts'
import { catchWebhooks, type WebhookCatcher } from '../../support/webhook-catcher.ts'

const patience = { timeout: 10_000, interval: 10 }
const read = createResendWebhooks(webhookSecret)

let catcher: WebhookCatcher
let stateDir: string
beforeEach(async () => {
  catcher = await catchWebhooks()
  stateDir = await mkdtemp(join(tmpdir(), 'throughline-sandbox-'))
})
afterEach(async () => {
  await catcher[Symbol.asyncDispose]()
  await rm(stateDir, { recursive: true })
})

const start = (eventGapMs = 5) =>
  startTestSandbox({ stateDir, resend: { webhook: { url: catcher.url, secret: webhookSecret }, eventGapMs } })

async function sendTo(sandbox: TestSandbox, to: string, key = to): Promise<string> {
  const [outcome] = await resendOn(sandbox).send({ key, messages: [anEmail({ to })] }, neverAborted)
  return outcome?.is === 'sent' ? outcome.providerMessageId : ''
}

const events = (): InboundEvent[] =>
  catcher.caught.flatMap(({ rawBody, headers }) => read(rawBody, headers, new Date()))
const types = () => events().map(({ type }) => type.replace('email.', ''))
const heard = (expected: string[]) => eventually(() => expect(types()).toEqual(expected), patience)

describe('what comes of a message', () => {
  test.each([
    ['ann@example.com', ['sent', 'delivered']],
    ['bounce+1@example.com', ['sent', 'bounced']],
    ['complaint+1@example.com', ['sent', 'delivered', 'complained']],
    ['click+1@example.com', ['sent', 'delivered', 'opened', 'clicked']],
    ['reply+1@example.com', ['sent', 'delivered', 'received']],
    ['fail+1@example.com', ['failed']],
  ])('to %s is %o', async (to, expected) => {
    await using sandbox = await start()
    await sendTo(sandbox, to)
    await heard(expected)
  })

  test('a reply goes to where the message asks for it', async () => {
    await using sandbox = await start()
    await sendTo(sandbox, 'autoreply+ann@example.com')
    await eventually(() => expect(types()).toContain('received'), patience)
    expect(events().at(-1)?.fact).toMatchObject({
      from: 'autoreply+ann@example.com',
      to: ['replies@maple-dental.test'],
      isAutomatic: true,
    })
  })

  test('nothing is sent by itself while that is switched off, not even for what was sent meanwhile', async () => {
    await using sandbox = await start()
    await sandbox.happen('resend', { type: 'webhooks.off' })
    await sendTo(sandbox, 'ann@example.com')
    await sandbox.happen('resend', { type: 'webhooks.on' })
    await sendTo(sandbox, 'fail+ben@example.com')
    await heard(['failed'])
  })
})

describe('events that are asked for', () => {
  test('come for the newest message to an address, copied under one id and in another order', async () => {
    await using sandbox = await start()
    await sendTo(sandbox, 'silent+ann@example.com', 'first')
    const id = await sendTo(sandbox, 'silent+ann@example.com', 'second')
    const asked = {
      type: 'email.delivered',
      followedBy: ['email.opened', 'email.clicked'],
      to: 'silent+ann@example.com',
    }
    await sandbox.happen('resend', { ...asked, duplicates: 2, reorder: true, seed: 3 })
    const all = await eventually(() => {
      expect(events()).toHaveLength(6)
      return events()
    }, patience)
    expect(new Set(all.map((event) => event.id)).size).toBe(3)
    expect(all.every(({ fact }) => fact !== null && 'providerMessageId' in fact && fact.providerMessageId === id)).toBe(
      true,
    )
    expect(types()).not.toEqual(['delivered', 'delivered', 'opened', 'opened', 'clicked', 'clicked'])
  })

  test('say how it bounced, and who writes without having been written to', async () => {
    await using sandbox = await start()
    const emailId = await sendTo(sandbox, 'silent+ann@example.com')
    await sandbox.happen('resend', { type: 'email.bounced', emailId, bounceType: 'Transient' })
    await sandbox.happen('resend', {
      type: 'email.received',
      from: 'eve@example.com',
      inbox: 'hello@maple-dental.test',
    })
    await eventually(() => expect(events()).toHaveLength(2), patience)
    const facts = events().map(({ fact }) => fact)
    expect(facts).toContainEqual(expect.objectContaining({ event: 'bounced', isPermanent: false }))
    expect(facts).toContainEqual(expect.objectContaining({ kind: 'reply', from: 'eve@example.com' }))
  })

  test.each([{ type: 'email.bounced', emailId: 'x' }, { type: 'email.bounced', to: 'x@example.com' }, { type: 'x' }])(
    '%o is refused',
    async (event) => {
      await using sandbox = await start()
      expect((await sandbox.control('POST', '/_sandbox/events', { provider: 'resend', ...event })).status).toBe(400)
    },
  )
})

describe('after a restart', () => {
  test('messages, keys and their contents are there again', async () => {
    const before = await start()
    const message = anEmail({ to: 'silent+ann@example.com' })
    const call = { key: 'batch/1', messages: [message, anEmail({ to: 'nobody' })] }
    const outcomes = await resendOn(before).send(call, neverAborted)
    await before.close()

    await using after = await start()
    expect(await resendOn(after).send(call, neverAborted)).toEqual(outcomes)
    expect(await after.messages('resend')).toMatchObject([
      { seq: 1, to: message.to, idempotencyKey: 'batch/1', tags: { [idTags.message]: message.tags[idTags.message] } },
    ])
    const [found] = await resendOn(after).lookUp([{ message, calledAt: new Date() }], neverAborted)
    expect(found?.is).toBe('found')
    await after.happen('resend', { type: 'keys.forget' })
    await resendOn(after).send(call, neverAborted)
    expect(await after.messages('resend')).toHaveLength(2)
  })

  test('a webhook that was not heard before comes under the same id; one that was comes no more', async () => {
    const before = await start(5)
    await sendTo(before, 'fail+heard@example.com')
    await heard(['failed'])
    const journal = () => readFile(join(stateDir, 'sandbox.jsonl'), 'utf8')
    await eventually(async () => expect(await journal()).toContain('"settled"'), patience)
    await before.close()
    const slow = await start(600_000)
    await sendTo(slow, 'fail+unheard@example.com')
    await slow.close()

    await using after = await start()
    await heard(['failed', 'failed'])
    await sendTo(after, 'fail+last@example.com')
    await heard(['failed', 'failed', 'failed'])
    expect(new Set(events().map(({ id }) => id)).size).toBe(3)
  })
})

test('a webhook that is refused comes again', async () => {
  await using sandbox = await start()
  catcher.refuse(2)
  await sendTo(sandbox, 'fail+ann@example.com')
  await heard(['failed'])
})

test('a reset forgets messages, keys and webhooks not yet sent', async () => {
  await using sandbox = await start()
  await sendTo(sandbox, 'ann@example.com')
  await sandbox.control('DELETE', '/_sandbox')
  expect(await sandbox.messages('resend')).toEqual([])
  await sendTo(sandbox, 'fail+ben@example.com')
  await eventually(() => expect(types()).toContain('failed'), patience)
  expect(await sandbox.messages('resend')).toHaveLength(1)
})

describe('as Resend does, it', () => {
  const ask = (sandbox: TestSandbox, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    fetch(`${sandbox.urls.resend}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: 'Bearer test', ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  const mail = { from: 'Ann <ann@example.com>', to: ['ben@example.com'], subject: 'Hello', text: 'Hello' }

  test.each([
    [{ ...mail, from: undefined }, 422, 'missing_required_field'],
    [{ ...mail, from: 'ann' }, 422, 'validation_error'],
    [{ ...mail, from: 'ann@unverified.test' }, 403, 'validation_error'],
    [{ ...mail, to: 'ben@nowhere' }, 422, 'validation_error'],
    [{ ...mail, to: [] }, 422, 'missing_required_field'],
    [{ ...mail, to: Array.from({ length: 51 }, () => 'ben@example.com') }, 422, 'validation_error'],
    [{ ...mail, subject: undefined }, 422, 'missing_required_field'],
    [{ ...mail, text: undefined }, 422, 'missing_required_field'],
    [{ ...mail, tags: [{ name: 'a b', value: 'c' }] }, 422, 'validation_error'],
    [[mail], 422, 'validation_error'],
  ])('refuses %o with %i %s', async (body, status, name) => {
    await using sandbox = await startTestSandbox()
    const response = await ask(sandbox, '/emails', body)
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ statusCode: status, name })
  })

  test('refuses a strict batch for one of its messages, and one of more than a hundred', async () => {
    await using sandbox = await startTestSandbox()
    expect((await ask(sandbox, '/emails/batch', [mail, { ...mail, to: 'x' }])).status).toBe(422)
    expect(
      (
        await ask(
          sandbox,
          '/emails/batch',
          Array.from({ length: 101 }, () => mail),
        )
      ).status,
    ).toBe(422)
    expect(await sandbox.messages('resend')).toEqual([])
    expect((await ask(sandbox, '/emails/batch', [mail, mail])).status).toBe(200)
  })

  test('knows keys of up to 256 characters, callers by their key, and e-mails by their id', async () => {
    await using sandbox = await startTestSandbox()
    const status = async (...call: [path: string, body?: unknown, headers?: Record<string, string>]) =>
      (await ask(sandbox, ...call)).status
    expect(await status('/emails', mail, { 'idempotency-key': 'k'.repeat(257) })).toBe(400)
    expect(await status('/emails', mail, { authorization: '' })).toBe(401)
    expect(await status('/emails', mail, { authorization: 'Bearer wrong' })).toBe(403)
    expect(await status('/emails/unknown')).toBe(404)
    expect(await status('/emails?limit=101')).toBe(422)
    expect(await status('/emails?after=unknown')).toBe(422)
    expect(await status('/domains')).toBe(404)
  })

  test('lists the newest first, in pages both ways', async () => {
    await using sandbox = await startTestSandbox()
    const subjects = ['1', '2', '3', '4', '5']
    await ask(
      sandbox,
      '/emails/batch',
      subjects.map((subject) => ({ ...mail, subject })),
    )
    const list = async (query: string) => JSON.parse(await (await ask(sandbox, `/emails?${query}`)).text())
    const first = await list('limit=2')
    expect(first).toMatchObject({ has_more: true, data: [{ subject: '5' }, { subject: '4' }] })
    expect(await list(`limit=2&after=${first.data[1].id}`)).toMatchObject({
      data: [{ subject: '3' }, { subject: '2' }],
    })
    const last = await list('limit=9')
    expect(await list(`limit=2&before=${last.data[4].id}`)).toMatchObject({
      has_more: true,
      data: [{ subject: '3' }, { subject: '2' }],
    })
  })
})
