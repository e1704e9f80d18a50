import { proxyActivities, setCurrentDetails } from '@temporalio/workflow'
import type { Delivered, OutboxActivities } from '../activities/outbox.ts'

// One attempt: the schedule comes round again sooner than a retry would be worth its events.
const { sweepOutbox } = proxyActivities<OutboxActivities>({
  startToCloseTimeout: '30 seconds',
  retry: { maximumAttempts: 1 },
})

/** Starts the stories whose start could not be told to Temporal at once. */
export async function outboxSweep(): Promise<Delivered> {
  const swept = await sweepOutbox()
  setCurrentDetails(`${swept.delivered} delivered, ${swept.failed} still due or dead ${swept.codes.join(' ')}`)
  return swept
}
