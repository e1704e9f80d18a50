import { setTimeout as sleep } from 'node:timers/promises'
import type { z } from 'zod'
import { idTags } from '../../activities/ports.ts'
import type { Fault } from '../../dev/sandbox/faults.ts'
import type { TakenMessage } from '../../dev/sandbox/tenant.ts'
import { unsubscribeToken } from '../../workflows/contracts/unsubscribe.ts'
import { eventually } from '../support/eventually.ts'
import type { WholeSystem } from '../support/whole-system.ts'
import { type Draws, drawsFrom } from './draws.ts'
import type { Fate, Person } from './drip-people.ts'
import { watch } from './watch.ts'

const lookEveryMs = 400
/** Not before ours are over by our own account, or the fault would be the provider's. */
const keysLastMs = 3_000
const patience = { timeout: 180_000, interval: 200 }

/**
 * Of all calls that send a fifth is taken without an answer, three tenths are refused, and the others take their time. The first of each kind
 * and its repetition meet both for certain: in a short storm the lots might spare everybody.
 */
export function faultsOf(draws: Draws): z.input<typeof Fault>[] {
  const lots = () => ({ seed: draws.whole(1, 1_000_000) })
  const busy = () => ({ kind: 'status', provider: 'resend', status: 429, retryAfterSeconds: 1, ...lots() }) as const
  const sending = ['emails.send', 'emails.batch'].flatMap((operation): z.input<typeof Fault>[] => [
    { kind: 'accept-then-drop', provider: 'resend', operation, count: 1 },
    { ...busy(), operation, count: 1 },
    { kind: 'accept-then-drop', provider: 'resend', operation, rate: 0.2, ...lots() },
    // Of those that are left.
    { ...busy(), operation, rate: 0.375 },
    { kind: 'latency', provider: 'resend', operation, latencyMs: 300 },
  ])
  const reading = ['emails.list', 'emails.get'].map((operation) => ({ ...busy(), operation, rate: 0.3 }))
  return [...sending, ...reading]
}

export interface Weather {
  /** Resolves when everything that was begun is done. */
  clearUp(): Promise<void>
}

/** What people and the provider do while messages go out: webhooks come again and in any order, people opt out, keys are forgotten. */
export function changeWeather(
  system: WholeSystem,
  people: readonly Person[],
  { seed, forgetsKeys }: { seed: string; forgetsKeys: boolean },
): Weather {
  const draws = drawsFrom(`${seed}/weather`)
  const byAddress = new Map(people.map((person) => [person.email, person]))
  const keys = new Map<string, number>()
  const doings: Promise<unknown>[] = []
  let seen = 0
  const watched = watch(lookEveryMs, async () => {
    const taken = await system.messages('resend', seen)
    seen = taken.at(-1)?.seq ?? seen
    for (const message of taken) await befall(message)
    if (forgetsKeys) await forgetKeys(taken)
  })
  return {
    async clearUp() {
      await watched.stop()
      await Promise.all(doings)
    },
  }

  async function befall(message: TakenMessage): Promise<void> {
    const fate = byAddress.get(message.to)?.fate
    if (fate === undefined) throw new Error('a message went to somebody whom nobody knows')
    if (fate === 'optOut' && (message.subject !== 'hello' || draws.chance(0.5))) doings.push(optOut(message))
    if (fate !== 'silent' && draws.chance(0.15)) await repeatWebhooks(message, fate)
  }

  async function repeatWebhooks({ id: emailId }: TakenMessage, fate: Fate): Promise<void> {
    const [type = 'email.sent', ...followedBy] = toldOf(fate)
    const lots = { duplicates: draws.whole(1, 10), reorder: true, seed: draws.whole(1, 1_000_000) }
    await system.happen('resend', { type, followedBy, emailId, ...lots })
  }

  /** At any moment of the next seconds, and again until it is heard. */
  async function optOut({ tags }: TakenMessage): Promise<void> {
    const url = `${system.urls.public}/u/${unsubscribeToken(tags[idTags.message] ?? '')}`
    await sleep(draws.between(0, 8_000))
    await eventually(async () => {
      const { ok, status } = await fetch(url, { method: 'POST' })
      if (!ok) throw new Error(`an opt-out was answered ${status}`)
    }, patience)
  }

  async function forgetKeys(taken: readonly TakenMessage[]): Promise<void> {
    for (const { idempotencyKey: key } of taken) if (key !== null && !keys.has(key)) keys.set(key, Date.now())
    for (const [key, since] of keys) {
      if (since > Date.now() - keysLastMs) continue
      keys.set(key, Infinity)
      await system.happen('resend', { type: 'keys.forget', key })
    }
  }
}

function toldOf(fate: Fate): string[] {
  const delivered = ['email.sent', 'email.delivered']
  if (fate === 'bounce') return ['email.sent', 'email.bounced']
  if (fate === 'complaint') return [...delivered, 'email.complained']
  if (fate === 'reply') return [...delivered, 'email.received']
  if (fate === 'click') return [...delivered, 'email.opened', 'email.clicked']
  return fate === 'open' ? [...delivered, 'email.opened'] : delivered
}
