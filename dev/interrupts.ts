/** A Ctrl-C may arrive twice at once: from the terminal, and passed on by npm. */
const sameRequestMs = 1_000

/** Resolves when we are asked to stop, by a signal or by the end of who started us. Asked once more, it calls `insist`. */
export function interruption(insist: () => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let firstAt: number | undefined
  const onRequest = () => {
    firstAt ??= Date.now()
    if (Date.now() - firstAt > sameRequestMs) insist()
    resolve()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onRequest)
  process.once('disconnect', onRequest)
  return promise
}
