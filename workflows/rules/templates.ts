import { Liquid, LiquidError, ParseError, type Template, TokenizationError, UndefinedVariableError } from 'liquidjs'

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

/** `html`: values are escaped, unless the template says `| raw`. */
export type Escaping = 'none' | 'html'

/** Something wrong with a template, or with what it has to say of somebody. */
export interface TemplateFault {
  /** From 1. */
  line: number
  /** A sentence without anybody's data. */
  detail: string
  /** The variable, or output, that comes to nothing; null: another fault. */
  missing: string | null
}

export type Rendered = { ok: true; text: string } | { ok: false; faults: TemplateFault[] }

/** What one template may take. */
const limits = {
  sourceLength: 200_000,
  textLength: 500_000,
  /** Characters and list items made on the way, about. */
  memory: 1_000_000,
  renderMs: 200,
}

const engines: Record<Escaping, Liquid> = { none: createEngine('none'), html: createEngine('html') }

/** Renders a template with all that it names, or says what is not known. Its data: `known(TemplateData)`. Throws nothing. */
export function renderTemplate(source: string, escaping: Escaping, data: object): Rendered {
  try {
    const text = renderInTime(engines[escaping], parsed(source, escaping), data)
    if (text.length <= limits.textLength) {
      // Cut in half by a filter, a character of two units is none: it could be neither stored nor sent.
      return { ok: true, text: text.toWellFormed() }
    }
    const detail = `It comes to more than ${limits.textLength} characters.`
    return { ok: false, faults: [{ line: 1, detail, missing: null }] }
  } catch (error) {
    return { ok: false, faults: faultsOf(error) }
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

/** What is wrong with a template whoever it is for: it cannot be read, or names what nobody has. */
export function checkTemplate(source: string): TemplateFault[] {
  try {
    return engines.none
      .globalVariableSegmentsSync(parsed(source, 'none'))
      .map((path) => path.map((name) => (Array.isArray(name) ? '*' : String(name))).join('.'))
      .filter((variable) => !variables.has(variable) && !variable.startsWith('contact.properties.'))
      .map((variable) => ({
        line: source.slice(0, Math.max(0, source.indexOf(variable))).split('\n').length,
        detail: `There is no variable ${variable}. What you keep of people is below contact.properties.`,
        missing: variable,
      }))
  } catch (error) {
    return faultsOf(error)
  }
}

function createEngine(escaping: Escaping): Liquid {
  const engine = new Liquid({
    strictVariables: true,
    strictFilters: true,
    // How a template does without: `{% if contact.properties.x %}` and `| default: "there"`.
    lenientIf: true,
    ownPropertyOnly: true,
    catchAllErrors: true,
    // Nothing is read from a disk.
    templates: {},
    timezoneOffset: 0,
    locale: 'en',
    outputEscape: (value: unknown) => (escaping === 'html' ? escapeHtml(printed(value)) : printed(value)),
    parseLimit: limits.sourceLength,
    memoryLimit: limits.memory,
    renderLimit: limits.renderMs,
  })
  for (const tag of ['include', 'render', 'layout', 'block']) delete engine.tags[tag]
  return engine
}

/** The text of an output. Throws where there is none: a hole. */
function printed(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return value.map(printed).join(', ')
  throw new Hole()
}

class Hole extends Error {}

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => htmlEntities[character] ?? character)
}

const htmlEntities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

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

/** A process that was frozen in between is out of time by no fault of the template: only the second time counts. */
function renderInTime(engine: Liquid, template: Template[], data: object): string {
  try {
    return String(engine.renderSync(template, data))
  } catch (error) {
    if (!causesOf(error).some(({ message }) => message.startsWith('template render limit exceeded'))) throw error
    return String(engine.renderSync(template, data))
  }
}

function faultsOf(error: unknown): TemplateFault[] {
  return causesOf(error).map((cause) => {
    if (!(cause instanceof LiquidError)) return { line: 1, detail: tooMuch, missing: null }
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
    return { line, detail: isOfSource ? sentence(cause.message) : tooMuch, missing: null }
  })
}

const tooMuch = 'It takes too much time or memory, or a filter cannot work on its value.'

/** The errors that a failed template was told of, each by itself. */
function causesOf(error: unknown): Error[] {
  if (!(error instanceof Error)) return []
  return 'errors' in error && Array.isArray(error.errors) ? error.errors.flatMap(causesOf) : [error]
}

function sentence(message: string): string {
  const text = message.replace(/, line:\d+, col:\d+$/, '')
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
