import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../support/eventually.ts'
import type { WholeSystem } from '../support/whole-system.ts'
import { type Draws, drawsFrom } from './draws.ts'
import { type Blows, createStrikes } from './strikes.ts'

export interface DripStormSize {
  /** kill -9 of the worker, of others that come and go beside it, and of the API. */
  kills: { worker: number; standIn: number; api: number }
  /** About how long there is calm between two blows at the same process. */
  lullMs: number
  /** How long the worker is frozen, at least. A missed heartbeat is noticed within 5 s; a claim without an outcome is taken over after 25 s. */
  frozenMs: number
}

const standInMs = { from: 0, to: 4_000 }
const patience = { timeout: 180_000, interval: 200 }

/**
 * Strikes at everything at once: kills the worker and others beside it again and again, and the API; freezes the worker while others take
 * over; restarts PostgreSQL and Temporal. `onBlow` is called as soon as a blow has fallen that may have cut a call short.
 */
export async function dripStorm(
  system: WholeSystem,
  { seed, kills, lullMs, frozenMs }: DripStormSize & { seed: string },
  onBlow: () => Promise<void>,
  say: (line: string) => void,
): Promise<Blows> {
  const strikes = createStrikes(system, say)
  const draws = drawsFrom(`${seed}/plan`)
  // Together they last about as long as the kills of the worker.
  const stormMs = kills.worker * lullMs
  await Promise.all([
    strikeWorker(),
    strikeStandIns(),
    strikeApi(),
    restart('postgres', draws.between(0.2, 0.9) * stormMs, draws.chance(0.5)),
    restart('temporal', draws.between(0.2, 0.9) * stormMs, false),
  ])
  return strikes.blows

  async function strikeWorker(): Promise<void> {
    const lots = drawsFrom(`${seed}/worker`)
    const frozenAt = lots.whole(1, Math.max(1, kills.worker - 1))
    for (let struck = 0; struck < kills.worker; struck += 1) {
      if (struck === frozenAt) await strikes.freezeWorker(lots.between(1, 1.15) * frozenMs, onBlow)
      await lull(lots)
      await strikes.killWorker()
      await onBlow()
    }
  }

  async function strikeStandIns(): Promise<void> {
    const lots = drawsFrom(`${seed}/stand-ins`)
    for (let struck = 0; struck < kills.standIn; struck += 1) {
      const standIn = await eventually(() => system.secondWorker(), patience) // its start needs servers that may be down
      await sleep(lots.between(standInMs.from, standInMs.to))
      strikes.killStandIn(standIn)
      await onBlow()
    }
  }

  async function strikeApi(): Promise<void> {
    const lots = drawsFrom(`${seed}/api`)
    for (let struck = 0; struck < kills.api; struck += 1) {
      await sleep(lots.between(0.5, 1.5) * (stormMs / kills.api))
      await strikes.killApi()
    }
  }

  async function restart(server: 'postgres' | 'temporal', afterMs: number, isOrderly: boolean): Promise<void> {
    await sleep(afterMs)
    await strikes.restart(server, isOrderly)
    await onBlow()
  }

  /** Mostly long enough for the victim to have settled; sometimes it is struck just after it came up. */
  function lull(lots: Draws): Promise<void> {
    return sleep(lots.chance(0.15) ? lots.between(0, lullMs / 4) : lots.between(lullMs, 1.5 * lullMs))
  }
}
