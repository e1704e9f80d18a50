import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { Worker } from '@temporalio/worker'
import { expect, vi } from 'vitest'
import type { BillingRequest } from '../../workflows/contracts/billing-requests.ts'
import {
  carryOut,
  lookAgain,
  type SubscriptionLifecycleInput,
  subscriptionId,
  subscriptionView,
} from '../../workflows/contracts/subscription-lifecycle.ts'
import { billingStories, dayMs } from './billing-story.ts'
import { workflowBundle } from './campaign-world.ts'

const taskQueue = 'lived-subscriptions'
const patience = { timeout: 20_000, interval: 20 }

/**
 * Organisations whose stories Temporal tells, with time that is skipped: real activities, PostgreSQL and Stripe's SDK over HTTP. Call it at the top of
 * the file.
 */
export async function livedSubscriptions(environment: TestWorkflowEnvironment) {
  const { client, nativeConnection: connection } = environment
  const began = await environment.currentTimeMs()
  const stories = await billingStories(new Date(began))

  return {
    ...stories,
    began,
    /** Its worker; it stops when the returned object is disposed of. */
    async work(): Promise<AsyncDisposable> {
      const worker = await Worker.create({
        connection,
        taskQueue,
        ...(await workflowBundle()),
        activities: stories.activities,
      })
      const running = worker.run()
      return {
        async [Symbol.asyncDispose]() {
          worker.shutdown()
          await running
        },
      }
    },

    /** A customer with a story, which looks by itself each day only if that is asked for: what comes by itself is told by timers. */
    async begin({ looksDaily = false } = {}) {
      const one = await stories.newCustomer()
      const { organisationId } = one
      const input: SubscriptionLifecycleInput = {
        organisationId,
        ...(!looksDaily && { carried: { lookAt: began + 2_000 * dayMs } }),
      }
      const { workflowId, firstExecutionRunId } = await client.workflow.start('subscriptionLifecycle', {
        workflowId: subscriptionId(organisationId),
        taskQueue,
        args: [input],
      })
      const story = client.workflow.getHandle(workflowId)
      return {
        ...one,
        story,
        firstRunId: firstExecutionRunId,
        /** As a webhook says it. */
        hear: () => story.signal(lookAgain),
        isSeen: (state: string) =>
          vi.waitFor(async () => expect(await story.query(subscriptionView)).toMatchObject({ state }), patience),
        async sleep(days: number): Promise<void> {
          await environment.sleep(days * dayMs)
          stories.follow(await environment.currentTimeMs())
        },
        /** As the API asks. */
        async askStory(request: BillingRequest): Promise<'done' | 'waiting'> {
          return story.executeUpdate(carryOut, { args: [await one.request(request)] })
        },
        subscriptionId: async () => (await one.facts()).subscriptions[0]?.id ?? '',
      }
    },
  }
}
