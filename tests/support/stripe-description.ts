import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { z } from 'zod'
import { readForm } from '../../providers/stripe/sandbox-forms.ts'
import type { Exchange } from './discovery.ts'

const Schema = z.record(z.string(), z.unknown())
const Content = z.object({ schema: Schema })
const Operation = z.object({
  operationId: z.string(),
  parameters: z.array(z.object({ in: z.string(), name: z.string(), schema: Schema })).default([]),
  requestBody: z.object({ content: z.object({ 'application/x-www-form-urlencoded': Content }).partial() }).optional(),
  responses: z.record(z.string(), z.object({ content: z.object({ 'application/json': Content }).partial() })),
})
const Description = z.object({
  paths: z.record(z.string(), z.record(z.string(), Operation)),
  components: z.object({ schemas: z.record(z.string(), Schema) }),
})

/**
 * Stripe's API by its description, an OpenAPI 3.0 document: forms for requests, objects closed, so that a misspelt field is found. What ids may be
 * replaced by is part of the schemas.
 */
export function openStripeDescription(file: string) {
  const { paths, components } = Description.parse(JSON.parse(readFileSync(file, 'utf8')))
  const schemas = Object.fromEntries(Object.entries(components.schemas).map(([name, one]) => [name, converted(one)]))
  // The description is not ours to check, and schemas refer to each other in circles.
  const how = { strict: false, allErrors: true, inlineRefs: false, validateSchema: false } as const
  const objects = new Ajv2020(how).addSchema({ $id: 'api', components: { schemas } })
  const forms = new Ajv2020({ ...how, coerceTypes: 'array' })
  // A validator is made once for each schema, as long as that is the same object.
  const known = new Map<unknown, Record<string, unknown>>()
  const schemaOf = (node: unknown) => {
    const schema = known.get(node) ?? converted(node)
    known.set(node, schema)
    return schema
  }

  return {
    /** The operation's id and what is wrong with the exchange, whose `body` is a form; null when the API has no such operation. */
    check({ method, path, body, status, answer }: Exchange): { id: string; problems: string[] } | null {
      const { pathname, searchParams } = new URL(path, 'http://api')
      const candidates = Object.entries(paths).filter(([pattern]) => fits(pattern, pathname))
      const [[, operations] = []] = candidates.toSorted(([a], [b]) => a.split('{').length - b.split('{').length)
      const operation = operations?.[method.toLowerCase()]
      if (!operation) return null
      const form = operation.requestBody?.content['application/x-www-form-urlencoded']?.schema
      const asked = operation.parameters.filter((one) => one.in === 'query').map(({ name, schema }) => [name, schema])
      const query = { type: 'object', properties: Object.fromEntries(asked), additionalProperties: false }
      const sent = typeof body === 'string' ? body : ''
      return {
        id: operation.operationId,
        problems: [
          ...problems(forms, 'query', converted(query), lists(readForm(searchParams))),
          ...problems(
            forms,
            'request',
            form ? schemaOf(form) : { maxProperties: 0 },
            lists(readForm(new URLSearchParams(sent))),
          ),
          ...(status < 300
            ? problems(
                objects,
                'answer',
                schemaOf(operation.responses['200']?.content['application/json']?.schema),
                answer,
              )
            : []),
        ],
      }
    },

    /** What is wrong with an event, or with the object in it. */
    checkEvent(event: unknown): string[] {
      const { object } = z
        .object({ data: z.object({ object: z.looseObject({ object: z.string() }) }) })
        .parse(event).data
      const schema = (name: string) => schemaOf(components.schemas[name])
      return [
        ...problems(objects, 'event', schema('event'), event),
        ...problems(objects, `event's ${object.object}`, schema(object.object), object),
      ]
    },
  }
}

function problems(ajv: Ajv2020, what: string, schema: object, value: unknown): string[] {
  if (ajv.validate(schema, value)) return []
  return (ajv.errors ?? []).map(
    ({ instancePath, message, params }) => `${what} ${instancePath} ${message} ${JSON.stringify(params)}`,
  )
}

function fits(pattern: string, pathname: string): boolean {
  return new RegExp(`^${pattern.replace(/\{[^}]+\}/g, '[^/]+')}$`).test(pathname)
}

/** A form's numbered names are lists. */
function lists(form: unknown): unknown {
  if (!isNode(form)) return form
  const inner = Object.entries(form).map(([name, value]) => [name, lists(value)] as const)
  const isList = inner.length > 0 && inner.every(([name], index) => name === String(index))
  return isList ? inner.map(([, value]) => value) : Object.fromEntries(inner)
}

const ignored = new Set(['description', 'title', 'nullable', 'format'])

/** As JSON Schema: with `null` where it is allowed, and with no fields but those described. */
function converted(node: unknown): Record<string, unknown> {
  if (!isNode(node)) return {}
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(node)) {
    if (key === 'properties' && isNode(value)) {
      result[key] = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, converted(one)]))
    } else if (key === '$ref') result[key] = String(value).replace('#/', 'api#/')
    else if (ignored.has(key) || key.startsWith('x-')) continue
    else if (Array.isArray(value)) result[key] = value.map((one: unknown) => (isNode(one) ? converted(one) : one))
    else result[key] = isNode(value) ? converted(value) : value
  }
  if (isNode(node.properties) && !('additionalProperties' in node)) result.additionalProperties = false
  return node.nullable === true ? { anyOf: [result, { type: 'null' }] } : result
}

function isNode(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
