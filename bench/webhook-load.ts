import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import type { SignedWebhook } from './stripe-events.ts'

export interface Load {
  /** Milliseconds that each took, in no order. */
  tookMs: number[]
  /** From the first to the last answer. */
  seconds: number
}

/** As many at a time as there are connections, each sent when the one before it is answered. Throws for any answer but 2xx. */
export async function postInLanes(url: string, webhooks: readonly SignedWebhook[], lanes: number): Promise<Load> {
  await using target = open(url, lanes)
  const waiting = webhooks.values()
  const tookMs: number[] = []
  const begun = performance.now()
  const lane = async () => {
    for (const webhook of waiting) {
      const sentAt = performance.now()
      await target.post(webhook)
      tookMs.push(performance.now() - sentAt)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return { tookMs, seconds: (performance.now() - begun) / 1000 }
}

/**
 * So many a second, whether those before them are answered or not. What one took counts from the moment at which it was to be sent: one that had to
 * wait for us, or for a connection, has waited.
 */
export async function postAtRate(
  url: string,
  webhooks: readonly SignedWebhook[],
  { perSecond, lanes }: { perSecond: number; lanes: number },
): Promise<Load> {
  await using target = open(url, lanes)
  const begun = performance.now()
  const tookMs = await Promise.all(
    webhooks.map(async (webhook, index) => {
      const dueAt = begun + (index * 1000) / perSecond
      // A timer may come early by a part of its millisecond.
      while (performance.now() < dueAt) await sleep(Math.max(0, dueAt - performance.now()))
      await target.post(webhook)
      return performance.now() - dueAt
    }),
  )
  return { tookMs, seconds: (performance.now() - begun) / 1000 }
}

function open(url: string, connections: number) {
  const { origin, pathname } = new URL(url)
  const pool = new Pool(origin, { connections, pipelining: 1 })
  return {
    async post({ body, signature }: SignedWebhook): Promise<void> {
      const headers = { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': signature }
      const answer = await pool.request({ path: pathname, method: 'POST', headers, body })
      const said = await answer.body.text()
      if (answer.statusCode !== 200) throw new Error(`a webhook was answered ${answer.statusCode}: ${said}`)
    },
    [Symbol.asyncDispose]: () => pool.close(),
  }
}
