import { status as grpcStatus } from '@grpc/grpc-js'
import {
  type Client,
  isGrpcCancelledError,
  isGrpcDeadlineError,
  isGrpcServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client'
import { ApplicationFailure, type UpdateDefinition } from '@temporalio/common'
import type { Delivery, OutboxRow } from '../db/outbox.ts'
import { attributesOf } from './search-attributes.ts'
import { storiesQueue } from './task-queues.ts'

/** The way to the stories: starts them from outbox rows and asks them for changes. */
export interface Stories extends Delivery {
  /**
   * Asks a running story for a change and returns its answer. The same `updateId` asked again gets the first answer. Throws
   * StoryRefused, StoryNotRunning or StoryUnreachable.
   */
  update<Result, Args extends [unknown, ...unknown[]]>(
    workflowId: string,
    update: UpdateDefinition<Result, Args>,
    asked: { updateId: string; args: Args },
  ): Promise<Result>
  /** Throws when Temporal does not answer. */
  ping(): Promise<void>
}

/** The story's validator said no; `code` is its failure type, such as `wrong_state`. */
export class StoryRefused extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.name = 'StoryRefused'
    this.code = code
  }
}

/** No such story is running: it has ended, or has not begun yet. */
export class StoryNotRunning extends Error {
  override name = 'StoryNotRunning'
}

/** Temporal or the story's worker gave no answer in time. The same update may be sent again under the same id. */
export class StoryUnreachable extends Error {
  override name = 'StoryUnreachable'
}

const pingTimeoutMs = 2_000

/** Calls of Temporal are given up after `startTimeoutMs` and `updateTimeoutMs`. */
export function createStories(client: Client, { startTimeoutMs = 5_000, updateTimeoutMs = 10_000 } = {}): Stories {
  return { deliver, isFinal, codeOf, update, ping }

  async function deliver(row: OutboxRow): Promise<void> {
    try {
      await client.withDeadline<unknown>(Date.now() + startTimeoutMs, () => {
        const start = startOf(row)
        if (row.signal === null) return client.workflow.start(row.name, start)
        return client.workflow.signalWithStart(row.name, { ...start, signal: row.signal, signalArgs: [row.signalArgs] })
      })
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
    }
  }

  function startOf(row: OutboxRow) {
    return {
      workflowId: row.workflowId,
      taskQueue: storiesQueue,
      args: [row.args],
      // A story happens once: a row that is delivered twice must not start it again, not even after its end. One that is told something goes
      // by rows, and finds there what is left to do; but a campaign that is over has nothing left to be told.
      workflowIdReusePolicy:
        row.signal === null || row.name === 'prospectCampaign' ? 'REJECT_DUPLICATE' : 'ALLOW_DUPLICATE',
      typedSearchAttributes: attributesOf({ ...row, processKind: row.name }),
      memo: { requestId: row.requestId },
      staticSummary: row.summary,
      staticDetails: `Subject \`${row.subjectId}\` of organisation \`${row.organisationId}\`, asked for by request \`${row.requestId}\`.`,
    } as const
  }

  async function update<Result, Args extends [unknown, ...unknown[]]>(
    workflowId: string,
    definition: UpdateDefinition<Result, Args>,
    { updateId, args }: { updateId: string; args: Args },
  ): Promise<Result> {
    const handle = client.workflow.getHandle(workflowId)
    try {
      return await client.withDeadline(Date.now() + updateTimeoutMs, () =>
        handle.executeUpdate<Result, Args>(definition, { updateId, args }),
      )
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
        throw new StoryRefused(error.cause.type ?? 'wrong_state', error.cause.message)
      }
      if (error instanceof WorkflowNotFoundError) throw new StoryNotRunning(workflowId, { cause: error })
      if (isUnreachable(error)) throw new StoryUnreachable(workflowId, { cause: error })
      throw error
    }
  }

  async function ping(): Promise<void> {
    await client.withDeadline(Date.now() + pingTimeoutMs, () => client.connection.workflowService.getSystemInfo({}))
  }
}

/** Whether Temporal gave no answer, or none in time. */
export function isUnreachable(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true
  if (isGrpcDeadlineError(error) || isGrpcCancelledError(error)) return true
  const cause = causeOf(error)
  return isGrpcServiceError(cause) && cause.code === grpcStatus.UNAVAILABLE
}

/** An argument that Temporal refuses stays refused, unless it is a search attribute that the namespace does not have yet. */
function isFinal(error: unknown): boolean {
  const cause = causeOf(error)
  return (
    isGrpcServiceError(cause) &&
    cause.code === grpcStatus.INVALID_ARGUMENT &&
    !/search ?attribute|no mapping defined/i.test(cause.details)
  )
}

/** The name of the gRPC status, such as UNAVAILABLE; the details may quote what they were given. */
function codeOf(error: unknown): string {
  const cause = causeOf(error)
  if (isGrpcServiceError(cause)) return grpcStatus[cause.code] ?? 'UNKNOWN'
  return cause instanceof Error ? cause.name : 'unknown'
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? (error.cause ?? error) : error
}
