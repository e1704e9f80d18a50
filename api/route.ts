import type { Response } from 'express'
import { z } from 'zod'
import type { Database, Tx } from '../db/client.ts'
import type { RequestIdentity, StoredAnswer } from '../db/idempotency-keys.ts'
import type { Caller } from './authentication.ts'
import type { Handover } from './handover.ts'
import { answerOnce, requestIdentity } from './idempotency.ts'
import type { Permission } from './permissions.ts'
import { inputErrors, invalidInput, Problem, type ProblemCode } from './problem.ts'
import { unstorableText } from './unstorable-text.ts'

/** What every route says of itself. Requests are read by it and the OpenAPI document is made of it, so that the two cannot differ. */
interface Description<Params, Query, Body extends z.ZodType> {
  method: 'get' | 'post'
  /** Below /api/v1, as OpenAPI writes it: '/campaigns/{id}'. */
  path: string
  permission: Permission
  tag: string
  summary: string
  description?: string
  params?: Params
  query?: Query
  body?: Body
  /** A body that works, to try it out with. */
  example?: z.input<Body>
  /** What it reads from the request's headers, for the document; the handler asks for them by name. */
  headers?: z.ZodObject
  /** In bytes, where a body may be larger than usual. */
  bodyLimit?: number
  /** The problems beyond those that follow from the rest. */
  problems?: readonly ProblemCode[]
}

export interface Success {
  status: 200 | 201 | 202
  description: string
  mediaType: string
  schema: z.ZodType
  /** Name and description. */
  headers?: Readonly<Record<string, string>>
  /** A successful answer without a body. */
  alternative?: { status: 204; description: string }
}

/** A request that has been let in and read. */
export interface Call<Params, Query, Body = undefined> {
  caller: Caller
  params: Params
  query: Query
  body: Body
  header(name: string): string | undefined
  /** The Idempotency-Key, for a POST that has one. */
  key: string | null
  requestId: string
  now: Date
  /** Runs the work in one transaction as the caller's organisation. */
  as<T>(work: (tx: Tx) => Promise<T>): Promise<T>
}

/** A request whose answer can be kept under its Idempotency-Key in the transaction that does the work. */
export interface WritingCall<Params, Query, Body, Result> extends Call<Params, Query, Body> {
  answerAs(work: (tx: Tx) => Promise<Answer<Result>>): Promise<Answer<Result>>
}

export interface Answer<Result> {
  body: Result
  headers?: Record<string, string>
  /** The stories that the work has put into the outbox: they are handed over once it is committed. */
  workflowIds?: readonly string[]
}

/** A request of a known caller, unread. */
interface Received {
  caller: Caller
  requestId: string
  now: Date
  /** As it was asked for, the same for the same thing. */
  path: string
  params: unknown
  query: unknown
  body: unknown
  header(name: string): string | undefined
  response: Response
}

export interface Platform {
  database: Database
  handover: Pick<Handover, 'begin'>
  /** Whether each answer is held against its schema. */
  checksAnswers: boolean
}

/** A route as the server mounts it and the document describes it. */
export interface Endpoint extends Description<z.ZodObject, z.ZodObject, z.ZodType> {
  success: Success
  serve(received: Received, platform: Platform): Promise<void>
}

/** A route that answers with JSON. */
export function route<
  Result extends z.ZodType,
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
>(
  definition: Description<Params, Query, Body> & {
    success: Omit<Success, 'mediaType'> & { schema: Result }
    handler(
      call: WritingCall<z.output<Params>, z.output<Query>, z.output<Body>, z.input<Result>>,
    ): Promise<Answer<z.input<Result>>>
  },
): Endpoint {
  const { handler, success, ...description } = definition
  return {
    ...description,
    success: { ...success, mediaType: 'application/json' },
    async serve(received, platform) {
      const call = read(description, received, platform)
      const stored = (answer: Answer<z.input<Result>>): StoredAnswer => {
        if (platform.checksAnswers) success.schema.parse(answer.body)
        return { status: success.status, headers: answer.headers ?? {}, body: JSON.stringify(answer.body) }
      }
      const { organisationId } = received.caller
      const request = { organisationId, identity: identityOf(description, received), now: received.now }
      const { status, headers, body } = await answerOnce(platform.database, request, async (keep) => {
        const answer = await handler({
          ...call,
          answerAs: (work) =>
            call.as(async (tx) => {
              const inTransaction = await work(tx)
              await keep(tx, stored(inTransaction))
              return inTransaction
            }),
        })
        for (const workflowId of answer.workflowIds ?? []) platform.handover.begin(workflowId)
        return stored(answer)
      })
      received.response.status(status).set(headers).type('application/json').send(body)
    },
  }
}

/** A route that writes its answer itself, piece by piece. */
export function streamRoute<Params extends z.ZodObject = z.ZodObject, Query extends z.ZodObject = z.ZodObject>(
  definition: Description<Params, Query, z.ZodType> & {
    method: 'get'
    success: Success
    handler(call: Call<z.output<Params>, z.output<Query>>, response: Response): Promise<void>
  },
): Endpoint {
  const { handler, ...description } = definition
  return {
    ...description,
    async serve(received, platform) {
      await handler({ ...read(description, received, platform), body: undefined }, received.response)
    },
  }
}

/** Reads a request by the route's schemas. An id that cannot be one names nothing: 404, as for an unknown one. */
function read<Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType>(
  description: Description<Params, Query, Body>,
  received: Received,
  { database }: Platform,
): Call<z.output<Params>, z.output<Query>, z.output<Body>> {
  const { caller, header, requestId, now, body = {} } = received
  if (description.body && received.body === undefined) throw invalidInput([{ pointer: '', detail: bodyIsMissing }])
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalidInput([{ pointer: '', detail: bodyIsNoObject }])
  }
  const unstorable = unstorableText(body)
  if (unstorable.length > 0) throw invalidInput(unstorable)
  return {
    caller,
    header,
    requestId,
    now,
    params: parsed(description.params, received.params, () => new Problem('not_found', 'There is no such id.')),
    query: parsed(description.query, received.query, (error) => invalidInput(inputErrors(error, '/query'))),
    body: parsed(description.body, body, (error) => invalidInput(inputErrors(error))),
    key: identityOf(description, received)?.key ?? null,
    as: (work) => database.as(caller.organisationId, work),
  }
}

const nothing = z.strictObject({})
const bodyIsNoObject = 'The body has to be a JSON object: { "name": "value" }, or {} where there is nothing to say.'
const bodyIsMissing = 'Send a body as JSON, with the header Content-Type: application/json.'

/** Where a schema has nothing more helpful to say. */
export function unknownField({ code }: z.core.$ZodRawIssue): string | undefined {
  return code === 'unrecognized_keys' ? 'There is no such field.' : undefined
}

function parsed<S extends z.ZodType>(
  schema: S | undefined,
  value: unknown,
  refusal: (error: z.ZodError) => Problem,
): z.output<S> {
  const result = (schema ?? nothing).safeParse(value, { error: unknownField })
  if (!result.success) throw refusal(result.error)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- without a schema S is any schema, whose output promises nothing
  return result.data as z.output<S>
}

function identityOf({ method }: { method: string }, received: Received): RequestIdentity | null {
  if (method !== 'post') return null
  const key = received.header('idempotency-key')
  return requestIdentity({ method: 'POST', path: received.path, key, body: received.body })
}
