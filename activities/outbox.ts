import { log } from '@temporalio/activity'
import type { Sql } from 'postgres'
import { type Delivered, type Delivery, deliverDue, removeDelivered } from '../db/outbox.ts'
import type { Clock } from './clock.ts'

export type { Delivered } from '../db/outbox.ts'

export type OutboxActivities = ReturnType<typeof createOutboxActivities>

const workflowsAtOnce = 200
/** A sweep begins no more after so long: below the time that the activity has. */
const sweepMs = 15_000
const removedPerSweep = 1_000
const keptMs = 7 * 24 * 60 * 60_000

export function createOutboxActivities({ system, stories, clock }: { system: Sql; stories: Delivery; clock: Clock }) {
  /** After an outage everything is due at once. */
  async function sweep(now: Date): Promise<Delivered> {
    const until = performance.now() + sweepMs
    const swept: Delivered = { delivered: 0, failed: 0, codes: [] }
    for (;;) {
      const { delivered, failed, codes } = await deliverDue(system, stories, { now, limit: workflowsAtOnce })
      swept.delivered += delivered
      swept.failed += failed
      swept.codes = [...new Set([...swept.codes, ...codes])]
      if (delivered === 0 || performance.now() > until) return swept
    }
  }

  return {
    /**
     * Delivers what was not delivered right after its commit, because Temporal was away or somebody was killed in between, and removes
     * what was delivered more than a week ago.
     */
    async sweepOutbox(): Promise<Delivered> {
      const now = clock()
      const swept = await sweep(now)
      await removeDelivered(system, { before: new Date(now.getTime() - keptMs), limit: removedPerSweep })
      if (swept.failed > 0) log.warn('stories could not be handed over', { ...swept })
      return swept
    },
  }
}
