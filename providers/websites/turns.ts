/** Lets one holder at a time have the turn of each key, in the order they came. Resolves to what gives the turn back. */
export function createTurns() {
  const last = new Map<string, Promise<unknown>>()

  return async function takeTurn(key: string, signal: AbortSignal): Promise<() => void> {
    const before = last.get(key)
    const { promise: left, resolve: leave } = Promise.withResolvers<void>()
    // Whoever gives up waiting lets nobody past those who still have the turn.
    const over = Promise.all([before, left])
    last.set(key, over)
    void over.finally(() => {
      if (last.get(key) === over) last.delete(key)
    })
    try {
      await untilAborted(Promise.resolve(before), signal)
    } catch (error) {
      leave()
      throw error
    }
    return leave
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
