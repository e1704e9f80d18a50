/** The true time, injected so that tests can move it. Nothing that decides business reads the machine's clock itself. */
export type Clock = () => Date

/**
 * The time to decide by: the later of the workflow's and the true one. A late worker decides by the true time, a time-skipping test
 * by the skipped one. `workflowNow` is in ms since the epoch.
 */
export function decisionTime(clock: Clock, workflowNow: number): Date {
  return new Date(Math.max(workflowNow, clock().getTime()))
}

export function later(at: Date, ms: number): Date {
  return new Date(at.getTime() + ms)
}
