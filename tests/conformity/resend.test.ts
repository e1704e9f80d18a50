import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { idTags, type RenderedEmail } from '../../activities/ports.ts'
import { loadConfig } from '../../config.ts'
import { createResend } from '../../providers/resend/client.ts'
import { createResendWebhooks } from '../../providers/resend/webhook.ts'
import type { Exchange } from '../support/discovery.ts'
import { eventually } from '../support/eventually.ts'
import { freePorts } from '../support/free-ports.ts'
import { openDescription } from '../support/openapi.ts'
import { anEmail, neverAborted, resendOn, webhookSecret } from '../support/resend.ts'
import { startTestSandbox, type TestSandbox } from '../support/sandbox.ts'
import { catchWebhooks } from '../support/webhook-catcher.ts'
import { type ChannelOnTrial, holdsAsMessageChannel } from './message-channel.ts'

holdsAsMessageChannel('Resend', onTrial)

async function onTrial(): Promise<ChannelOnTrial<RenderedEmail>> {
  const catcher = await catchWebhooks()
  const sandbox = await startTestSandbox({ resend: { webhook: { url: catcher.url, secret: webhookSecret } } })
  const [port] = await freePorts(1)
  let made = 0
  const fault = { provider: 'resend', count: 1 } as const
  return {
    channel: (timeoutMs) => resendOn(sandbox, { timeoutMs }),
    unreachable: createResend({ apiKey: 'test', baseUrl: `http://localhost:${port}` }),
    message: () => anEmail({ to: `person-${++made}@example.com` }),
    impossible: () => anEmail({ to: 'no address' }),
    idOf: ({ tags }) => tags[idTags.message] ?? '',
    taken: async () => (await sandbox.messages('resend')).map(({ tags }) => tags[idTags.message] ?? ''),
    callsHeard: async () => (await sandbox.requests({ provider: 'resend' })).length,
    async fault(kind) {
      if (kind === 'busy') await sandbox.addFault({ ...fault, kind: 'status', status: 429, retryAfterSeconds: 1 })
      else await sandbox.addFault({ ...fault, kind: kind === 'unheard' ? 'timeout' : kind })
    },
    reader: createResendWebhooks(webhookSecret),
    strangersReader: createResendWebhooks(`whsec_${Buffer.from('the secret of somebody else').toString('base64')}`),
    webhooks: catcher.caught,
    async [Symbol.asyncDispose]() {
      await sandbox.close()
      await catcher[Symbol.asyncDispose]()
    },
  }
}

const file = join(loadConfig().specsDir, 'resend.json')
const isAbsent = !existsSync(file)

/** What the API answers by its documentation and the SDK's types, and its description has not. */
const undescribed = [
  'answer  must NOT have unevaluated properties {"unevaluatedProperty":"errors"}',
  'answer  must NOT have unevaluated properties {"unevaluatedProperty":"tags"}',
]

describe.skipIf(isAbsent)(`Resend's description${isAbsent ? ' (skipped: no resend.json in SPECS_DIR)' : ''}`, () => {
  test('fits all that our client sends and the sandbox answers', async () => {
    await using sandbox = await startTestSandbox()
    const api = openDescription(file)
    const checked = (await wholeStory(sandbox)).map((exchange) => api.check(exchange))
    expect(new Set(checked.flatMap((one) => one?.problems ?? ['no such operation']))).toEqual(new Set(undescribed))
    expect(new Set(checked.map((one) => one?.id))).toEqual(
      new Set(['emails/send', 'emails/send-batch', 'emails/list', 'emails/get']),
    )
  })

  test('fits every webhook that the sandbox sends', async () => {
    await using catcher = await catchWebhooks()
    const webhook = { url: catcher.url, secret: webhookSecret }
    await using sandbox = await startTestSandbox({ resend: { webhook } })
    const people = ['bounce', 'soft-bounce', 'complaint', 'click', 'reply', 'delay', 'fail', 'suppressed']
    const messages = people.map((word) => anEmail({ to: `${word}+ann@example.com` }))
    await resendOn(sandbox).send({ key: 'batch/1', messages }, neverAborted)
    const types = await eventually(
      () => {
        const seen = new Set(catcher.caught.map(typeOf))
        expect(seen.size).toBe(10)
        return seen
      },
      { timeout: 10_000, interval: 10 },
    )
    const api = openDescription(file)
    const problems = catcher.caught.flatMap((one) => api.checkWebhook(typeOf(one), bodyOf(one)) ?? ['no such webhook'])
    expect(problems).toEqual([])
    expect(types).toContain('email.received')
  })

  test('would find a misspelt field, parameter or answer', () => {
    const api = openDescription(file)
    const exchange = { method: 'POST', path: '/emails', status: 200, answer: { id: 'x' } }
    const body = { from: 'a@example.com', to: 'b@example.com', subject: 'Hello' }
    const problems = (changes: Partial<Exchange>) => api.check({ ...exchange, body, ...changes })?.problems
    expect(problems({})).toEqual([])
    expect(problems({ body: { ...body, replyTo: 'c@example.com' } })).toHaveLength(1)
    expect(problems({ answer: { ID: 'x' } })).toHaveLength(1)
    expect(problems({ path: '/emails?dry=1' })).toHaveLength(1)
    const data = { email_id: 'x', created_at: new Date().toISOString(), ...body, to: [body.to] }
    const event = { type: 'email.sent', created_at: data.created_at, data }
    expect(api.checkWebhook('email.sent', event)).toEqual([])
    expect(api.checkWebhook('email.sent', { ...event, data: { ...data, tag: {} } })).not.toEqual([])
    expect(api.checkWebhook('email.bounced', { ...event, type: 'email.bounced' })).not.toEqual([])
  })
})

/** Every call that our client makes, with what went over the wire. */
async function wholeStory(sandbox: TestSandbox): Promise<Exchange[]> {
  const exchanges: Exchange[] = []
  const recording: typeof fetch = async (address, init) => {
    const response = await fetch(address, init)
    const url = new URL(address instanceof Request ? address.url : address)
    exchanges.push({
      method: init?.method ?? 'GET',
      path: `${url.pathname.replace(/^\/resend/, '')}${url.search}`,
      body: typeof init?.body === 'string' ? JSON.parse(init.body) : undefined,
      status: response.status,
      answer: await response.clone().json(),
    })
    return response
  }
  const resend = resendOn(sandbox, { fetch: recording })
  const one = anEmail()
  const calledAt = new Date()
  await resend.send({ key: 'batch/1', messages: [one] }, neverAborted)
  await resend.send({ key: 'batch/2', messages: [anEmail(), anEmail({ replyTo: null, to: 'nobody' })] }, neverAborted)
  await resend.lookUp([{ message: one, calledAt }], neverAborted)
  return exchanges
}

const bodyOf = ({ rawBody }: { rawBody: Buffer }): unknown => JSON.parse(rawBody.toString())
const typeOf = (webhook: { rawBody: Buffer }) => z.object({ type: z.string() }).parse(bodyOf(webhook)).type
