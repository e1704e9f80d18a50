import { log } from '@temporalio/activity'
import type { Sql } from 'postgres'
import { type Delivered, type Delivery, deliverDue } from '../db/outbox.ts'
import type { Clock } from './clock.ts'

export type { Delivered } from '../db/outbox.ts'

export type OutboxActivities = ReturnType<typeof createOutboxActivities>

const rowsPerSweep = 200

export function createOutboxActivities({ system, stories, clock }: { system: Sql; stories: Delivery; clock: Clock }) {
  return {
    /** Delivers what was not delivered right after its commit, because Temporal was away or somebody was killed in between. */
    async sweepOutbox(): Promise<Delivered> {
      const swept = await deliverDue(system, stories, { now: clock(), limit: rowsPerSweep })
      if (swept.failed > 0) log.warn('stories could not be handed over', { ...swept })
      return swept
    },
  }
}
