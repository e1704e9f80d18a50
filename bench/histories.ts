import type { Config } from '../config.ts'
import { connectTemporal } from '../temporal-config/connection.ts'

/** The events of these workflows, each over all the runs that it has continued as, the latest first. */
export async function countHistoryEvents({ temporal }: Config, workflowIds: readonly string[]): Promise<number> {
  const { workflow, connection } = connectTemporal(temporal)
  try {
    let count = 0
    for (const workflowId of workflowIds) {
      for (let runId: string | undefined, isFirst = true; isFirst || runId; isFirst = false) {
        const { events } = await workflow.getHandle(workflowId, runId).fetchHistory()
        count += events?.length ?? 0
        runId = events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? undefined
      }
    }
    return count
  } finally {
    await connection.close()
  }
}
