import { setTimeout as sleep } from 'node:timers/promises'
import { launch, logFile, type ProcessPlan, type RunningProcess } from './launch.ts'

export interface SupervisorOptions {
  dataDir: string
  /** The names of all processes: they are stopped one after the other in this order. */
  stopOrder: readonly string[]
  /** Told of deaths and restarts, a line each. */
  say: (line: string) => void
  /** The waits before the first restart, the second and so on; the last repeats. */
  restartDelaysMs?: readonly number[]
  /** What has been up for this long had started well: its death counts for nothing. */
  settledAfterMs?: number
}

export interface Supervisor {
  /** Starts a process and keeps it running. Resolves when it is up, rejects when it does not come up this first time. */
  start(plan: ProcessPlan): Promise<void>
  /** Resolves when a process died too often just after its start to go on, with one line about it. */
  readonly gaveUp: Promise<string>
  /** Stops all in order, those that are just starting too. */
  stop(): Promise<void>
  /** Kills all. */
  kill(): Promise<void>
}

/** How a process ended: 'exit code 1', 'signal SIGKILL'. */
interface End {
  how: string
  hadSettled: boolean
}

/** What dies this often within a minute, never having settled, would die again. */
const maxDeaths = 5
const deathWindowMs = 60_000

/** Starts processes, restarts those that die, and stops them in order. */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { dataDir, stopOrder, say, restartDelaysMs = [250, 1000, 3000, 8000], settledAfterMs = 5_000 } = options
  const processes = new Map<string, Promise<RunningProcess>>()
  const gaveUp = Promise.withResolvers<string>()
  const stopping = new AbortController()
  let stopped: Promise<void> | undefined
  return { start, gaveUp: gaveUp.promise, stop: () => (stopped ??= stopAll()), kill }

  async function start(plan: ProcessPlan): Promise<void> {
    const first = await run(plan)
    try {
      await first.ready
    } catch (error) {
      first.kill()
      throw error
    }
    void keepRunning(plan, first)
  }

  function run(plan: ProcessPlan): Promise<RunningProcess> {
    stopping.signal.throwIfAborted()
    const launched = launch(plan, dataDir)
    processes.set(plan.name, launched)
    return launched
  }

  async function keepRunning(plan: ProcessPlan, first: RunningProcess): Promise<void> {
    const deaths: number[] = []
    for (let end = await endOf(first, () => {}); !stopping.signal.aborted; end = await runToItsEnd(plan)) {
      if (!end.hadSettled) deaths.push(Date.now())
      const recent = deaths.filter((at) => at > Date.now() - deathWindowMs).length
      if (recent >= maxDeaths) {
        const log = logFile(dataDir, plan.name)
        gaveUp.resolve(`${plan.name} died ${recent} times within a minute, at last of ${end.how} (log: ${log})`)
        return
      }
      say(`${plan.name} died of ${end.how}, starting it again`)
      const delay = end.hadSettled ? 0 : recent - 1
      await pause(restartDelaysMs[Math.min(delay, restartDelaysMs.length - 1)] ?? 0)
    }
  }

  async function runToItsEnd(plan: ProcessPlan): Promise<End> {
    try {
      return await endOf(await run(plan), () => say(`${plan.name} is up again`))
    } catch (error) {
      return { how: error instanceof Error ? error.message : String(error), hadSettled: false }
    }
  }

  async function endOf(running: RunningProcess, onUp: () => void): Promise<End> {
    const upSince = running.ready.then(
      () => {
        onUp()
        return Date.now()
      },
      () => {
        running.kill()
        return Infinity
      },
    )
    const how = await running.ended
    return { how, hadSettled: Date.now() - (await upSince) >= settledAfterMs }
  }

  /** Stopping cuts it short. */
  async function pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: stopping.signal }).catch(() => {})
  }

  async function stopAll(): Promise<void> {
    stopping.abort(new Error('stopped while starting'))
    for (const name of stopOrder) {
      const launched = processes.get(name)
      // One that could not be launched has nothing to stop; one that cannot be stopped must not keep the others.
      await launched?.then((running) => running.stop()).catch((error: unknown) => say(`${name}: ${String(error)}`))
    }
  }

  async function kill(): Promise<void> {
    await Promise.allSettled([...processes.values()].map(async (launched) => (await launched).kill()))
  }
}
