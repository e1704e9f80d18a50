/** The database gave no answer in the time there was. What it was asked may have been done, may be done yet, or never. */
class DatabaseSilent extends Error {
  override readonly name = 'DatabaseSilent'
  readonly code = 'DATABASE_SILENT'
}

/**
 * Waits for the database, but not for ever. Its own time-outs end what is slow; this is for a server that is frozen or out of reach
 * without a word. A transaction given up here may still end either way: commit, or roll back.
 */
export async function answered<T>(asked: PromiseLike<T>, ms: number): Promise<T> {
  const { promise: silence, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new DatabaseSilent(`The database gave no answer within ${ms} ms`)), ms)
  try {
    return await Promise.race([asked, silence])
  } finally {
    clearTimeout(timer)
  }
}
