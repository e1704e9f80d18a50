import { ApplicationFailure, CancelledFailure } from '@temporalio/common'
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor } from '@temporalio/worker'
import { ProviderError } from './ports.ts'

/** How each outcome of a provider's call goes on: `rejected` and `unconfirmed` are for the story to decide, the rest is repeated. */
function failureOf(error: ProviderError): ApplicationFailure {
  return ApplicationFailure.create({
    type: error.outcome,
    message: problemOf(error),
    nonRetryable: error.outcome === 'rejected' || error.outcome === 'unconfirmed',
    // A provider that says "at once" while it refuses is asked after the usual pauses, or it would be asked without end.
    ...(error.retryAfterMs ? { nextRetryDelay: Math.min(error.retryAfterMs, longestPauseMs) } : {}),
  })
}

/** The problem by which a campaign that is parked for it shows it. */
export const problemOf = ({ provider, code }: ProviderError): string => `${provider}:${code}`

/** A provider may ask for a pause; it cannot put a story off for days. */
const longestPauseMs = 10 * 60_000

/** Never retried: the row that the story is about does not exist. */
export function notFound(what: string): ApplicationFailure {
  return ApplicationFailure.create({ type: 'not_found', message: `not_found:${what}`, nonRetryable: true })
}

/** Never retried: somebody has to mend what the code names, and then the story goes on. */
export function needsRepair(code: string): ApplicationFailure {
  return ApplicationFailure.create({ type: 'rejected', message: code, nonRetryable: true })
}

/**
 * Classes whatever an activity throws, once, on its way to the workflow's history. Only codes get there: messages of databases and
 * providers quote what they were given, numbers and addresses included; those go to our own log.
 */
export function createFailureInterceptor(logUnexpected: (error: unknown) => void): ActivityInboundCallsInterceptor {
  return {
    async execute(input: ActivityExecuteInput, next): Promise<unknown> {
      try {
        return await next(input)
      } catch (error) {
        if (error instanceof ApplicationFailure || error instanceof CancelledFailure) throw error
        if (error instanceof ProviderError) throw failureOf(error)
        logUnexpected(error)
        throw ApplicationFailure.create({
          type: 'retry',
          message: `internal:${error instanceof Error ? error.name : 'unknown'}`,
        })
      }
    },
  }
}
