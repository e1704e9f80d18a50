import { log } from '@temporalio/activity'
import type { Sql } from 'postgres'
import { type Delivered, type Delivery, deliverDue, removeDelivered } from '../db/outbox.ts'
import type { Clock } from './clock.ts'

export type { Delivered } from '../db/outbox.ts'

export type OutboxActivities = ReturnType<typeof createOutboxActivities>

const rowsPerSweep = 200
const removedPerSweep = 1_000
const keptMs = 7 * 24 * 60 * 60_000

export function createOutboxActivities({ system, stories, clock }: { system: Sql; stories: Delivery; clock: Clock }) {
  return {
    /**
     * Delivers what was not delivered right after its commit, because Temporal was away or somebody was killed in between, and removes
     * what was delivered more than a week ago.
     */
    async sweepOutbox(): Promise<Delivered> {
      const now = clock()
      const swept = await deliverDue(system, stories, { now, limit: rowsPerSweep })
      await removeDelivered(system, { before: new Date(now.getTime() - keptMs), limit: removedPerSweep })
      if (swept.failed > 0) log.warn('stories could not be handed over', { ...swept })
      return swept
    },
  }
}
