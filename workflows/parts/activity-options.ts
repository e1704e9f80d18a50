import type { ActivityOptions } from '@temporalio/workflow'
import { sendsQueue, sitesQueue } from '../../temporal-config/task-queues.ts'

/**
 * A short transaction on our own database. It is retried for as long as it takes: the database coming back is certain, and a story
 * that gave up on writing its state would be lost.
 */
export const databaseStep = {
  startToCloseTimeout: '30 seconds',
  retry: { initialInterval: '200 milliseconds', maximumInterval: '10 seconds' },
} satisfies ActivityOptions

/** Many such transactions one after the other: a killed worker is noticed within 15 s, and the next attempt goes on from the rows. */
export const databaseBatch = {
  ...databaseStep,
  startToCloseTimeout: '15 minutes',
  heartbeatTimeout: '15 seconds',
} satisfies ActivityOptions

/**
 * Pages bought from a provider, or sites read, many in one activity: minutes in all, seconds between heartbeats, so that a killed
 * worker is noticed within 15 s and the next attempt goes on from the rows in Postgres. A provider's refusal is not retried
 * (activities/failures.ts decides), everything else is, four times a minute in the end: the failure may have been the worker's death, and
 * no campaign should stand still for long because of several of those.
 */
export const outsideBatch = {
  taskQueue: sitesQueue,
  startToCloseTimeout: '15 minutes',
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '15 seconds' },
} satisfies ActivityOptions

/**
 * A batch of people at their turn: seconds, so that a killed worker is noticed within 3 s and the next attempt goes on from the rows. Few
 * attempts, since a batch that keeps failing is halved until it is known who fails; enough for a worker that is killed again and again.
 */
export const sendBatch = {
  taskQueue: sendsQueue,
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '3 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '2 seconds', maximumAttempts: 4 },
} satisfies ActivityOptions

/** A few calls of the provider of payments, and a transaction. While it is away it is asked for as long as it takes. */
export const billingStep = {
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '30 seconds' },
} satisfies ActivityOptions
