import { setTimeout as sleep } from 'node:timers/promises'
import { type DripBench, type DripRun, runDrip } from './throughline-drip.ts'

const pollMs = 20
/** What left the worker before it died has arrived by then. */
const inFlightMs = 50

export interface RecoveryRun extends DripRun {
  /** From the kill of the one worker to the next delivery, which its successor makes. */
  recoverySeconds: number
}

/** Kills the worker once a third of everything is delivered; `npm start`'s supervisor starts the next from the bundle that lies there. */
export async function runWithKill(bench: DripBench, run: string, people: readonly string[]): Promise<RecoveryRun> {
  const { system, stub } = bench
  let recoverySeconds = Number.NaN
  const drip = await runDrip(bench, { run, people }, async () => {
    while ((await stub.counts(run)).deliveries < people.length) await sleep(pollMs)
    const killedAt = Date.now()
    process.kill(system.pid('worker'), 'SIGKILL')
    for (;;) {
      const at = await stub.firstAfter(run, killedAt + inFlightMs)
      if (at !== null) {
        recoverySeconds = (at - killedAt) / 1000
        return
      }
      await sleep(pollMs)
    }
  })
  return { ...drip, recoverySeconds }
}
