import { z } from 'zod'
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiResponsesObject } from 'zod-openapi'
import { Problem, type ProblemCode, ProblemDocument, problemDocument, problemMediaType, problems } from './problem.ts'
import type { Endpoint } from './route.ts'

const description = `Throughline runs the long stories of a business. Starting one answers 202 with \`links\`: \`events\` streams its progress.

- **Keys**: send \`Authorization: Bearer tl_...\`. A key belongs to one organisation and sees nothing of others.
- **Repeating a POST**: send an \`Idempotency-Key\` of your own making. The same key and body get the same answer, with the header
  \`Idempotency-Replayed: true\`; another body gets 422, a request still in flight 409. Only successful answers are kept.
- **Lists** come in pages: \`?limit=50\`, then \`?limit=50&cursor=\` with the \`nextCursor\` of the page before, until it is null.
- **Errors** are problem documents (RFC 9457) with a \`code\`, a \`requestId\`, and for wrong input \`errors\` with JSON pointers.
- **Limits**: \`RateLimit\` tells how many requests are left, 429 comes with \`Retry-After\`.
- **Times** are ISO 8601 in UTC, ids are UUIDs.`

const exampleId = '7c9e6679-7425-40de-944b-e07fc1f90ae7'

const IdempotencyKey = z
  .string()
  .min(1)
  .max(255)
  .optional()
  .meta({ description: 'Makes it safe to send this request again', example: exampleId })

const limitHeaders = {
  RateLimit: 'How many requests are left, and for how many seconds (draft-ietf-httpapi-ratelimit-headers-08)',
  'RateLimit-Policy': 'How many requests there are in how many seconds',
}
const replayed = {
  'Idempotency-Replayed': '`true` when this is the kept answer to an earlier request with the same key',
}
const retryAfter = { 'Retry-After': 'In how many seconds to try again' }

/** The OpenAPI 3.1 document of these endpoints. */
export function openApiDocument(endpoints: readonly Endpoint[]) {
  const paths: Record<string, Partial<Record<Endpoint['method'], ZodOpenApiOperationObject>>> = {}
  for (const endpoint of endpoints) {
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method]: operation(endpoint) }
  }
  return createDocument(
    {
      openapi: '3.1.0',
      info: { title: 'Throughline', version: '1', description },
      servers: [{ url: '/api/v1' }],
      security: [{ apiKey: [] }],
      tags: [...new Set(endpoints.map(({ tag }) => tag))].map((name) => ({ name })),
      components: {
        securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', description: 'An API key, `tl_<id>_<secret>`' } },
      },
      paths,
    },
    { override: ({ jsonSchema }) => exemplify(jsonSchema) },
  )
}

/** The reference page makes up what it has no example of: of a time, a row of digits that fits the pattern. */
function exemplify(schema: { format?: string; pattern?: string; examples?: unknown[] }): void {
  if (schema.format !== 'date-time') return
  delete schema.pattern
  schema.examples ??= ['2026-03-09T08:00:00.000Z']
}

function operation(endpoint: Endpoint): ZodOpenApiOperationObject {
  const { method, params, query, body, example, success } = endpoint
  const headers = headersOf({ ...limitHeaders, ...(method === 'post' && replayed), ...success.headers })
  return {
    operationId: operationId(endpoint),
    tags: [endpoint.tag],
    summary: endpoint.summary,
    description: [endpoint.description, `Needs the permission \`${endpoint.permission}\`.`]
      .filter(Boolean)
      .join('\n\n'),
    requestParams: {
      ...(params && { path: params }),
      ...(query && { query }),
      ...((method === 'post' || endpoint.headers) && {
        header: endpoint.headers ?? z.object({ 'Idempotency-Key': IdempotencyKey }),
      }),
    },
    ...(body && { requestBody: { required: true, content: { 'application/json': { schema: body, example } } } }),
    responses: {
      [success.status]: {
        description: success.description,
        headers,
        content: { [success.mediaType]: { schema: success.schema } },
      },
      ...(success.alternative && {
        [success.alternative.status]: { description: success.alternative.description, headers },
      }),
      ...problemResponses(problemsOf(endpoint)),
    },
  }
}

function headersOf(descriptions: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(descriptions).map(([name, text]) => [
      name,
      { description: text, schema: { type: 'string' as const } },
    ]),
  )
}

/** What can go wrong follows from what the route takes; the rest it says itself. */
function problemsOf({ method, params, problems: own = [] }: Endpoint): ProblemCode[] {
  const isPost = method === 'post'
  return [
    'invalid_input', // Unknown query parameters are refused everywhere.
    'unauthenticated',
    'forbidden',
    ...(params ? (['not_found'] as const) : []),
    ...(isPost ? (['idempotency_in_flight', 'too_large', 'idempotency_mismatch'] as const) : []),
    'rate_limited',
    'internal',
    'temporarily_unavailable',
    ...own,
  ]
}

function problemResponses(codes: readonly ProblemCode[]): ZodOpenApiResponsesObject {
  const byStatus = Map.groupBy(new Set(codes), (code) => problems[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      String(status),
      {
        description: group.map((code) => `\`${code}\`: ${problems[code].title}`).join('\n\n'),
        ...(status === 429 && { headers: headersOf({ ...limitHeaders, ...retryAfter }) }),
        ...(status === 503 && { headers: headersOf(retryAfter) }),
        content: { [problemMediaType]: { schema: ProblemDocument, examples: problemExamples(group) } },
      },
    ]),
  )
}

function problemExamples(codes: readonly ProblemCode[]) {
  return Object.fromEntries(
    codes.map((code) => {
      const detail = problems[code].advice
      const errors = code === 'invalid_input' ? [{ pointer: '/name', detail: 'What is wrong with it.' }] : []
      const problem = new Problem(code, detail, { errors })
      return [code, { value: problemDocument(problem, exampleId) }]
    }),
  )
}

/** 'post /campaigns/{id}/pause' → 'postCampaignsIdPause': stable, and unique since method and path are. */
function operationId({ method, path }: Endpoint): string {
  return method + path.replaceAll(/[^a-z]+([a-z])?/gi, (_, letter: string | undefined) => letter?.toUpperCase() ?? '')
}
