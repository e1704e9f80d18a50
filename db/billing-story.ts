import { subscriptionId } from '../workflows/contracts/subscription-lifecycle.ts'
import type { Tx } from './client.ts'
import { enqueueSignal } from './outbox.ts'

/**
 * Has the organisation's subscription story look again, and begins it where it does not run yet, with the transaction that gives the reason.
 * Returns the workflow to hand over after the commit.
 */
export async function wakeBilling(
  tx: Tx,
  { organisationId, requestId }: { organisationId: string; requestId: string },
  now: Date,
): Promise<string> {
  const workflowId = subscriptionId(organisationId)
  const story = {
    workflowId,
    name: 'subscriptionLifecycle',
    args: { organisationId },
    subjectId: organisationId,
    summary: 'What an organisation subscribes to',
    requestId,
  }
  await enqueueSignal(tx, { ...story, signal: 'lookAgain', signalArgs: {} }, now)
  return workflowId
}

/** The same for an organisation that has a customer at the provider: who never has bought anything has no story. Returns the workflows to hand over. */
export async function wakeCustomersBilling(
  tx: Tx,
  told: { organisationId: string; requestId: string },
  now: Date,
): Promise<string[]> {
  const [customer] = await tx`select from stripe_customers`
  return customer ? [await wakeBilling(tx, told, now)] : []
}
