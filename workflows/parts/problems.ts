import { ActivityFailure, ApplicationFailure, isCancellation } from '@temporalio/workflow'

/** The code of what went wrong, for people and for `problem` columns: failures carry codes as their messages, never a provider's text. */
export function problemCode(error: unknown): string {
  const cause = error instanceof ActivityFailure ? error.cause : error
  return cause instanceof ApplicationFailure ? cause.message : 'unexpected'
}

/** Undefined when the activity has failed for good. */
export async function unlessFailed<T>(activity: Promise<T>): Promise<T | undefined> {
  try {
    return await activity
  } catch (error) {
    if (error instanceof ActivityFailure && !isCancellation(error)) return undefined
    throw error
  }
}
