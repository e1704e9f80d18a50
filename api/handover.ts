import type { Sql } from 'postgres'
import { type Delivery, deliverDue } from '../db/outbox.ts'
import type { Logger } from '../log.ts'

/** Tells Temporal of new stories right after their commit, while the request that began them is answered already. */
export interface Handover {
  /** Hands a committed story over soon. Should that fail, the sweep does it later. */
  begin(workflowId: string): void
  /** Hands it over now; tells whether that was still to be done and succeeded. */
  now(workflowId: string): Promise<boolean>
  /** Begins nothing more, and resolves when what was begun is over. */
  close(): Promise<void>
}

/** Few: each holds a database connection for as long as Temporal takes to answer. */
const lanes = 4

export function createHandover({
  system,
  delivery,
  clock,
  log,
}: {
  system: Sql
  delivery: Delivery
  clock: () => Date
  log: Logger
}): Handover {
  let waiting: string[] = []
  let closed = false
  const running = new Set<Promise<void>>()

  async function deliver(workflowId: string) {
    return deliverDue(system, delivery, { now: clock(), limit: 1, workflowId })
  }

  async function lane(): Promise<void> {
    for (let workflowId = waiting.shift(); workflowId !== undefined; workflowId = waiting.shift()) {
      const failed = await deliver(workflowId).then(
        (result) => {
          if (result.failed > 0) log.warn({ workflowId, codes: result.codes }, 'a story could not be handed over')
          return result.failed > 0
        },
        (error: unknown) => {
          log.warn({ err: error, workflowId }, 'a story could not be handed over')
          return true
        },
      )
      // Temporal is away: those that wait would only wait for it, too.
      if (failed) waiting = []
    }
  }

  return {
    begin(workflowId) {
      if (closed) return
      waiting.push(workflowId)
      if (running.size >= lanes) return
      const run = lane().finally(() => running.delete(run))
      running.add(run)
    },
    async now(workflowId) {
      return (await deliver(workflowId)).delivered > 0
    },
    async close() {
      closed = true
      waiting = []
      await Promise.allSettled(running)
    },
  }
}
