import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { z } from 'zod'
import type { Exchange } from './discovery.ts'

const Schema = z.record(z.string(), z.unknown())
const Content = z.object({ content: z.object({ 'application/json': z.object({ schema: Schema }) }) })
const Parameter = z.object({ in: z.string(), name: z.string(), schema: Schema })
const Operation = z.object({
  operationId: z.string().optional(),
  parameters: z.array(z.union([Parameter, z.object({ $ref: z.string() })])).default([]),
  requestBody: Content.optional(),
  responses: z.record(z.string(), Content.partial()),
})
const Description = z.object({
  paths: z.record(z.string(), z.record(z.string(), Operation.catch({ parameters: [], responses: {} }))),
  webhooks: z.record(z.string(), z.object({ post: z.object({ requestBody: Content }) })).default({}),
  components: z.object({
    schemas: z.record(z.string(), Schema),
    parameters: z.record(z.string(), Parameter).default({}),
  }),
})

/** An API by its OpenAPI 3.1 document. A field that is not described is a problem, so that a misspelt one is found. */
export function openDescription(file: string) {
  const { paths, webhooks, components } = Description.parse(JSON.parse(readFileSync(file, 'utf8')))
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  // As they stand they are open: a schema that adds to another one closes them together.
  ajv.addSchema({
    $id: 'api',
    components: { schemas: mapped(components.schemas, (schema) => converted(schema, false)) },
  })

  return {
    /** The operation's id and what is wrong with the exchange; null when the API has no such operation. */
    check({ method, path, body, status, answer }: Exchange): { id: string; problems: string[] } | null {
      const { pathname, searchParams } = new URL(path, 'http://api')
      const [pattern, operations] =
        Object.entries(paths)
          .sort(byPreciseness)
          .find(([one]) => fits(one, pathname)) ?? []
      const operation = operations?.[method.toLowerCase()]
      if (!pattern || !operation) return null
      const response = operation.responses[String(status)]
      return {
        id: operation.operationId ?? `${method} ${pattern}`,
        problems: [
          ...queryProblems(operation, searchParams),
          ...problems('request', operation.requestBody?.content['application/json'].schema, body),
          ...(status < 300 ? problems('answer', response?.content?.['application/json'].schema, answer) : []),
        ],
      }
    },

    /** What is wrong with a webhook; null when the API sends none of this type. */
    checkWebhook(type: string, body: unknown): string[] | null {
      const webhook = webhooks[type]
      return webhook ? problems('webhook', webhook.post.requestBody.content['application/json'].schema, body) : null
    },
  }

  function queryProblems({ parameters }: z.infer<typeof Operation>, query: URLSearchParams): string[] {
    const known = parameters.map((one) =>
      '$ref' in one ? components.parameters[one.$ref.split('/').at(-1) ?? ''] : one,
    )
    return [...query].flatMap(([name, text]) => {
      const parameter = known.find((one) => one?.in === 'query' && one.name === name)
      if (!parameter) return [`there is no parameter ${name}`]
      const value: unknown = parameter.schema.type === 'integer' ? Number(text) : text
      return problems(`parameter ${name}`, parameter.schema, value)
    })
  }

  function problems(what: string, schema: Record<string, unknown> | undefined, body: unknown): string[] {
    if (schema === undefined) return body === undefined ? [] : [`the ${what} must be empty`]
    if (ajv.validate(converted(schema, true), body)) return []
    return (ajv.errors ?? []).map(
      ({ instancePath, message, params }) => `${what} ${instancePath} ${message} ${JSON.stringify(params)}`,
    )
  }
}

/** `/emails/batch` before `/emails/{id}`. */
function byPreciseness([a]: [string, unknown], [b]: [string, unknown]): number {
  return a.split('{').length - b.split('{').length
}

function fits(pattern: string, pathname: string): boolean {
  return new RegExp(`^${pattern.replace(/\{[^}]+\}/g, '[^/]+')}$`).test(pathname)
}

const open = new Set(['allOf', 'oneOf', 'anyOf'])

function converted(node: unknown, isClosed: boolean): Record<string, unknown> {
  if (!isNode(node)) return {}
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(node)) {
    if (key === '$ref') result[key] = String(value).replace('#/', 'api#/')
    else if (key === 'properties' && isNode(value)) result[key] = mapped(value, (one) => converted(one, true))
    else if (key === 'items' || key === 'additionalProperties')
      result[key] = isNode(value) ? converted(value, true) : value
    else if (open.has(key) && Array.isArray(value)) result[key] = value.map((one: unknown) => converted(one, false))
    else result[key] = value
  }
  const hasFields = '$ref' in node || 'properties' in node || 'allOf' in node
  return isClosed && hasFields && !('additionalProperties' in node)
    ? { ...result, unevaluatedProperties: false }
    : result
}

function mapped(nodes: Record<string, unknown>, convert: (node: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(nodes).map(([name, node]) => [name, convert(node)]))
}

function isNode(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
