import {
  ActivityFailure,
  continueAsNew,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow'
import type { ReconciliationActivities } from '../activities/billing/reconciliation.ts'
import type { BillingReconciliationInput, ReconciliationResult } from './contracts/billing-reconciliation.ts'
import { databaseStep, outsideBatch } from './parts/activity-options.ts'
import { problemCode } from './parts/problems.ts'

const { beginReconciliation, endReconciliation } = proxyActivities<ReconciliationActivities>(databaseStep)
const { reconcileCustomers, findUnknownCustomers } = proxyActivities<ReconciliationActivities>(outsideBatch)

const eventsPerRun = 1_000

/**
 * Compares what we have seen of every customer with what Stripe has, and has the stories of those that differ look again; then finds those who pay
 * for something and whom we do not know. How far it is stands in its row: killed anywhere, it goes on from there.
 */
export async function billingReconciliation(input: BillingReconciliationInput = {}): Promise<ReconciliationResult> {
  const { firstExecutionRunId: begunBy } = workflowInfo()
  const reconciliationId = input.reconciliationId ?? (await beginReconciliation({ begunBy, now: Date.now() }))
  let problem: string | null = null
  let isWhole = false

  try {
    isWhole = (await toItsEnd(reconcileCustomers)) && (await toItsEnd(findUnknownCustomers))
  } catch (error) {
    if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error
    problem = problemCode(error)
  }
  if (!isWhole && problem === null) return continueAsNew<typeof billingReconciliation>({ reconciliationId })

  const result = await endReconciliation({ reconciliationId, problem, now: Date.now() })
  const { status, customers, differences, unknownCustomers } = result
  setCurrentDetails(
    `**${status}** ${problem ?? ''}: ${customers} customers, ${differences} differ, ${unknownCustomers} unknown`,
  )
  return result

  /** False once this run has become long enough. */
  async function toItsEnd(step: typeof reconcileCustomers): Promise<boolean> {
    for (;;) {
      const { isDone } = await step({ reconciliationId, now: Date.now() })
      if (isDone) return true
      const { continueAsNewSuggested, historyLength } = workflowInfo()
      if (continueAsNewSuggested || historyLength > eventsPerRun) return false
    }
  }
}
