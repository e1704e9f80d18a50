import type { ErrorRequestHandler, Response } from 'express'
import { isDatabaseAway } from '../db/availability.ts'
import type { Logger } from '../log.ts'
import { Problem, problemDocument, problemMediaType } from './problem.ts'
import { requestIdOf } from './requests.ts'

/** Answers every failed request with a problem document. What nobody expected is logged and answered without a word about it. */
export function createErrorHandler(log: Logger): ErrorRequestHandler {
  // Express knows an error handler by its four parameters.
  return (error: unknown, request, response, _next) => {
    const problem = problemOf(error)
    const requestId = requestIdOf(request)
    if (!(error instanceof Problem) && problem.status >= 500) log.error({ err: error, requestId }, 'the request failed')
    else if (problem.cause !== undefined) log.warn({ err: problem.cause, requestId }, problem.message)
    // Half an answer is already out: only a broken connection still tells that it is not whole.
    if (response.headersSent) response.destroy()
    else sendProblem(response, problem, requestId)
  }
}

function sendProblem(response: Response, problem: Problem, requestId: string): void {
  response.status(problem.status).set(problem.headers).type(problemMediaType)
  response.send(Buffer.from(JSON.stringify(problemDocument(problem, requestId))))
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (isDatabaseAway(error)) {
    return new Problem('temporarily_unavailable', 'The database does not answer.', { headers: { 'retry-after': '5' } })
  }
  const { status, limit } = httpErrorOf(error)
  if (status === 413) return new Problem('too_large', `The body may have at most ${limit} bytes.`)
  if (error instanceof URIError) return new Problem('not_found', 'The address is not well-formed.')
  if (status !== undefined && status >= 400 && status < 500) {
    const detail = 'The body is not JSON in UTF-8, or did not arrive whole.'
    return new Problem('invalid_input', detail, { errors: [{ pointer: '', detail }] })
  }
  return new Problem('internal', 'The request failed unexpectedly.')
}

/** What Express and its body parser say about a request they refuse. */
function httpErrorOf(error: unknown): { status?: number; limit?: number } {
  if (!(error instanceof Error)) return {}
  return {
    ...('status' in error && typeof error.status === 'number' && { status: error.status }),
    ...('limit' in error && typeof error.limit === 'number' && { limit: error.limit }),
  }
}
