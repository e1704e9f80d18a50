import { type Client, ScheduleAlreadyRunning, type ScheduleOptions } from '@temporalio/client'
import { processKindKey } from './search-attributes.ts'
import { storiesQueue } from './task-queues.ts'

const schedules: ScheduleOptions[] = [
  {
    scheduleId: 'outbox-sweep',
    spec: { intervals: [{ every: '30 seconds' }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'outboxSweep',
      workflowId: 'outbox-sweep',
      taskQueue: storiesQueue,
      workflowExecutionTimeout: '5 minutes',
      staticSummary: 'Starts the stories whose start could not be told at once',
      staticDetails:
        'Delivers rows of the table `outbox` that are `pending` and due. Those that can never be delivered become `dead`.',
      typedSearchAttributes: [{ key: processKindKey, value: 'outboxSweep' }],
    },
    // One sweep at a time; after an outage one sweep does the work of all that were missed.
    policies: { overlap: 'SKIP', catchupWindow: '1 minute' },
  },
  {
    scheduleId: 'billing-reconciliation',
    spec: { intervals: [{ every: '6 hours' }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'billingReconciliation',
      workflowId: 'billing-reconciliation',
      taskQueue: storiesQueue,
      // Among a hundred thousand customers it takes most of a day.
      workflowExecutionTimeout: '2 days',
      staticSummary: 'Compares all that is known of customers with what Stripe has',
      staticDetails:
        'Goes through `stripe_customers`; what differs stands in `billing_differences`, and is repaired by the story that it concerns.',
      typedSearchAttributes: [{ key: processKindKey, value: 'billingReconciliation' }],
    },
    policies: { overlap: 'SKIP', catchupWindow: '1 hour' },
  },
]

/** Creates the schedules, or brings them to what they are here. A pause set by an operator stays. */
export async function applySchedules(client: Client): Promise<void> {
  for (const schedule of schedules) {
    try {
      await client.schedule.create(schedule)
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error
      const { spec, action, policies } = schedule
      await client.schedule
        .getHandle(schedule.scheduleId)
        .update(({ state }) => ({ spec, action, state, ...(policies ? { policies } : {}) }))
    }
  }
}
