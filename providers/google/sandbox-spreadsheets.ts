import { createHash } from 'node:crypto'
import { z } from 'zod'

const Cell = z.object({
  userEnteredValue: z
    .strictObject({ stringValue: z.string(), numberValue: z.number(), boolValue: z.boolean() })
    .partial()
    .optional(),
  userEnteredFormat: z.unknown().optional(),
})
const Rows = z.array(z.strictObject({ values: z.array(Cell).default([]) }))
const Range = z.strictObject({
  sheetId: z.int().default(0),
  startRowIndex: z.int().default(0),
  endRowIndex: z.int().optional(),
  startColumnIndex: z.int().default(0),
  endColumnIndex: z.int().optional(),
})
export type Range = z.infer<typeof Range>

const Mark = z.strictObject({
  metadataId: z.int().positive(),
  metadataKey: z.string(),
  metadataValue: z.string().optional(),
  location: z.strictObject({ spreadsheet: z.literal(true) }),
  visibility: z.enum(['DOCUMENT', 'PROJECT']),
})

const fields = z.string().min(1)

/** The changes to a spreadsheet that the sandbox knows. */
const SheetRequest = z.union([
  z.strictObject({
    updateSheetProperties: z.strictObject({
      properties: z.strictObject({
        sheetId: z.int(),
        title: z.string(),
        gridProperties: z.strictObject({ frozenRowCount: z.int() }),
      }),
      fields,
    }),
  }),
  z.strictObject({
    updateCells: z.strictObject({
      start: z.strictObject({ sheetId: z.int(), rowIndex: z.int(), columnIndex: z.int() }),
      rows: Rows,
      fields,
    }),
  }),
  z.strictObject({
    updateDimensionProperties: z.strictObject({ range: z.unknown(), properties: z.unknown(), fields }),
  }),
  z.strictObject({ repeatCell: z.strictObject({ range: Range, cell: z.unknown(), fields }) }),
  z.strictObject({
    addConditionalFormatRule: z.strictObject({
      rule: z.strictObject({ ranges: z.array(Range), gradientRule: z.unknown() }),
      index: z.int(),
    }),
  }),
  z.strictObject({ createDeveloperMetadata: z.strictObject({ developerMetadata: Mark }) }),
  z.strictObject({ appendCells: z.strictObject({ sheetId: z.int().default(0), rows: Rows, fields }) }),
])
export type SheetRequest = z.infer<typeof SheetRequest>
export const SheetRequests = z.array(SheetRequest).min(1)

const Permission = z.strictObject({
  id: z.string(),
  type: z.literal('user'),
  role: z.string(),
  emailAddress: z.string(),
})
type Permission = z.infer<typeof Permission>

/** What happens at Google without us. Access that is withdrawn without naming a spreadsheet is withdrawn from the whole account. */
export const GoogleEvent = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.enum(['spreadsheet.deleted', 'spreadsheet.trashed', 'spreadsheet.restored']),
    spreadsheetId: z.string(),
  }),
  z.strictObject({ type: z.enum(['access.withdrawn', 'access.restored']), spreadsheetId: z.string().optional() }),
])
type GoogleEvent = z.infer<typeof GoogleEvent>

const onOne = { spreadsheetId: z.string() }

/** All that can change in the sandbox. Its state is the sum of these, which the sandbox's journal keeps. */
export const Change = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('created'),
    ...onOne,
    name: z.string(),
    appProperties: z.record(z.string(), z.string()),
    owner: z.string(),
    at: z.string(),
  }),
  z.object({ kind: z.literal('batch'), ...onOne, requests: SheetRequests }),
  z.object({ kind: z.literal('shared'), ...onOne, permission: Permission }),
  z.object({ kind: z.literal('happened'), event: GoogleEvent }),
])
export type Change = z.infer<typeof Change>

export type Value = string | number | boolean | null

export interface SandboxSpreadsheet {
  id: string
  name: string
  createdTime: string
  appProperties: Record<string, string>
  trashed: boolean
  withdrawn: boolean
  permissions: Permission[]
  /** The one tab. */
  tab: { title: string; frozenRows: number; rows: Value[][]; colouredColumns: number[] }
  marks: Map<number, z.infer<typeof Mark>>
}

/** The spreadsheets of the sandbox's one account. */
export function createSpreadsheets() {
  const spreadsheets = new Map<string, SandboxSpreadsheet>()
  let created = 0
  let accountWithdrawn = false

  return {
    find: (id: string) => spreadsheets.get(id),
    all: () => [...spreadsheets.values()],
    isAccountWithdrawn: () => accountWithdrawn,
    nextId: () =>
      createHash('sha256')
        .update(`spreadsheet ${created + 1}`)
        .digest('base64url'),

    apply(change: Change): void {
      if (change.kind === 'happened') return happen(change.event)
      if (change.kind === 'created') {
        created += 1
        spreadsheets.set(change.spreadsheetId, newSpreadsheet(change))
      }
      const spreadsheet = spreadsheets.get(change.spreadsheetId)
      if (!spreadsheet) return
      if (change.kind === 'batch') for (const request of change.requests) applyRequest(spreadsheet, request)
      if (change.kind === 'shared') share(spreadsheet, change.permission)
    },

    clear(): void {
      spreadsheets.clear()
      created = 0
      accountWithdrawn = false
    },
  }

  function happen({ type, spreadsheetId }: GoogleEvent): void {
    if (spreadsheetId === undefined) {
      accountWithdrawn = type === 'access.withdrawn'
      return
    }
    const spreadsheet = spreadsheets.get(spreadsheetId)
    if (!spreadsheet) return
    if (type === 'spreadsheet.deleted') spreadsheets.delete(spreadsheetId)
    else if (type === 'access.withdrawn' || type === 'access.restored')
      spreadsheet.withdrawn = type === 'access.withdrawn'
    else spreadsheet.trashed = type === 'spreadsheet.trashed'
  }
}

function newSpreadsheet(change: Extract<Change, { kind: 'created' }>): SandboxSpreadsheet {
  return {
    id: change.spreadsheetId,
    name: change.name,
    createdTime: change.at,
    appProperties: change.appProperties,
    trashed: false,
    withdrawn: false,
    permissions: [{ id: permissionId(change.owner), type: 'user', role: 'owner', emailAddress: change.owner }],
    tab: { title: 'Sheet1', frozenRows: 0, rows: [], colouredColumns: [] },
    marks: new Map(),
  }
}

export function permissionId(emailAddress: string): string {
  const digest = createHash('sha256').update(emailAddress.toLowerCase()).digest()
  return digest.readBigUInt64BE(0).toString().padStart(20, '0')
}

function share({ permissions }: SandboxSpreadsheet, permission: Permission): void {
  const known = permissions.find(({ id }) => id === permission.id)
  if (known) known.role = permission.role
  else permissions.push(permission)
}

/** Why Google would refuse these changes, all of them; null when it would not. */
export function refusalOf(spreadsheet: SandboxSpreadsheet, requests: readonly SheetRequest[]): string | null {
  const marks = new Set(spreadsheet.marks.keys())
  for (const [index, request] of requests.entries()) {
    const where = `Invalid requests[${index}].${Object.keys(request)[0]}`
    const sheetId = sheetIdOf(request)
    if (sheetId !== 0) return `${where}: No grid with id: ${sheetId}`
    if (!('createDeveloperMetadata' in request)) continue
    const { metadataId } = request.createDeveloperMetadata.developerMetadata
    if (marks.has(metadataId)) return `${where}: Developer metadata with ID ${metadataId} already exists.`
    marks.add(metadataId)
  }
  return null
}

function sheetIdOf(request: SheetRequest): number {
  if ('updateSheetProperties' in request) return request.updateSheetProperties.properties.sheetId
  if ('updateCells' in request) return request.updateCells.start.sheetId
  if ('repeatCell' in request) return request.repeatCell.range.sheetId
  if ('appendCells' in request) return request.appendCells.sheetId
  return 0
}

function applyRequest({ tab, marks }: SandboxSpreadsheet, request: SheetRequest): void {
  if ('updateSheetProperties' in request) {
    tab.title = request.updateSheetProperties.properties.title
    tab.frozenRows = request.updateSheetProperties.properties.gridProperties.frozenRowCount
  } else if ('updateCells' in request) {
    const { start, rows } = request.updateCells
    for (const [index, row] of rows.entries()) tab.rows[start.rowIndex + index] = row.values.map(valueOf)
  } else if ('addConditionalFormatRule' in request) {
    tab.colouredColumns.push(...request.addConditionalFormatRule.rule.ranges.map((range) => range.startColumnIndex))
  } else if ('createDeveloperMetadata' in request) {
    const mark = request.createDeveloperMetadata.developerMetadata
    marks.set(mark.metadataId, mark)
  } else if ('appendCells' in request) {
    tab.rows.push(...request.appendCells.rows.map((row) => row.values.map(valueOf)))
  }
}

function valueOf({ userEnteredValue }: z.infer<typeof Cell>): Value {
  return userEnteredValue?.stringValue ?? userEnteredValue?.numberValue ?? userEnteredValue?.boolValue ?? null
}
