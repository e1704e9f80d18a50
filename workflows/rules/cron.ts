interface Field {
  what: string
  min: number
  max: number
  /** What may stand for a number, the first for the lowest. */
  names: readonly string[]
}

// As Temporal's server reads them. It knows no L, W, # or ?, and takes longer names too; these are what every cron knows.
const fields = [
  { what: 'minute', min: 0, max: 59, names: [] },
  { what: 'hour', min: 0, max: 23, names: [] },
  { what: 'day of the month', min: 1, max: 31, names: [] },
  {
    what: 'month',
    min: 1,
    max: 12,
    names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  { what: 'day of the week', min: 0, max: 7, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
] as const satisfies readonly Field[]

const longestMonths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/**
 * What is wrong with a cron line of five fields, as a sentence to its writer; null when Temporal will understand it and it fires again and
 * again. Days of the month and of the week together are refused: to Temporal both must hold, to cron either.
 */
export function cronProblem(line: string): string | null {
  const texts = line.trim().split(/\s+/)
  if (texts.length !== fields.length) {
    return 'Give five fields: minute, hour, day of the month, month, day of the week, such as 0 6 * * 1.'
  }
  const values = fields.map((field, index) => valuesOf(texts[index] ?? '', field))
  const wrong = values.find((value) => typeof value === 'string')
  if (typeof wrong === 'string') return wrong
  const [, , days, months, weekdays] = values.filter((value) => typeof value !== 'string')
  if (days && weekdays && days.size < 31 && weekdays.size < 7) {
    return 'Give days of the month or days of the week, not both.'
  }
  const firstDay = Math.min(...(days ?? []))
  if ([...(months ?? [])].some((month) => firstDay <= (longestMonths[month - 1] ?? 0))) return null
  return 'This never fires: none of its months has such a day.'
}

/** The numbers that a field names, Sunday being 0; a sentence when it cannot be read. */
function valuesOf(text: string, field: Field): Set<number> | string {
  const values = new Set<number>()
  for (const part of text.split(',')) {
    const [, from = '', to, step] = /^(\*|\w+)(?:-(\w+))?(?:\/(\d{1,2}))?$/.exec(part) ?? []
    const first = from === '*' ? field.min : numberOf(from, field)
    // With a step, a single number stands for itself and all that follow.
    const single = from === '*' || step !== undefined ? field.max : first
    const last = to === undefined ? single : numberOf(to, field)
    const every = step === undefined ? 1 : Number(step)
    const isRange = first !== null && last !== null && first <= last && (from !== '*' || to === undefined)
    if (!isRange || every < 1 || every > field.max) {
      return `The ${field.what} "${part}" is none: give ${field.min} to ${field.max}, ranges such as 1-5, lists and steps such as */2.`
    }
    for (let value = first; value <= last; value += every) values.add(field.max === 7 ? value % 7 : value)
  }
  return values
}

function numberOf(text: string, { min, max, names }: Field): number | null {
  const named = names.indexOf(text.toLowerCase())
  const number = named >= 0 ? min + named : /^\d{1,2}$/.test(text) ? Number(text) : NaN
  return number >= min && number <= max ? number : null
}
