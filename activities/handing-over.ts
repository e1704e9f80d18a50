import { log } from '@temporalio/activity'
import type { Sql } from 'postgres'
import { type Delivery, deliverDue } from '../db/outbox.ts'

/** Tells Temporal of a committed story right away; the sweep does it later where that fails. */
export async function handOver(
  { system, stories }: { system: Sql; stories: Delivery },
  workflowId: string,
  now: Date,
): Promise<void> {
  try {
    const { failed, codes } = await deliverDue(system, stories, { now, workflowIds: [workflowId] })
    if (failed > 0) log.warn('a story could not be handed over', { workflowId, codes })
  } catch (error) {
    log.warn('a story could not be handed over', { workflowId, error })
  }
}
