import { expect, test } from 'vitest'
import { z } from 'zod'
import { ProblemDocument } from '../../api/problem.ts'
import { testApi } from '../support/api.ts'

const { url } = await testApi()
const document: unknown = await (await fetch(`${url}/openapi.json`)).json()

test('the document lists every route of the API', () => {
  const { paths } = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) }).parse(document)
  const routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method} ${path}`),
  )
  expect(routes.sort()).toEqual([
    'get /billing',
    'get /billing/differences',
    'get /billing/invoices',
    'get /billing/reconciliations',
    'get /billing/timeline',
    'get /billing/timers',
    'get /billing/unreported-usage',
    'get /campaigns',
    'get /campaigns/{id}',
    'get /campaigns/{id}/events',
    'get /campaigns/{id}/export.csv',
    'get /campaigns/{id}/export.json',
    'get /campaigns/{id}/gone',
    'get /campaigns/{id}/prospects',
    'get /campaigns/{id}/report',
    'get /campaigns/{id}/schedule',
    'get /contacts',
    'get /contacts/{id}',
    'get /contacts/{id}/consents',
    'get /contacts/{id}/events',
    'get /contacts/{id}/history',
    'get /credits',
    'get /credits/ledger',
    'get /credits/top-ups',
    'get /enrolments/{id}',
    'get /inbound-events/unmatched',
    'get /messages',
    'get /messages/{id}',
    'get /plans',
    'get /plans/{key}',
    'get /policy',
    'get /prospects/{id}',
    'get /scoring-rules',
    'get /searches',
    'get /senders',
    'get /senders/{id}',
    'get /sequences',
    'get /sequences/{id}',
    'get /sequences/{id}/enrolments',
    'get /sequences/{id}/stats',
    'get /sequences/{id}/versions',
    'get /sequences/{id}/versions/{version}',
    'get /suppressions',
    'get /usage',
    'post /billing/cancel',
    'post /billing/cancel/undo',
    'post /billing/change-plan',
    'post /billing/change-plan/preview',
    'post /billing/change-plan/undo',
    'post /billing/checkout',
    'post /billing/pay-now',
    'post /billing/portal',
    'post /billing/refunds',
    'post /billing/switches',
    'post /billing/timers/move',
    'post /billing/unreported-usage/resolve',
    'post /campaigns',
    'post /campaigns/{id}/approve',
    'post /campaigns/{id}/budget',
    'post /campaigns/{id}/cancel',
    'post /campaigns/{id}/pause',
    'post /campaigns/{id}/rescore',
    'post /campaigns/{id}/resume',
    'post /campaigns/{id}/schedule',
    'post /campaigns/{id}/schedule/pause',
    'post /campaigns/{id}/schedule/remove',
    'post /campaigns/{id}/schedule/resume',
    'post /campaigns/{id}/schedule/trigger',
    'post /campaigns/{id}/share',
    'post /contacts',
    'post /contacts/list',
    'post /contacts/{id}',
    'post /contacts/{id}/consents',
    'post /contacts/{id}/events',
    'post /credits/top-ups',
    'post /enrolments/{id}/exit',
    'post /enrolments/{id}/pause',
    'post /enrolments/{id}/resume',
    'post /messages/{id}/resolve',
    'post /plans',
    'post /plans/{key}/retire',
    'post /policy',
    'post /policy/pause',
    'post /policy/resume',
    'post /scoring-rules',
    'post /scoring-rules/preview',
    'post /senders',
    'post /senders/{id}',
    'post /senders/{id}/pause',
    'post /senders/{id}/resume',
    'post /sequences',
    'post /sequences/{id}/archive',
    'post /sequences/{id}/enrolments',
    'post /sequences/{id}/enrolments/resume',
    'post /sequences/{id}/pause',
    'post /sequences/{id}/preview',
    'post /sequences/{id}/publish',
    'post /sequences/{id}/resume',
    'post /sequences/{id}/versions',
    'post /suppressions',
    'post /suppressions/list',
    'post /suppressions/{id}/lift',
    'post /usage',
  ])
})

test('every operation documents what may become of any request, and the headers that come with it', () => {
  const Answer = z.object({ headers: z.record(z.string(), z.unknown()).default({}) })
  const Operation = z.object({ responses: z.record(z.string(), Answer) })
  const { paths } = z.object({ paths: z.record(z.string(), z.record(z.string(), Operation)) }).parse(document)
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { responses }] of Object.entries(operations)) {
      const where = `${method} ${path}`
      const headers = (status: string) => Object.keys(responses[status]?.headers ?? {})
      expect(Object.keys(responses), where).toEqual(expect.arrayContaining(['400', '401', '403', '429', '500', '503']))
      const success = Object.keys(responses).find((status) => status.startsWith('2')) ?? ''
      expect(headers(success), where).toEqual(expect.arrayContaining(['RateLimit', 'RateLimit-Policy']))
      expect(headers(success).includes('Idempotency-Replayed'), where).toBe(method === 'post')
      expect(headers('429'), where).toEqual(expect.arrayContaining(['RateLimit', 'RateLimit-Policy', 'Retry-After']))
      expect(headers('503'), where).toContain('Retry-After')
    }
  }
})

test('it shows an example of each problem under its own status, and of every time', () => {
  const Problems = z.record(z.string(), z.object({ value: ProblemDocument }))
  const Media = z.object({ 'application/problem+json': z.object({ examples: Problems }).optional() })
  const Operation = z.object({ responses: z.record(z.string(), z.object({ content: Media.optional() })) })
  const { paths } = z.object({ paths: z.record(z.string(), z.record(z.string(), Operation)) }).parse(document)
  const operations = Object.values(paths).flatMap((path) => Object.values(path))
  const shown = operations.flatMap(({ responses }) =>
    Object.entries(responses).flatMap(([status, { content }]) =>
      Object.entries(content?.['application/problem+json']?.examples ?? {}).map(([code, { value }]) => [
        { status: value.status, code: value.code },
        { status: Number(status), code },
      ]),
    ),
  )
  expect(shown.length).toBeGreaterThan(100)
  for (const [example, place] of shown) expect(example).toEqual(place)
  const times = JSON.stringify(document).match(/"format":"date-time"[^}]*/g) ?? []
  for (const time of times) expect(time).toContain('"examples":["2026-03-09T08:00:00.000Z"]')
})

test('every reference in it leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path ?? '')
  expect(references.length).toBeGreaterThan(10)
  for (const reference of references) {
    const target = reference
      .split('/')
      .reduce<unknown>((place, step) => new Map(Object.entries(place ?? {})).get(step), document)
    expect(target, reference).toBeDefined()
  }
})

test('it names an operation once, in OpenAPI 3.1, with the key as its only security', () => {
  const text = JSON.stringify(document)
  const ids = [...text.matchAll(/"operationId":"(\w+)"/g)].map(([, id]) => id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(document).toMatchObject({
    openapi: '3.1.0',
    servers: [{ url: '/api/v1' }],
    security: [{ apiKey: [] }],
    components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
  })
})

test('the reference page loads nothing from elsewhere and needs no inline script', async () => {
  const response = await fetch(`${url}/docs`)
  const page = await response.text()
  expect(page).not.toMatch(/https?:\/\//)
  expect(page).not.toMatch(/<script>|<script [^>]*>[^<]/)
  expect(response.headers.get('content-security-policy')).toContain("default-src 'self'")
  for (const [, path] of page.matchAll(/(?:src|href)="([^"]+)"/g)) {
    expect((await fetch(`${url}${path}`)).status, path).toBe(200)
  }
})
