import type { OutgoingWebhook } from './tenant.ts'

/** Pauses between attempts, in the manner of Svix but short: whoever restarts an API within minutes misses nothing. */
const retriesAfterMs = [200, 1_000, 5_000, 15_000, 60_000, 120_000]
const timeoutMs = 10_000
const mostAtOnce = 20

interface Parcel {
  webhook: OutgoingWebhook
  attempt: number
  delivered: () => void
}

/**
 * Delivers webhooks, many at a time and in the order given as far as attempts succeed. What is dropped never ends: whoever waits for it is
 * forgotten with it.
 */
export function createCourier(trueClock: () => Date) {
  let waiting: Parcel[] = []
  let underWay = 0
  const timers = new Set<NodeJS.Timeout>()
  let dropped = new AbortController()

  function later(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer)
      act()
    }, ms)
    timers.add(timer.unref())
  }

  function carryOn(): void {
    const parcels = waiting.splice(0, mostAtOnce - underWay)
    for (const parcel of parcels) void carry(parcel, dropped.signal)
  }

  async function carry(parcel: Parcel, gone: AbortSignal): Promise<void> {
    underWay += 1
    const isHeard = await attempt(parcel.webhook, trueClock(), gone)
    underWay -= 1
    if (!gone.aborted) {
      const pauseMs = retriesAfterMs[parcel.attempt]
      if (isHeard || pauseMs === undefined) parcel.delivered()
      else later(pauseMs, () => enqueue({ ...parcel, attempt: parcel.attempt + 1 }))
    }
    carryOn()
  }

  function enqueue(parcel: Parcel): void {
    waiting.push(parcel)
    carryOn()
  }

  return {
    pause: (ms: number): Promise<void> => new Promise((resolve) => later(ms, resolve)),

    post: (webhook: OutgoingWebhook): Promise<void> =>
      new Promise((resolve) => enqueue({ webhook, attempt: 0, delivered: resolve })),

    drop(): void {
      dropped.abort()
      dropped = new AbortController()
      waiting = []
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}

async function attempt({ url, body, headers }: OutgoingWebhook, at: Date, gone: AbortSignal): Promise<boolean> {
  try {
    const signal = AbortSignal.any([gone, AbortSignal.timeout(timeoutMs)])
    const response = await fetch(url, { method: 'POST', redirect: 'manual', body, headers: headers(at), signal })
    await response.body?.cancel()
    return response.ok
  } catch {
    // Nobody listens, or not in time: tried again like any other refusal.
    return false
  }
}
