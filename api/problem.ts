import { z } from 'zod'
import { limitedActs, limitPeriods } from '../workflows/contracts/plans.ts'
import { accessLevels } from '../workflows/contracts/subscriptions.ts'

interface ProblemKind {
  status: number
  title: string
  /** What the caller can do about it. */
  advice: string
}

/** Every way in which a request can fail. The codes are for programs and never change; the texts are for people. */
export const problems = {
  invalid_input: {
    status: 400,
    title: 'The request is not valid',
    advice: 'Correct what `errors` points at. Pointers lead into the body, or begin with /query or /headers.',
  },
  unauthenticated: {
    status: 401,
    title: 'A valid API key is needed',
    advice: 'Send the header `Authorization: Bearer tl_...` with a key that is neither expired nor revoked.',
  },
  payment_required: {
    status: 402,
    title: 'The organisation has not paid for that',
    advice:
      'The detail says what is missing, `upgrade` where to get it. Nothing was used: the same request goes through once it is there.',
  },
  forbidden: {
    status: 403,
    title: 'This API key may not do that',
    advice: 'Use a key with the permission, or of the organisation, that the detail names.',
  },
  not_found: {
    status: 404,
    title: 'There is no such thing',
    advice: 'Check the address. What belongs to another organisation does not exist for you.',
  },
  method_not_allowed: {
    status: 405,
    title: 'This address does not know the method',
    advice: 'Use one of the methods in the header `Allow`.',
  },
  wrong_state: {
    status: 409,
    title: 'Its state does not allow that',
    advice: 'Read what it is doing now. Sending the same request again will not help until that changes.',
  },
  conflict: {
    status: 409,
    title: 'Something else has that already',
    advice: 'The detail says what is taken. Give another, or change what has it.',
  },
  idempotency_in_flight: {
    status: 409,
    title: 'The first request with this Idempotency-Key is still running',
    advice: 'Send it again in a moment. A request that died frees its key after a minute.',
  },
  too_large: { status: 413, title: 'The body is too large', advice: 'Send less: the detail says how much is taken.' },
  idempotency_mismatch: {
    status: 422,
    title: 'This Idempotency-Key was used for another request',
    advice: 'Use a new key for every new request, and the same one only to repeat a request unchanged.',
  },
  not_allowed_now: {
    status: 422,
    title: 'The settings do not allow that now',
    advice: 'The detail says which setting is missing.',
  },
  limit_reached: {
    status: 429,
    title: 'A limit of the organisation is reached',
    advice:
      'End what you no longer need, such as open event streams, or wait until `until`, where there is one; `upgrade` says where to get more.',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    advice: 'Wait for as many seconds as the header `Retry-After` says. `RateLimit` tells how many requests are left.',
  },
  internal: {
    status: 500,
    title: 'Something went wrong on our side',
    advice: 'Report the requestId. With an Idempotency-Key it is safe to send the same request again.',
  },
  temporarily_unavailable: {
    status: 503,
    title: 'This does not work at the moment',
    advice: 'Send the same request, with the same Idempotency-Key, again after as many seconds as `Retry-After` says.',
  },
} as const satisfies Record<string, ProblemKind>

export type ProblemCode = keyof typeof problems

export interface InputError {
  /** A JSON pointer (RFC 6901) into the body; '/query/limit' and '/headers/idempotency-key' for what is not in the body. */
  pointer: string
  detail: string
}

const mostErrors = 100

/** What is told besides, for programs: members beyond those of RFC 9457. */
const members = {
  pending: z
    .looseObject({ id: z.uuid() })
    .exactOptional()
    .meta({ description: 'For a conflict with a change of plan: the one that is pending, as in `GET /billing`' }),
  over: z
    .array(z.looseObject({ what: z.string() }))
    .exactOptional()
    .meta({ description: 'For a change to a plan that is too small: what is above it, as in its preview' }),
  declineCode: z.string().exactOptional().meta({
    description: 'For a charge that was declined: why, by the code of the bank or of Stripe',
    example: 'insufficient_funds',
  }),
  act: z.enum(limitedActs).exactOptional().meta({ description: 'What is limited' }),
  most: z.int().exactOptional(),
  used: z.int().exactOptional(),
  per: z.enum(limitPeriods).exactOptional(),
  until: z.iso
    .datetime()
    .nullable()
    .exactOptional()
    .meta({ description: 'When the limit begins anew; null: never by itself' }),
  access: z.enum(accessLevels).exactOptional().meta({ description: 'Where that is what is missing' }),
  feature: z.string().exactOptional().meta({ description: 'What no plan of the organisation has' }),
  plans: z.array(z.string()).exactOptional().meta({ description: 'The plans that have the feature' }),
  upgrade: z.string().exactOptional().meta({ description: 'Where to get it', example: '/api/v1/billing/change-plan' }),
}
export type ProblemMembers = z.infer<z.ZodObject<typeof members>>

interface ProblemDetails {
  errors?: InputError[]
  members?: ProblemMembers
  headers?: Record<string, string>
  cause?: unknown
}

/** A request that fails with a code of ours. `detail` is read by people and says what is wrong with this request. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly errors: readonly InputError[]
  readonly members: ProblemMembers
  readonly headers: Readonly<Record<string, string>>

  /** A `cause` is logged, and never shown. */
  constructor(code: ProblemCode, detail: string, more: ProblemDetails = {}) {
    super(detail, more.cause === undefined ? {} : { cause: more.cause })
    this.name = 'Problem'
    this.code = code
    this.errors = (more.errors ?? []).slice(0, mostErrors)
    this.members = more.members ?? {}
    this.headers = more.headers ?? {}
  }

  get status(): number {
    return problems[this.code].status
  }
}

export function invalidInput(errors: InputError[]): Problem {
  const more = errors.length > mostErrors ? `, the first ${mostErrors} are listed` : ''
  const detail = errors.length === 1 ? (errors[0]?.detail ?? '') : `${errors.length} things are wrong${more}.`
  return new Problem('invalid_input', detail, { errors })
}

/** What a lookup brought, or the answer 404. */
export function found<T>(thing: T | null | undefined, what: string): T {
  if (thing === null || thing === undefined) throw new Problem('not_found', `There is no such ${what}.`)
  return thing
}

/** The errors of a failed parse, with pointers below `root`. */
export function inputErrors(error: z.ZodError, root = ''): InputError[] {
  return error.issues.flatMap(({ message: detail, ...issue }) => {
    const paths = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path]
    return paths.map((path) => ({ pointer: pointerTo(path, root), detail }))
  })
}

export function pointerTo(path: readonly PropertyKey[], root = ''): string {
  return [root, ...path.map((step) => String(step).replaceAll('~', '~0').replaceAll('/', '~1'))].join('/')
}

export const problemMediaType = 'application/problem+json'

/** RFC 9457, as every failed request is answered. */
export const ProblemDocument = z
  .strictObject({
    type: z.string().meta({ description: 'The address of a page about the code', example: '/problems/not_found' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ example: 'not_found' }),
    requestId: z.string().meta({ description: 'The same as in the header X-Request-Id and in our logs' }),
    errors: z
      .array(z.strictObject({ pointer: z.string().meta({ example: '/searches/0/limit' }), detail: z.string() }))
      .optional()
      .meta({ description: `For invalid_input, and for a conflict with what a field says; at most ${mostErrors}` }),
    ...members,
  })
  .meta({ id: 'Problem' })

export function problemDocument(problem: Problem, requestId: string): z.infer<typeof ProblemDocument> {
  const { code, status, errors } = problem
  return {
    type: `/problems/${code}`,
    title: problems[code].title,
    status,
    detail: problem.message,
    code,
    requestId,
    ...(errors.length > 0 && { errors: [...errors] }),
    ...problem.members,
  }
}
