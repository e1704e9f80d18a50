import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import { z } from 'zod'

const Schema = z.record(z.string(), z.unknown())
const Method = z.object({
  id: z.string(),
  httpMethod: z.string(),
  path: z.string(),
  parameters: z
    .record(z.string(), z.looseObject({ location: z.enum(['path', 'query']), required: z.boolean().optional() }))
    .default({}),
  request: z.object({ $ref: z.string() }).optional(),
  response: z.object({ $ref: z.string() }).optional(),
})
type Method = z.infer<typeof Method>
const Parameter = z.object({ type: z.string(), enum: z.array(z.string()).optional() })
interface Resource {
  methods?: Record<string, Method> | undefined
  resources?: Record<string, Resource> | undefined
}
const Resource: z.ZodType<Resource> = z.object({
  methods: z.record(z.string(), Method).optional(),
  get resources() {
    return z.record(z.string(), Resource).optional()
  },
})
const Description = z.object({
  name: z.string(),
  servicePath: z.string(),
  parameters: z.record(z.string(), z.unknown()),
  schemas: z.record(z.string(), Schema),
  resources: z.record(z.string(), Resource),
})

export interface Exchange {
  method: string
  /** Path and query, as below the API's host. */
  path: string
  body: unknown
  status: number
  answer: unknown
}

/** One of Google's APIs by its discovery document. */
export function openDiscovery(file: string) {
  const { name, servicePath, parameters, schemas, resources } = Description.parse(
    JSON.parse(readFileSync(file, 'utf8')),
  )
  const methods = Object.values(resources).flatMap(methodsOf)
  const ajv = new Ajv({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema({ $id: name, $defs: jsonSchema(schemas) })

  return {
    /** The method's id and what is wrong with the exchange; null when the API has no such method. */
    check(exchange: Exchange): { id: string; problems: string[] } | null {
      const url = new URL(exchange.path, 'http://api')
      const method = methods.find(
        (one) => one.httpMethod === exchange.method && pathPattern(servicePath + one.path).test(url.pathname),
      )
      if (!method) return null
      return {
        id: method.id,
        problems: [
          ...queryProblems(method, url.searchParams),
          ...bodyProblems('request', method.request?.$ref, exchange.body),
          ...(exchange.status < 300 ? bodyProblems('answer', method.response?.$ref, exchange.answer) : []),
        ],
      }
    },
  }

  function queryProblems({ parameters: own }: Method, query: URLSearchParams): string[] {
    const unknown = [...query.keys()].filter((key) => own[key]?.location !== 'query' && !(key in parameters))
    const missing = Object.keys(own).filter(
      (key) => own[key]?.location === 'query' && own[key].required && !query.has(key),
    )
    const wrong = [...query].filter(([key, value]) => !fits(own[key], value))
    return [
      ...unknown.map((key) => `there is no parameter ${key}`),
      ...missing.map((key) => `the parameter ${key} is missing`),
      ...wrong.map(([key, value]) => `the parameter ${key} cannot be ${value}`),
    ]
  }

  function fits(parameter: unknown, text: string): boolean {
    if (parameter === undefined) return true
    const { type, enum: choices } = Parameter.parse(parameter)
    const value: unknown = type === 'boolean' || type === 'integer' ? JSON.parse(text) : text
    return ajv.validate({ type, ...(choices && { enum: choices }) }, value)
  }

  function bodyProblems(what: string, schema: string | undefined, body: unknown): string[] {
    if (schema === undefined) return body === undefined ? [] : [`the ${what} must be empty`]
    if (ajv.validate({ $ref: `${name}#/$defs/${schema}` }, body)) return []
    return (ajv.errors ?? []).map(
      ({ instancePath, message, params }) => `${what} ${instancePath} ${message} ${JSON.stringify(params)}`,
    )
  }
}

function methodsOf({ methods = {}, resources = {} }: Resource): Method[] {
  return [...Object.values(methods), ...Object.values(resources).flatMap(methodsOf)]
}

function pathPattern(template: string): RegExp {
  const escaped = template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]+\}/g, '[^/:]+')
  return new RegExp(`^/${escaped}$`)
}

/** Formats that JSON Schema has as well; the others (int32, google-fieldmask...) say nothing that a validator could check. */
const knownFormats = new Set(['date', 'date-time', 'byte', 'double', 'float', 'int32'])

/**
 * Discovery's schemas are an early JSON Schema. A field that is not described is an error here, so that a misspelt one is found; `required`
 * stands for something else on parameters, and `any` is no type of JSON Schema.
 */
function jsonSchema(node: Record<string, unknown>): Record<string, unknown> {
  const converted: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(node)) {
    if (key === '$ref') converted[key] = `#/$defs/${String(value)}`
    else if (key === 'type' && value === 'any') continue
    else if (key === 'format' && !isNode(value) && !knownFormats.has(String(value))) continue
    else if (ignoredKeys.has(key) && !isNode(value)) continue
    else converted[key] = isNode(value) ? jsonSchema(value) : value
  }
  const isClosed = isNode(node.properties) && node.additionalProperties === undefined && node.type === 'object'
  return isClosed ? { ...converted, additionalProperties: false } : converted
}

/** Unless they are the name of a property and so hold a schema. */
const ignoredKeys = new Set(['id', 'description', 'enumDescriptions', 'readOnly', 'deprecated', 'default', 'required'])

function isNode(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
