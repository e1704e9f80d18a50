import {
  AssignTag,
  CaseTag,
  type Context,
  type Emitter,
  type Filter,
  Liquid,
  Output,
  Parser,
  type Template,
  type TopLevelToken,
  Value,
} from 'liquidjs'

/** `html`: values are escaped, unless the template says `| raw`. */
export type Escaping = 'none' | 'html'

export interface EngineLimits {
  sourceLength: number
  /** Characters and list items made on the way, about. */
  memory: number
  renderMs: number
}

/** Something is to be written, and there is nothing to write. */
export class Hole extends Error {}

/** Liquid that leaves no holes: what is not known, or comes to nothing, fails where it is written, unless `default` says what to write instead. */
export function createEngine(escaping: Escaping, limits: EngineLimits): Liquid {
  const engine = new StrictLiquid({
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
    outputEscape: (value: unknown) => written(value, escaping),
    parseLimit: limits.sourceLength,
    memoryLimit: limits.memory,
    renderLimit: limits.renderMs,
  })
  for (const tag of ['include', 'render', 'layout', 'block']) delete engine.tags[tag]
  engine.registerTag('assign', StrictAssign)
  engine.registerTag('case', StrictCase)
  // Expressions within expressions, over lists within lists: neither time nor memory is looked at between them.
  for (const filter of Object.keys(engine.filters)) if (filter.endsWith('_exp')) delete engine.filters[filter]
  // Liquid's own `raw` leaves out what looks for holes, too.
  engine.registerFilter('raw', (value: unknown) => new Raw(value))
  return engine
}

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => htmlEntities[character] ?? character)
}

const htmlEntities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** What is written as it is. A filter behind `raw` makes an ordinary text of it. */
class Raw {
  readonly value: unknown

  constructor(value: unknown) {
    this.value = value
  }

  toString(): string {
    return textOf(this.value)
  }
}

/** Throws a Hole where there is nothing to write. */
function written(value: unknown, escaping: Escaping): string {
  const isRaw = value instanceof Raw
  const text = textOf(isRaw ? value.value : value)
  if (text.trim() === '') throw new Hole()
  return escaping === 'html' && !isRaw ? escapeHtml(text) : text
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return value.map(textOf).join(', ')
  throw new Hole()
}

/** What is written of nothing, which may be a space; null where there is something. */
function blankOf(value: unknown): string | null {
  if (value instanceof Raw) return blankOf(value.value)
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return ''
  return typeof value === 'string' && value.trim() === '' ? value : null
}

class StrictLiquid extends Liquid {
  override parse(source: string, path?: string): Template[] {
    return new StrictParser(this).parse(source, path)
  }
}

class StrictParser extends Parser {
  readonly #engine: Liquid

  constructor(engine: Liquid) {
    super(engine)
    this.#engine = engine
  }

  override parseToken(token: TopLevelToken, remaining: TopLevelToken[]): ReturnType<Parser['parseToken']> {
    const template = super.parseToken(token, remaining)
    if (!(template instanceof Output) || !template.value.filters.some(isDefault)) return template
    return new OutputWithDefault(template.token, this.#engine)
  }
}

/** One that says what to write instead, be it nothing. */
class OutputWithDefault extends Output {
  override *render(context: Context, emitter: Emitter): Generator<unknown, void, unknown> {
    const { initial, filters } = this.value
    let value = yield initial.evaluate(context, isLenient(this.value))
    // The last of them escapes.
    for (const filter of filters.slice(0, -1)) value = yield filter.render(value, context)
    emitter.write(blankOf(value) ?? (yield filters.at(-1)?.render(value, context)))
  }
}

// `if` may ask for what is not known. What these two take is written, or chosen by, so it has to be known.

class StrictAssign extends AssignTag {
  override *render(context: Context): Generator<unknown, void, unknown> {
    for (const value of this.arguments()) if (value instanceof Value) yield demand(value, context)
    yield* super.render(context)
  }
}

class StrictCase extends CaseTag {
  override *render(context: Context, emitter: Emitter): Generator<unknown, void, unknown> {
    yield demand(this.value, context)
    yield* super.render(context, emitter)
  }
}

function demand(value: Value, context: Context): Generator<unknown, unknown, unknown> {
  return value.initial.evaluate(context, isLenient(value))
}

/** Whether it may be asked for what is not known: as Liquid has it, where `default` comes first. */
function isLenient({ filters }: Value): boolean {
  return filters[0] !== undefined && isDefault(filters[0])
}

function isDefault({ name }: Filter): boolean {
  return name === 'default'
}
