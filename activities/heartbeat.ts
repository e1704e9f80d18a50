import { Context } from '@temporalio/activity'

/** Well below most heartbeat time-outs in workflows/parts/activity-options.ts. */
const usualMs = 4_000

/**
 * Heartbeats while `work` runs, also through a long wait for somebody else, so that a killed worker is noticed within seconds and a
 * cancellation arrives. `progress` is what operators see beside the pending activity; `everyMs` is for shorter time-outs.
 */
export async function whileHeartbeating<T>(
  progress: () => unknown,
  work: (signal: AbortSignal) => Promise<T>,
  everyMs: number = usualMs,
): Promise<T> {
  const context = Context.current()
  const timer = setInterval(() => context.heartbeat(progress()), everyMs)
  try {
    return await work(context.cancellationSignal)
  } finally {
    clearInterval(timer)
  }
}
