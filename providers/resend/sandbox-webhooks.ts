import { createHash } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { eventBody, lastStage, planFor, receivedBody, sequenceOf } from './sandbox-events.ts'
import { type createMailbox, type Emission, emailId, emissionId } from './sandbox-mailbox.ts'

export interface WebhookTarget {
  url: string
  /** `whsec_...`, as the reader has it. */
  secret: string
}

/** What the sandbox's host lets a provider do unasked. */
export interface Outside {
  keep(change: unknown): void
  pause(ms: number): Promise<void>
  post(webhook: { url: string; body: string; headers(attemptAt: Date): Record<string, string> }): Promise<void>
}

/**
 * Sends the webhooks of what happens, each at least once: what was not heard before the sandbox was killed is sent again, under the same
 * ids and with the same words.
 */
export function createEmitter(target: WebhookTarget, mailbox: ReturnType<typeof createMailbox>, gapMs: number) {
  const webhook = new Webhook(target.secret)
  let outside: Outside | undefined

  return {
    open(opened: Outside): void {
      outside = opened
      for (const emission of mailbox.unsettled.values()) void send(emission, opened)
    },

    /** Returns at once. */
    emit(emission: Emission): void {
      if (outside && mailbox.unsettled.has(emissionId(emission))) void send(emission, outside)
    },
  }

  async function send(emission: Emission, { keep, pause, post }: Outside): Promise<void> {
    const heard: Promise<void>[] = []
    const say = (seed: string, body: string) => heard.push(post({ url: target.url, body, headers: signed(seed, body) }))
    if (emission.kind === 'asked') {
      await pause(0)
      sayAsked(emission, say)
    } else {
      for (let stage = 0; stage <= lastStage; stage += 1) {
        await pause(gapMs)
        sayStage(emission, stage, say)
      }
    }
    await Promise.all(heard)
    const settled = { kind: 'settled', id: emissionId(emission) } as const
    keep(settled)
    mailbox.apply(settled)
  }

  /** Of every message of a call, what comes of it at this step. */
  function sayStage({ call }: Extract<Emission, { kind: 'taken' }>, stage: number, say: Say): void {
    const at = new Date(Date.parse(call.at) + (stage + 1) * gapMs)
    for (const [position, email] of mailbox.contents(call).entries()) {
      const id = emailId(call, position)
      const planned = planFor(email)[stage]
      const stored = planned && mailbox.find(id)
      if (stored) say(`${id}/${stage}`, eventBody(planned, stored, at))
    }
  }

  function sayAsked({ id, at: askedAt, asked }: Extract<Emission, { kind: 'asked' }>, say: Say): void {
    const at = new Date(askedAt)
    const email = asked.emailId === undefined ? undefined : mailbox.find(asked.emailId)
    for (const { type, index } of sequenceOf(asked)) {
      const { bounceType, subject } = asked
      say(`${id}/${index}`, email ? eventBody({ type, bounceType, subject }, email, at) : receivedBody(asked, at))
    }
  }

  /** As Svix signs, whose ids are the same for every attempt and every copy. */
  function signed(seed: string, body: string) {
    const id = `msg_${createHash('sha256').update(seed).digest('base64url').slice(0, 27)}`
    return (attemptAt: Date): Record<string, string> => ({
      'content-type': 'application/json',
      'svix-id': id,
      'svix-timestamp': String(Math.floor(attemptAt.getTime() / 1000)),
      'svix-signature': webhook.sign(id, attemptAt, body),
    })
  }
}

type Say = (seed: string, body: string) => void
