/** Lets one task at a time run for each key, in the order they came. */
export function createTurns() {
  const last = new Map<string, Promise<unknown>>()

  return function inTurn<T>(key: string, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    const turn = Promise.allSettled([last.get(key)]).then(() => {
      signal.throwIfAborted()
      return task()
    })
    last.set(key, turn)
    const leave = () => {
      if (last.get(key) === turn) last.delete(key)
    }
    turn.then(leave, leave)
    return untilAborted(turn, signal)
  }
}

/** Rejects with the signal's reason as soon as it is aborted, even when the promise hears of no signal. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
