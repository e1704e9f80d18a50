import { setTimeout as sleep } from 'node:timers/promises'

/** Repeats `attempt` until it succeeds and returns what it brings. Throws its last error when the time is over. Milliseconds. */
export async function eventually<T>(
  attempt: () => T | Promise<T>,
  { timeout, interval }: { timeout: number; interval: number },
): Promise<T> {
  for (const deadline = Date.now() + timeout; ; await sleep(interval)) {
    try {
      return await attempt()
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
  }
}
