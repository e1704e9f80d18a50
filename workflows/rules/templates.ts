import {
  type Liquid,
  LiquidError,
  ParseError,
  type Template,
  TokenizationError,
  UndefinedVariableError,
} from 'liquidjs'
import { createEngine, type Escaping, Hole } from './template-engine.ts'

/** What a template may name, beside what it assigns itself: below `properties` anything, elsewhere nothing else. */
export interface TemplateData {
  contact: TemplateContact
  sender: { name: string; address: string; postalAddress: string | null }
  unsubscribeUrl: string
}

/** What templates may say of a person. */
export interface TemplateContact {
  email: string | null
  phone: string | null
  externalId: string | null
  language: string | null
  properties: Readonly<Record<string, unknown>>
}

const variables = new Set([
  ...['email', 'phone', 'externalId', 'language', 'properties'].map((field) => `contact.${field}`),
  ...['name', 'address', 'postalAddress'].map((field) => `sender.${field}`),
  'unsubscribeUrl',
])

/** Something wrong with a template, or with what it has to say of somebody. */
export interface TemplateFault {
  /** From 1. */
  line: number
  /** A sentence without anybody's data. */
  detail: string
  /** The variable, or output, that comes to nothing; null: another fault. */
  missing: string | null
}

/**
 * What rendering may still take over several templates, in milliseconds: of a request, say, or of a batch. It is spent by whoever is given it. Each
 * template may take all that one may take, so that at least the first that a fresh budget is given to is judged.
 */
export interface RenderBudget {
  leftMs: number
}

export type Rendered =
  | { ok: true; text: string }
  /** `limit`: what it went beyond. Of a template that only the budget was too small for, nobody knows whether it is right. */
  | { ok: false; faults: TemplateFault[]; limit: 'time' | 'size' | 'budget' | null }

/** What one template may take. */
const limits = {
  sourceLength: 200_000,
  textLength: 500_000,
  memory: 300_000,
  renderMs: 50,
}

const engines: Record<Escaping, Liquid> = { none: createEngine('none', limits), html: createEngine('html', limits) }

/** Renders a template with all that it names, or says what is not known. Its data: `known(TemplateData)`. Throws nothing. */
export function renderTemplate(
  source: string,
  escaping: Escaping,
  data: object,
  budget: RenderBudget = { leftMs: Infinity },
): Rendered {
  const rendered = renderOnce(source, escaping, data, budget)
  // A process that was frozen in between is out of time by no fault of the template: only the second time counts.
  const isLate = !rendered.ok && rendered.limit === 'time'
  return isLate ? renderOnce(source, escaping, data, budget) : rendered
}

function renderOnce(source: string, escaping: Escaping, data: object, budget: RenderBudget): Rendered {
  if (budget.leftMs <= 0) return { ok: false, faults: [wholeFault(details.budget)], limit: 'budget' }
  const begunAt = performance.now()
  try {
    const text = String(engines[escaping].renderSync(parsed(source, escaping), data))
    // Cut in half by a filter, a character of two units is none: it could be neither stored nor sent.
    if (text.length <= limits.textLength) return { ok: true, text: text.toWellFormed() }
    return { ok: false, faults: [wholeFault(details.size)], limit: 'size' }
  } catch (error) {
    const limit = limitOf(error)
    return { ok: false, faults: limit === null ? faultsOf(error) : [wholeFault(details[limit])], limit }
  } finally {
    budget.leftMs -= performance.now() - begunAt
  }
}

/** Without what is empty, which is as good as not known: only a template that says so (`default`) writes nothing there. */
export function known(data: object): object {
  const entries = Object.entries(data).map(([name, value]: [string, unknown]) => {
    const isGroup = typeof value === 'object' && value !== null && !Array.isArray(value)
    return [name, isGroup ? known(value) : value] as const
  })
  return Object.fromEntries(
    entries.filter(([, value]) => value !== null && !(typeof value === 'string' && value.trim() === '')),
  )
}

/** What is wrong with a template whoever it is for: it cannot be read, names what nobody has, or takes more than it may. */
export function checkTemplate(source: string, budget?: RenderBudget): TemplateFault[] {
  try {
    const paths = engines.none.globalVariableSegmentsSync(parsed(source, 'none'))
    const wrong = paths
      .map((path) => path.map((name) => (Array.isArray(name) ? '*' : String(name))).join('.'))
      .filter((variable) => !variables.has(variable) && !variable.startsWith('contact.properties.'))
      .map((variable) => ({
        line: source.slice(0, Math.max(0, source.indexOf(variable))).split('\n').length,
        detail: `There is no variable ${variable}. What you keep of people is below contact.properties.`,
        missing: variable,
      }))
    if (wrong.length > 0) return wrong
    const properties = paths.flatMap(([, , name]) => (typeof name === 'string' ? [[name, 'Example']] : []))
    const tried = renderTemplate(source, 'none', exampleData(Object.fromEntries(properties)), budget)
    // Holes are between a template and a person: here there is none.
    return tried.ok || tried.limit === null || tried.limit === 'budget' ? [] : tried.faults
  } catch (error) {
    return faultsOf(error)
  }
}

function exampleData(properties: Readonly<Record<string, unknown>>): TemplateData {
  return {
    contact: { email: 'someone@example.com', phone: '+15125550100', externalId: '17', language: 'en', properties },
    sender: { name: 'Example', address: 'hello@example.com', postalAddress: '1 Main Street' },
    unsubscribeUrl: 'https://example.com/u',
  }
}

const mostParsedLength = 5_000_000
let parsedLength = 0
/** By escaping and source, the one that was used last at the end. */
const parsedTemplates = new Map<string, Template[]>()

function parsed(source: string, escaping: Escaping): Template[] {
  const key = `${escaping}\n${source}`
  const before = parsedTemplates.get(key)
  const template = before ?? engines[escaping].parse(source)
  if (before) parsedTemplates.delete(key)
  else parsedLength += key.length
  parsedTemplates.set(key, template)
  for (const oldest of parsedTemplates.keys()) {
    if (parsedLength <= mostParsedLength) break
    parsedTemplates.delete(oldest)
    parsedLength -= oldest.length
  }
  return template
}

/** What a template has gone beyond that failed by this; null: something else is wrong. */
function limitOf(error: unknown): 'time' | 'size' | null {
  const messages = causesOf(error).map(({ message }) => message)
  if (messages.some((message) => message.startsWith('template render limit exceeded'))) return 'time'
  return messages.some((message) => message.startsWith('memory alloc limit exceeded')) ? 'size' : null
}

function wholeFault(detail: string): TemplateFault {
  return { line: 1, detail, missing: null }
}

const details = {
  time: `It takes more than ${limits.renderMs} ms to render.`,
  size: `It comes to more than ${limits.textLength} characters, or takes too much memory on the way.`,
  budget: 'There was no time left to render it.',
  filter: 'A filter cannot work on its value.',
}

function faultsOf(error: unknown): TemplateFault[] {
  return causesOf(error).map((cause) => {
    if (!(cause instanceof LiquidError)) return wholeFault(details.filter)
    const line = cause.token.getPosition()[0] ?? 1
    const named = cause.token.getText()
    if (cause instanceof UndefinedVariableError) {
      return { line, detail: `${named} is not known of this person.`, missing: named }
    }
    if (cause.originalError instanceof Hole) {
      return { line, detail: `${named} comes to nothing for this person.`, missing: named }
    }
    // Only what is said of the source: while rendering, a message may quote values.
    const isOfSource = cause instanceof ParseError || cause instanceof TokenizationError
    return { line, detail: isOfSource ? sentence(cause.message) : details.filter, missing: null }
  })
}

/** The errors that a failed template was told of, each by itself. */
function causesOf(error: unknown): Error[] {
  if (!(error instanceof Error)) return []
  return 'errors' in error && Array.isArray(error.errors) ? error.errors.flatMap(causesOf) : [error]
}

function sentence(message: string): string {
  const text = message.replace(/, line:\d+, col:\d+$/, '')
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
