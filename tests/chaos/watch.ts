import { setTimeout as sleep } from 'node:timers/promises'

export interface Watch {
  /** Resolves when the last look is over; rejects when one has failed. */
  stop(): Promise<void>
}

/** Looks again and again, with pauses of so many ms, until it is stopped. */
export function watch(everyMs: number, look: () => Promise<void>): Watch {
  const stopping = new AbortController()
  const watching = lookOn()
  watching.catch(() => {}) // whoever stops it is told
  return {
    stop() {
      stopping.abort()
      return watching
    },
  }

  async function lookOn(): Promise<void> {
    for (; !stopping.signal.aborted; await sleep(everyMs)) await look()
  }
}
