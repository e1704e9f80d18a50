import { Context } from '@temporalio/activity'

/** Well below the heartbeat time-outs in workflows/parts/activity-options.ts. */
const intervalMs = 4_000

/**
 * Heartbeats while `work` runs, also through a long wait for somebody else, so that a killed worker is noticed within seconds and a
 * cancellation arrives. `progress` is what operators see beside the pending activity.
 */
export async function whileHeartbeating<T>(
  progress: () => unknown,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const context = Context.current()
  const timer = setInterval(() => context.heartbeat(progress()), intervalMs)
  try {
    return await work(context.cancellationSignal)
  } finally {
    clearInterval(timer)
  }
}
