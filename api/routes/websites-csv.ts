import { CsvError, parse } from 'csv-parse/sync'
import { invalidInput, type Problem } from '../problem.ts'

export interface CsvWebsite {
  /** Counted from 1, the header being one. */
  line: number
  website: string
  name: string | null
}

const longestName = 200

/** Reads a list as spreadsheets save it: with or without a byte order mark, any line ends, comma, semicolon or tab between columns. */
export function readWebsitesCsv(text: string): CsvWebsite[] {
  const [header, ...rows] = linesOf(text)
  const names = header?.cells.map((name) => name.toLowerCase()) ?? []
  const websiteAt = names.indexOf('website')
  const nameAt = names.indexOf('name')
  if (websiteAt < 0) {
    const columns = names.length === 0 ? 'it is empty' : `it has ${names.slice(0, 10).map(quoted).join(', ')}`
    throw refused(`The first line must name the columns, one of them "website" (${columns}).`)
  }
  return rows.map(({ line, cells }) => ({
    line,
    website: cells[websiteAt] ?? '',
    name: (nameAt < 0 ? '' : (cells[nameAt] ?? '')).slice(0, longestName) || null,
  }))
}

interface CsvLine {
  line: number
  cells: string[]
}

function linesOf(text: string): CsvLine[] {
  const lines: CsvLine[] = []
  try {
    parse(text, {
      bom: true,
      delimiter: delimiterOf(text),
      relax_column_count: true,
      skip_empty_lines: true,
      skip_records_with_empty_values: true,
      trim: true,
      on_record(cells: string[], { lines: line }) {
        lines.push({ line, cells })
        return null
      },
    })
    return lines
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const line = 'lines' in error && typeof error.lines === 'number' ? `line ${error.lines}: ` : ''
    throw refused(`${line}This is not CSV, perhaps a quotation mark is missing.`)
  }
}

/** What the header line is divided by. */
function delimiterOf(text: string): string {
  const [header = ''] = text.split(/\r|\n/, 1)
  return [',', ';', '\t'].find((delimiter) => header.includes(delimiter)) ?? ','
}

function quoted(name: string): string {
  return `"${name.slice(0, 50)}"`
}

function refused(detail: string): Problem {
  return invalidInput([{ pointer: '/websitesCsv', detail }])
}
