import { setTimeout as wait } from 'node:timers/promises'

const pollMs = 500

export interface Patience {
  signal: AbortSignal
  patienceMs: number
  /** What is said when the patience is over. */
  otherwise: string
}

/** Asks again and again until there is an answer. */
export async function until<T>(
  { signal, patienceMs, otherwise }: Patience,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  for (const end = Date.now() + patienceMs; Date.now() < end; await wait(pollMs, undefined, { signal })) {
    const answer = await ask()
    if (answer !== undefined) return answer
  }
  throw new Error(otherwise)
}
