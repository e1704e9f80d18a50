import { describe, expect, test } from 'vitest'
import { BadSignature, type MessageChannel, ProviderError, type WebhookReader } from '../../activities/ports.ts'
import { eventually } from '../support/eventually.ts'
import type { CaughtWebhook } from '../support/webhook-catcher.ts'

/** A channel and the provider behind it, as the suite needs them. */
export interface ChannelOnTrial<Message> extends AsyncDisposable {
  /** With a time-out of this many ms. */
  channel(timeoutMs: number): MessageChannel<Message>
  /** The same where nobody listens. */
  unreachable: MessageChannel<Message>
  /** One that the provider takes, each to somebody else. */
  message(): Message
  /** One that it never will. */
  impossible(): Message
  /** Our id of a message, as its tags carry it. */
  idOf(message: Message): string
  /** Our ids of all messages that the provider has taken, one for each time. */
  taken(): Promise<string[]>
  /** How many calls have reached the provider. */
  callsHeard(): Promise<number>
  /** What becomes of the next call that sends: `unheard` answers nothing and does nothing, `busy` is a 429. */
  fault(kind: 'accept-then-drop' | 'unheard' | 'busy'): Promise<void>
  /** Reads what the provider's endpoint got, with the endpoint's secret or another. */
  reader: WebhookReader
  strangersReader: WebhookReader
  webhooks: readonly CaughtWebhook[]
}

const patience = { timeout: 10_000, interval: 10 }
const never = new AbortController().signal

/** What every provider of a channel holds to. One that has no keys is not asked to keep them. */
export function holdsAsMessageChannel<Message>(name: string, setUp: () => Promise<ChannelOnTrial<Message>>): void {
  describe(`${name} as a message channel`, () => {
    test('says what became of each message, in their order', async () => {
      await using trial = await setUp()
      const messages = [trial.message(), trial.message(), trial.message()]
      const outcomes = await trial.channel(5_000).send({ key: 'batch/1', messages }, never)
      expect(outcomes.map(({ is }) => is)).toEqual(['sent', 'sent', 'sent'])
      expect(await trial.taken()).toEqual(messages.map(trial.idOf))
      const asked = messages.map((message) => ({ message, calledAt: new Date() }))
      for (const [index, found] of (await trial.channel(5_000).lookUp(asked, never)).entries()) {
        const outcome = outcomes[index]
        if (found.is !== 'not_possible' && outcome?.is === 'sent') {
          expect(found).toEqual({ is: 'found', providerMessageId: outcome.providerMessageId })
        }
      }
    })

    test('the same call under the same key is one message, and has one outcome', async () => {
      await using trial = await setUp()
      const channel = trial.channel(5_000)
      if (channel.keyLifetimeMs === 0) return
      for (const messages of [[trial.message()], [trial.message(), trial.message()]]) {
        const call = { key: `batch/of-${messages.length}`, messages }
        expect(await channel.send(call, never)).toEqual(await channel.send(call, never))
      }
      expect(await trial.taken()).toHaveLength(3)
    })

    test('a call whose answer was lost is unconfirmed, and repeated under its key one message', async () => {
      await using trial = await setUp()
      const channel = trial.channel(5_000)
      const call = { key: 'batch/1', messages: [trial.message(), trial.message()] }
      await trial.fault('accept-then-drop')
      expect(await failureOf(channel.send(call, never))).toBe('unconfirmed')
      if (channel.keyLifetimeMs > 0) {
        expect((await channel.send(call, never)).map(({ is }) => is)).toEqual(['sent', 'sent'])
      }
      expect(await trial.taken()).toEqual(call.messages.map(trial.idOf))
    })

    test('a refusal for being busy has taken nothing', async () => {
      await using trial = await setUp()
      await trial.fault('busy')
      const call = { key: 'batch/1', messages: [trial.message()] }
      expect(await failureOf(trial.channel(5_000).send(call, never))).toBe('retryAfter')
      expect(await trial.taken()).toEqual([])
    })

    test('a refused connection is nothing but a reason to come again', async () => {
      await using trial = await setUp()
      const call = { key: 'batch/1', messages: [trial.message()] }
      expect(await failureOf(trial.unreachable.send(call, never))).toBe('retry')
    })

    test('silence is unconfirmed when the time is over', async () => {
      await using trial = await setUp()
      await trial.fault('unheard')
      const call = { key: 'batch/1', messages: [trial.message()] }
      expect(await failureOf(trial.channel(100).send(call, never))).toBe('unconfirmed')
    })

    test('whoever gives up ends the call, of which something may have come', async () => {
      await using trial = await setUp()
      await trial.fault('unheard')
      const gaveUp = new AbortController()
      const call = { key: 'batch/1', messages: [trial.message()] }
      const failure = failureOf(trial.channel(600_000).send(call, gaveUp.signal))
      await eventually(async () => expect(await trial.callsHeard()).toBe(1), patience)
      gaveUp.abort()
      expect(await failure).toBe('unconfirmed')
    })

    test('a call that was given up before it began has done nothing', async () => {
      await using trial = await setUp()
      const call = { key: 'batch/1', messages: [trial.message()] }
      expect(await failureOf(trial.channel(5_000).send(call, AbortSignal.abort()))).toBe('retry')
      expect(await trial.taken()).toEqual([])
    })

    test('one impossible message among many takes no other with it', async () => {
      await using trial = await setUp()
      const channel = trial.channel(5_000)
      const messages = [trial.message(), trial.impossible(), trial.message()]
      const together = channel.send({ key: 'batch/1', messages }, never)
      const outcomes = await together.catch(async (error: unknown) => {
        // As a whole, and then one by one.
        expect(error).toMatchObject({ outcome: 'rejected' })
        const singly = messages.map((message, at) => channel.send({ key: `batch/1/${at}`, messages: [message] }, never))
        return (await Promise.all(singly)).flat()
      })
      expect(outcomes).toMatchObject([{ is: 'sent' }, { is: 'rejected', code: expect.any(String) }, { is: 'sent' }])
      expect(await trial.taken()).toHaveLength(2)
    })

    test('an impossible message is rejected on its own, too', async () => {
      await using trial = await setUp()
      const call = { key: 'batch/1', messages: [trial.impossible()] }
      expect(await trial.channel(5_000).send(call, never)).toMatchObject([{ is: 'rejected' }])
      expect(await trial.taken()).toEqual([])
    })

    test('a look-up finds what was taken and not what was not, or says that it cannot tell', async () => {
      await using trial = await setUp()
      const channel = trial.channel(5_000)
      const [lost, never1] = [trial.message(), trial.message()]
      const calledAt = new Date()
      await trial.fault('accept-then-drop')
      expect(await failureOf(channel.send({ key: 'batch/1', messages: [lost] }, never))).toBe('unconfirmed')
      const asked = [lost, never1].map((message) => ({ message, calledAt }))
      const [ofLost, ofNever] = await channel.lookUp(asked, never)
      expect(['found', 'not_possible']).toContain(ofLost?.is)
      expect(['not_found', 'not_possible']).toContain(ofNever?.is)
    })

    test('our ids come back in the webhook, with the id that the outcome named', async () => {
      await using trial = await setUp()
      const message = trial.message()
      const [outcome] = await trial.channel(5_000).send({ key: 'batch/1', messages: [message] }, never)
      const fact = await eventually(() => {
        const facts = trial.webhooks.flatMap(({ rawBody, headers }) => trial.reader(rawBody, headers, new Date()))
        const delivered = facts.map((event) => event.fact).find((one) => one?.kind === 'message')
        return delivered ?? fail('no webhook yet')
      }, patience)
      expect(fact).toMatchObject({ messageId: trial.idOf(message), organisationId: expect.any(String) })
      expect(outcome).toEqual({ is: 'sent', providerMessageId: fact.providerMessageId })
    })

    test('a webhook that was changed, is old, bare or signed by another is refused', async () => {
      await using trial = await setUp()
      await trial.channel(5_000).send({ key: 'batch/1', messages: [trial.message()] }, never)
      const { rawBody, headers } = await eventually(() => trial.webhooks[0] ?? fail('no webhook yet'), patience)
      const now = new Date()
      const minutesAway = (minutes: number) => new Date(now.getTime() + minutes * 60_000)
      expect(trial.reader(rawBody, headers, now)).toHaveLength(1)
      for (const place of [0, Math.floor(rawBody.length / 2), rawBody.length - 1]) {
        const changed = Buffer.from(rawBody)
        changed[place] = (changed[place] ?? 0) ^ 1
        expect(() => trial.reader(changed, headers, now)).toThrow(BadSignature)
      }
      expect(() => trial.reader(rawBody, headers, minutesAway(6))).toThrow(BadSignature)
      expect(() => trial.reader(rawBody, headers, minutesAway(-6))).toThrow(BadSignature)
      expect(() => trial.reader(rawBody, {}, now)).toThrow(BadSignature)
      expect(() => trial.strangersReader(rawBody, headers, now)).toThrow(BadSignature)
    })
  })
}

/** How a call failed; what is no ProviderError is thrown on. */
async function failureOf(call: Promise<unknown>): Promise<ProviderError['outcome']> {
  try {
    await call
  } catch (error) {
    if (error instanceof ProviderError) return error.outcome
    throw error
  }
  throw new Error('the call succeeded')
}

function fail(what: string): never {
  throw new Error(what)
}
