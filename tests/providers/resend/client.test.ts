import { createServer } from 'node:http'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { ProviderError } from '../../../activities/ports.ts'
import { createResend } from '../../../providers/resend/client.ts'
import { portOf } from '../../support/free-ports.ts'
import { anEmail, neverAborted, resendOn } from '../../support/resend.ts'
import { startTestSandbox } from '../../support/sandbox.ts'

const key = 'batch/1'

describe('an answer is classed by what it leaves behind:', () => {
  const named = (name: string, statusCode: number) => ({ status: statusCode, body: { name, statusCode, message: 'x' } })
  const retryAfter = { 'retry-after': '30' }

  test.each([
    [named('rate_limit_exceeded', 429), 'retryAfter', 'rate_limited', undefined],
    [{ ...named('rate_limit_exceeded', 429), headers: retryAfter }, 'retryAfter', 'rate_limited', 30_000],
    [{ ...named('daily_quota_exceeded', 429), headers: retryAfter }, 'retryAfter', 'quota_used_up', 3_600_000],
    [named('monthly_quota_exceeded', 429), 'retryAfter', 'quota_used_up', 21_600_000],
    [named('concurrent_idempotent_requests', 409), 'unconfirmed', 'call_under_way', undefined],
    [named('invalid_idempotent_request', 409), 'unconfirmed', 'key_reused', undefined],
    [named('missing_api_key', 401), 'rejected', 'invalid_key', undefined],
    [named('invalid_api_key', 403), 'rejected', 'invalid_key', undefined],
    [named('validation_error', 403), 'rejected', 'not_allowed', undefined],
    [named('validation_error', 422), 'rejected', 'invalid_message', undefined],
    [named('internal_server_error', 500), 'unconfirmed', 'http_500', undefined],
    [{ status: 502, body: 'Bad Gateway' }, 'unconfirmed', 'http_502', undefined],
    [{ status: 302, body: '', headers: { location: '/' } }, 'unconfirmed', 'unexpected_answer', undefined],
    [{ status: 200, body: 'taken!' }, 'unconfirmed', 'unexpected_answer', undefined],
    [{ status: 200, body: { data: [{ id: 'a' }] } }, 'unconfirmed', 'unexpected_answer', undefined],
    [{ status: 200, body: { data: [{ id: 'a' }, {}] } }, 'unconfirmed', 'unexpected_answer', undefined],
    [
      { status: 200, body: { data: [{ id: 'a' }], errors: [{ index: 7, message: 'x' }] } },
      'unconfirmed',
      'unexpected_answer',
      undefined,
    ],
  ])('%o is %s, %s', async (answer, outcome, code, retryAfterMs) => {
    await using resend = await answering(answer)
    const error = await failureOf(resend.client.send({ key, messages: [anEmail(), anEmail()] }, neverAborted))
    expect(error).toMatchObject({ outcome, code, retryAfterMs })
  })

  test.each([
    [named('validation_error', 422), 'invalid_message'],
    [named('missing_required_field', 422), 'invalid_message'],
    [named('invalid_from_address', 422), 'invalid_sender'],
  ])('%o to a single message is its outcome: %s', async (answer, code) => {
    await using resend = await answering(answer)
    const outcomes = await resend.client.send({ key, messages: [anEmail()] }, neverAborted)
    expect(outcomes).toEqual([{ is: 'rejected', code }])
  })

  test('ids are given to those that were not refused, in their order', async () => {
    const errors = [{ index: 1, message: 'Invalid `to` field.' }]
    await using resend = await answering({ status: 200, body: { data: [{ id: 'a' }, { id: 'b' }], errors } })
    const messages = [anEmail(), anEmail(), anEmail()]
    expect(await resend.client.send({ key, messages }, neverAborted)).toEqual([
      { is: 'sent', providerMessageId: 'a' },
      { is: 'rejected', code: 'invalid_message' },
      { is: 'sent', providerMessageId: 'b' },
    ])
  })

  test('no failure quotes the key or an address', async () => {
    await using resend = await answering({ status: 422, body: { name: 'x', message: 'ann@example.com' } })
    const error = await failureOf(resend.client.send({ key, messages: [anEmail(), anEmail()] }, neverAborted))
    expect(inspect(error, { depth: 9 })).not.toMatch(/ann@example|top-secret/)
  })
})

describe('against the sandbox', () => {
  test('the same message has the same bytes, in whatever order its fields come back', async () => {
    await using sandbox = await startTestSandbox()
    const message = anEmail({ headers: { b: '1', a: '2' } })
    const reordered = { ...message, headers: { a: '2', b: '1' }, tags: reversed(message.tags) }
    const first = await resendOn(sandbox).send({ key, messages: [message] }, neverAborted)
    expect(await resendOn(sandbox).send({ key, messages: [reordered] }, neverAborted)).toEqual(first)
  })

  test('a key for another request is told from a call that is still under way', async () => {
    await using sandbox = await startTestSandbox({ resend: { processingMs: 100 } })
    const call = { key, messages: [anEmail()] }
    const both = [resendOn(sandbox).send(call, neverAborted), resendOn(sandbox).send(call, neverAborted)]
    const settled = await Promise.allSettled(both)
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(settled.find((one) => one.status === 'rejected')?.reason).toMatchObject({ code: 'call_under_way' })
    const other = resendOn(sandbox).send({ key, messages: [anEmail()] }, neverAborted)
    expect(await failureOf(other)).toMatchObject({ outcome: 'unconfirmed', code: 'key_reused' })
    expect(await sandbox.messages('resend')).toHaveLength(1)
  })

  test('a key that is too long, or no header could carry, is always the same other key', async () => {
    await using sandbox = await startTestSandbox()
    for (const odd of ['k'.repeat(300), 'schlüssel']) {
      const call = { key: odd, messages: [anEmail()] }
      expect(await resendOn(sandbox).send(call, neverAborted)).toEqual(await resendOn(sandbox).send(call, neverAborted))
    }
    const keys = (await sandbox.messages('resend')).map(({ idempotencyKey }) => idempotencyKey)
    expect(keys).toEqual([expect.stringMatching(/^[\da-f]{64}$/), expect.stringMatching(/^[\da-f]{64}$/)])
  })

  test('a key is given up before Resend forgets it', async () => {
    await using sandbox = await startTestSandbox()
    const resend = resendOn(sandbox)
    const call = { key, messages: [anEmail()] }
    const first = await resend.send(call, neverAborted)
    await sandbox.advanceClock(resend.keyLifetimeMs / 1000)
    expect(await resend.send(call, neverAborted)).toEqual(first)
    await sandbox.advanceClock(600)
    await resend.send(call, neverAborted)
    expect(await sandbox.messages('resend')).toHaveLength(2)
  })

  test('a look-up tells by the tags which of many is meant, over several pages', async () => {
    await using sandbox = await startTestSandbox()
    const resend = resendOn(sandbox)
    const calledAt = new Date()
    const [wanted, lost] = [anEmail(), anEmail()]
    const [taken] = await resend.send({ key, messages: [wanted, anEmail()] }, neverAborted)
    for (const batch of ['b', 'c']) {
      const others = Array.from({ length: 100 }, (_, index) => anEmail({ to: `other-${index}@example.com` }))
      await resend.send({ key: batch, messages: others }, neverAborted)
    }
    const asked = [wanted, lost].map((message) => ({ message, calledAt }))
    expect(await resend.lookUp(asked, neverAborted)).toEqual([{ ...taken, is: 'found' }, { is: 'not_found' }])
  })

  test('a look-up reads past thousands, and goes on when Resend is too busy in between', async () => {
    await using sandbox = await startTestSandbox()
    const resend = resendOn(sandbox)
    const calledAt = new Date()
    const [wanted, lost] = [anEmail(), anEmail()]
    const [taken] = await resend.send({ key, messages: [wanted] }, neverAborted)
    const others = Array.from({ length: 100 }, (_, index) => anEmail({ to: `other-${index}@example.com` }))
    for (let batch = 1; batch <= 12; batch += 1) {
      await resend.send({ key: `others/${batch}`, messages: others }, neverAborted)
    }
    const busy = { provider: 'resend', kind: 'status', status: 429, retryAfterSeconds: 0, rate: 0.5, count: 3 } as const
    for (const operation of ['emails.list', 'emails.get']) await sandbox.addFault({ ...busy, operation })
    const asked = [wanted, lost].map((message) => ({ message, calledAt }))
    expect(await resend.lookUp(asked, neverAborted)).toEqual([{ ...taken, is: 'found' }, { is: 'not_found' }])
  })

  test('a look-up says that it cannot tell when it may not read, or not far enough back', async () => {
    await using sandbox = await startTestSandbox()
    const longAgo = new Date(Date.now() - 25 * 60 * 60_000)
    const asked = [longAgo, new Date()].map((calledAt) => ({ message: anEmail(), calledAt }))
    expect(await resendOn(sandbox).lookUp(asked, neverAborted)).toEqual([{ is: 'not_possible' }, { is: 'not_found' }])
    const sendsOnly = resendOn(sandbox, { apiKey: 'sending-only' })
    expect(await sendsOnly.lookUp(asked, neverAborted)).toEqual([{ is: 'not_possible' }, { is: 'not_possible' }])
  })

  test('a look-up without an answer is nothing but a reason to ask again', async () => {
    await using sandbox = await startTestSandbox()
    await sandbox.addFault({ provider: 'resend', kind: 'timeout' })
    const lookUp = resendOn(sandbox, { timeoutMs: 50 }).lookUp(
      [{ message: anEmail(), calledAt: new Date() }],
      neverAborted,
    )
    expect(await failureOf(lookUp)).toMatchObject({ outcome: 'retry', code: 'timeout' })
  })
})

/** A Resend that always answers the same. */
async function answering({ status, body, headers = {} }: { status: number; body: unknown; headers?: object }) {
  const server = createServer((_request, response) => {
    response.writeHead(status, { ...headers }).end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    client: createResend({ apiKey: 'top-secret', baseUrl: `http://127.0.0.1:${portOf(server)}` }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function reversed(fields: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).toReversed())
}

async function failureOf(call: Promise<unknown>): Promise<ProviderError> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ProviderError)
  if (!(error instanceof ProviderError)) throw new Error('the call did not fail as a provider does')
  return error
}
