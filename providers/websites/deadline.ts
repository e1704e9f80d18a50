export interface Deadline {
  /** Aborted when the time is over. */
  signal: AbortSignal
  /** Whether this process did not run for a good part of the time: what failed meanwhile may be its own fault. */
  hasStoodStill(): boolean
  clear(): void
}

const looks = 20

/**
 * A time-out in this process's own time. While it is frozen, or the machine asleep, clocks run on: a timer would find a site too slow
 * that had answered at once, so each look at the clock counts for no more than twice the time after which it was due.
 */
export function createDeadline(ms: number): Deadline {
  const over = new AbortController()
  const lookEveryMs = ms / looks
  let leftMs = ms
  let longestGapMs = 0
  let lookedAt = performance.now()
  const gapMs = () => performance.now() - lookedAt
  const timer = setInterval(() => {
    longestGapMs = Math.max(longestGapMs, gapMs())
    leftMs -= Math.min(gapMs(), 2 * lookEveryMs)
    lookedAt = performance.now()
    if (leftMs > 0) return
    clearInterval(timer)
    over.abort()
  }, lookEveryMs)
  return {
    signal: over.signal,
    hasStoodStill: () => Math.max(longestGapMs, gapMs()) > ms / 2,
    clear: () => clearInterval(timer),
  }
}
