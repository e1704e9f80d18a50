import { inject } from 'vitest'
import type { z } from 'zod'

/** Asks the run for one of its servers, which starts if it does not run yet. Throws with the reason when it cannot. */
export async function askForServer<T>(path: string, answer: z.ZodType<T>): Promise<T> {
  const response = await fetch(`${inject('testServersUrl')}${path}`)
  if (!response.ok) throw new Error(await response.text())
  return answer.parse(await response.json())
}
