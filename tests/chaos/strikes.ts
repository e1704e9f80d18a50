import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../support/eventually.ts'
import type { WholeSystem } from '../support/whole-system.ts'

/** One that is down by itself comes back. */
const patience = { timeout: 30_000, interval: 50 }

export interface Blows {
  workerKills: number
  apiKills: number
  /** Freezes of a worker past its time-outs. */
  stops: number
  /** Of PostgreSQL and of Temporal. */
  restarts: number
  /** kill -9 of everything at once. */
  blackouts: number
}

/** What a storm strikes a system with. Each blow is counted and said, and resolves when what was struck is up again. */
export function createStrikes(system: WholeSystem, say: (line: string) => void) {
  const blows: Blows = { workerKills: 0, apiKills: 0, stops: 0, restarts: 0, blackouts: 0 }
  return {
    blows,

    async killWorker(): Promise<void> {
      await system.fell('worker', 'SIGKILL')
      blows.workerKills += 1
      say(`worker killed (${blows.workerKills})`)
    },

    /** Stops the worker for so long; `onFrozen` is called when it stands still. */
    async freezeWorker(ms: number, onFrozen: () => Promise<void> = async () => {}): Promise<void> {
      const frozen = await eventually(() => system.pid('worker'), patience)
      process.kill(frozen, 'SIGSTOP')
      say('worker frozen')
      await Promise.all([onFrozen(), sleep(ms)])
      process.kill(frozen, 'SIGCONT')
      blows.stops += 1
      say('worker thawed')
    },

    /** Kills a worker that stands in, which nobody restarts. */
    killStandIn(standIn: ChildProcess): void {
      if (!standIn.kill('SIGKILL')) return
      blows.workerKills += 1
      say(`a worker that stood in killed (${blows.workerKills})`)
    },

    async killApi(): Promise<void> {
      await system.fell('api', 'SIGKILL')
      blows.apiKills += 1
      say(`api killed (${blows.apiKills})`)
    },

    async restart(server: 'postgres' | 'temporal', isOrderly: boolean): Promise<void> {
      await system.fell(server, isOrderly ? 'SIGINT' : 'SIGKILL')
      blows.restarts += 1
      say(`${server} ${isOrderly ? 'stopped' : 'killed'}, and up again`)
    },

    async blackout(): Promise<void> {
      await system.killEverything()
      blows.blackouts += 1
      say('everything killed at once')
      await system.start()
    },
  }
}
