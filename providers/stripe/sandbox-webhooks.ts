import { createHash } from 'node:crypto'
import { Stripe } from 'stripe'

export interface WebhookTarget {
  url: string
  /** `whsec_...`, as the reader has it. */
  secret: string
}

/** What the sandbox's host lets a provider do unasked. */
export interface Outside {
  now(): Date
  keep(change: unknown): void
  pause(ms: number): Promise<void>
  post(webhook: { url: string; body: string; headers(attemptAt: Date): Record<string, string> }): Promise<void>
}

/** What comes of events on their way. */
export interface Manner {
  /** How often each is sent. */
  duplicates: number
  reorder: boolean
  /** The share that is never sent. */
  lost: number
  /** The same seed loses and shuffles alike. */
  seed: number
}

export const plain: Manner = { duplicates: 1, reorder: false, lost: 0, seed: 1 }

interface Sent {
  id: string
  body: string
}

/** The events as they go out, copies and all, in their order or in none. What `lot` says follows from the seed and an event's number. */
export function sequenceOf<T extends Sent>(
  events: readonly T[],
  { duplicates, reorder, lost, seed }: Manner,
  from = 0,
): T[] {
  const all = events
    .map((event, index) => ({ event, number: from + index }))
    .filter(({ number }) => lot(`${seed}/lost/${number}`) >= lost)
    .flatMap(({ event, number }) =>
      Array.from({ length: duplicates }, (_, copy) => ({ event, at: lot(`${seed}/${number}/${copy}`) })),
    )
  return (reorder ? all.toSorted((a, b) => a.at - b.at) : all).map(({ event }) => event)
}

function lot(seed: string): number {
  return createHash('sha256').update(seed).digest().readUInt32BE(0) / 2 ** 32
}

/** As Stripe signs, anew for each attempt. */
export function signed({ secret }: WebhookTarget, payload: string) {
  return (attemptAt: Date): Record<string, string> => ({
    'content-type': 'application/json; charset=utf-8',
    'stripe-signature': Stripe.webhooks.generateTestHeaderString({
      payload,
      secret,
      timestamp: Math.floor(attemptAt.getTime() / 1000),
    }),
  })
}
