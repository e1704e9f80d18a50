import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow'

export interface Agenda {
  /** Has the story woken at this time, in ms since the epoch, if not before. `why` is for operators. */
  wakeBy(at: number, why: string): void
}

/**
 * One timer of Temporal's for the earliest time that anybody has asked for. Each timer costs two events and each that is replaced two
 * more, so one that rings too early stands: whoever is woken looks at what is due, and asks again.
 */
export function createAgenda(wake: () => void): Agenda {
  let armed: { at: number; scope: CancellationScope } | undefined
  return {
    wakeBy(at, why) {
      if (armed && armed.at <= at) return
      armed?.scope.cancel()
      const timer = { at, scope: new CancellationScope() }
      armed = timer
      void timer.scope.run(() => ringAt(timer, why))
    },
  }

  async function ringAt(timer: NonNullable<typeof armed>, summary: string): Promise<void> {
    try {
      await sleep(timer.at - Date.now(), { summary })
    } catch (error) {
      if (isCancellation(error)) return // an earlier one has taken its place, or the story ends
      throw error
    }
    armed = undefined
    wake()
  }
}
