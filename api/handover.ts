import { setTimeout as sleep } from 'node:timers/promises'
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

/** Told in one transaction, which holds a database connection for as long as Temporal takes to answer. */
const mostAtOnce = 100
/** With a pace: how much of it may go at once. Seconds. */
const paceStep = 0.25
/** Busier than so the process has its hands full with what comes in and has to be answered: it goes on at a tenth of its pace. */
const busy = 0.6
const mostRests = 10

export function createHandover({
  system,
  delivery,
  clock,
  log,
  perSecond = Infinity,
  watch = watchEventLoop,
}: {
  system: Sql
  delivery: Delivery
  clock: () => Date
  log: Logger
  /** Of stories. Those beyond it wait, and what else they are told meanwhile goes with it. */
  perSecond?: number | undefined
  /** Tells how busy the process was since it began to watch, from 0 to 1. */
  watch?: () => () => number
}): Handover {
  const batchSize = Math.min(mostAtOnce, Math.ceil(perSecond * paceStep))
  const closing = new AbortController()
  /** Who was told of something meanwhile is handed over once. */
  let waiting = new Set<string>()
  let closed = false
  let running: Promise<void> | null = null

  const deliver = (workflowIds: readonly string[]) => deliverDue(system, delivery, { now: clock(), workflowIds })

  async function handOverAll(): Promise<void> {
    while (waiting.size > 0) {
      const workflowIds = [...waiting].slice(0, batchSize)
      for (const workflowId of workflowIds) waiting.delete(workflowId)
      const failed = await deliver(workflowIds).then(
        (result) => {
          if (result.failed > 0) log.warn({ ...result }, 'stories could not be handed over')
          return result.failed > 0
        },
        (error: unknown) => {
          log.warn({ err: error }, 'stories could not be handed over')
          return true
        },
      )
      // Temporal is away: those that wait would only wait for it, too.
      if (failed) waiting = new Set()
      if (perSecond < Infinity) await rest((workflowIds.length / perSecond) * 1_000)
    }
  }

  async function rest(pauseMs: number): Promise<void> {
    for (let rests = 0; rests < mostRests && !closing.signal.aborted; rests += 1) {
      const busyness = watch()
      await sleep(pauseMs, undefined, { signal: closing.signal }).catch(() => {})
      if (busyness() < busy) return
    }
  }

  return {
    begin(workflowId) {
      if (closed) return
      waiting.add(workflowId)
      running ??= handOverAll().finally(() => (running = null))
    },
    async now(workflowId) {
      return (await deliver([workflowId])).delivered > 0
    },
    async close() {
      closed = true
      waiting = new Set()
      closing.abort()
      await running
    },
  }
}

function watchEventLoop(): () => number {
  const before = performance.eventLoopUtilization()
  return () => performance.eventLoopUtilization(before).utilization
}
