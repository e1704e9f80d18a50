import { z } from 'zod'
import type { Range, SandboxSpreadsheet, Value } from './sandbox-spreadsheets.ts'

export type Dimension = 'ROWS' | 'COLUMNS'
export const Dimension = z.enum(['ROWS', 'COLUMNS']).default('ROWS')

/** A range of values as Google gives it: empty cells as empty texts, and none at the ends of rows and of the range. */
export function valueRange({ tab }: SandboxSpreadsheet, range: Range, majorDimension: Dimension) {
  const rows = tab.rows
    .slice(range.startRowIndex, range.endRowIndex)
    .map((row) => trimmed(row.slice(range.startColumnIndex, range.endColumnIndex)))
  while (rows.at(-1)?.length === 0) rows.pop()
  const values = majorDimension === 'ROWS' ? rows : columnsOf(rows)
  return {
    range: addressOf(tab.title, range, tab.rows.length),
    majorDimension,
    ...(values.length > 0 && { values }),
  }
}

function trimmed(row: Value[]): (string | number | boolean)[] {
  const length = row.findLastIndex((value) => value !== null) + 1
  return row.slice(0, length).map((value) => value ?? '')
}

function columnsOf<Item>(rows: Item[][]): (Item | string)[][] {
  const width = Math.max(0, ...rows.map(({ length }) => length))
  return Array.from({ length: width }, (_, column) => {
    const last = rows.findLastIndex((row) => row.length > column)
    return rows.slice(0, last + 1).map((row) => row[column] ?? '')
  })
}

/** A range such as `A:C`, `'My tab'!A2:B10` or a tab's name alone, if it is one of this tab. */
export function parseRange({ tab }: SandboxSpreadsheet, text: string): Range | null {
  const whole = { sheetId: 0, startRowIndex: 0, startColumnIndex: 0 }
  const [cells = '', title = tab.title] = text.split('!').toReversed()
  if (unquoted(title) !== tab.title) return null
  if (unquoted(cells) === tab.title) return whole
  const [, fromColumn, fromRow, toColumn, toRow] = /^([A-Z])(\d+)?(?::([A-Z])(\d+)?)?$/.exec(cells) ?? []
  if (fromColumn === undefined) return null
  const lastRow = toColumn === undefined ? fromRow : toRow
  return {
    ...whole,
    startColumnIndex: columnLetters.indexOf(fromColumn),
    endColumnIndex: columnLetters.indexOf(toColumn ?? fromColumn) + 1,
    ...(fromRow !== undefined && { startRowIndex: Number(fromRow) - 1 }),
    ...(lastRow !== undefined && { endRowIndex: Number(lastRow) }),
  }
}

/** As many columns as a new spreadsheet has. */
const columnLetters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const newRows = 1000

function unquoted(title: string): string {
  return title.replace(/^'(.*)'$/, '$1')
}

function addressOf(title: string, range: Range, rows: number): string {
  const { startColumnIndex, startRowIndex, endColumnIndex = columnLetters.length, endRowIndex } = range
  const from = `${columnLetters[startColumnIndex]}${startRowIndex + 1}`
  return `${title}!${from}:${columnLetters[endColumnIndex - 1]}${endRowIndex ?? Math.max(rows, newRows)}`
}
