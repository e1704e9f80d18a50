import type { sheets_v4 } from 'googleapis/build/src/apis/sheets/v4.js'
import type { SheetColumn, SheetRow } from '../../activities/ports.ts'

type Request = sheets_v4.Schema$Request
type CellData = sheets_v4.Schema$CellData

/** The tab that every new spreadsheet has. Its id stays when people rename it or move it. */
const tabId = 0
export const keyTitle = 'Key'
export const topLeftCell = { sheetId: tabId, startRowIndex: 0, endRowIndex: 1, startColumnIndex: 0, endColumnIndex: 1 }
export const keyColumn = { sheetId: tabId, startColumnIndex: 0, endColumnIndex: 1 }

const keyWidthPixels = 90

/** Header, formats and colours, for one call: Google does all of it or nothing. */
export function layoutRequests(columns: readonly SheetColumn[]): Request[] {
  const all: SheetColumn[] = [{ title: keyTitle, look: 'text', widthPixels: keyWidthPixels }, ...columns]
  return [
    {
      updateSheetProperties: {
        properties: { sheetId: tabId, title: 'Prospects', gridProperties: { frozenRowCount: 1 } },
        fields: 'title,gridProperties.frozenRowCount',
      },
    },
    {
      updateCells: {
        start: { sheetId: tabId, rowIndex: 0, columnIndex: 0 },
        rows: [{ values: all.map(({ title }) => ({ ...textCell(title), userEnteredFormat: headerFormat })) }],
        fields: 'userEnteredValue,userEnteredFormat(textFormat,backgroundColorStyle)',
      },
    },
    ...all.flatMap((column, index) => columnRequests(column, index)),
  ]
}

function columnRequests({ look, widthPixels }: SheetColumn, index: number): Request[] {
  const columnOnly = { sheetId: tabId, startColumnIndex: index, endColumnIndex: index + 1 }
  const belowHeader = { ...columnOnly, startRowIndex: 1 }
  return [
    {
      updateDimensionProperties: {
        range: { sheetId: tabId, dimension: 'COLUMNS', startIndex: index, endIndex: index + 1 },
        properties: { pixelSize: widthPixels },
        fields: 'pixelSize',
      },
    },
    {
      repeatCell: {
        range: belowHeader,
        cell: { userEnteredFormat: { numberFormat: look === 'text' ? { type: 'TEXT' } : wholeNumber } },
        fields: 'userEnteredFormat.numberFormat',
      },
    },
    ...(look === 'score' ? [scoreColours(belowHeader)] : []),
  ]
}

const headerFormat = { textFormat: { bold: true }, backgroundColorStyle: { rgbColor: colour('eeeeee') } }
const wholeNumber = { type: 'NUMBER', pattern: '0' }

function scoreColours(range: sheets_v4.Schema$GridRange): Request {
  const point = (score: number, hex: string) => ({
    type: 'NUMBER',
    value: String(score),
    colorStyle: { rgbColor: colour(hex) },
  })
  const gradientRule = {
    minpoint: point(0, 'ffffff'),
    midpoint: point(50, 'ffe8a3'),
    maxpoint: point(100, '7cc98f'),
  }
  return { addConditionalFormatRule: { rule: { ranges: [range], gradientRule }, index: 0 } }
}

/**
 * The rows, and a mark under the chunk's number. Google does both or neither and takes a mark's number once, so a call that is repeated,
 * or arrives long after its sender has given up, appends nothing.
 */
export function appendRequests({ number, rows }: { number: number; rows: readonly SheetRow[] }): Request[] {
  return [
    {
      createDeveloperMetadata: {
        developerMetadata: {
          metadataId: number,
          metadataKey: 'throughline-chunk',
          metadataValue: String(number),
          location: { spreadsheet: true },
          visibility: 'PROJECT',
        },
      },
    },
    {
      appendCells: {
        sheetId: tabId,
        rows: rows.map(({ key, values }) => ({ values: [key, ...values].map(cellOf) })),
        // The formats below are the columns' own.
        fields: 'userEnteredValue',
      },
    },
  ]
}

function cellOf(value: string | number | null): CellData {
  if (value === null || value === '') return {}
  return typeof value === 'number' ? { userEnteredValue: { numberValue: value } } : textCell(value)
}

/** A text is never read as a formula, a date or a number: formulas would be `formulaValue`. */
function textCell(text: string): CellData {
  return { userEnteredValue: { stringValue: text } }
}

function colour(hex: string): sheets_v4.Schema$Color {
  const part = (from: number) => Number.parseInt(hex.slice(from, from + 2), 16) / 255
  return { red: part(0), green: part(2), blue: part(4) }
}
